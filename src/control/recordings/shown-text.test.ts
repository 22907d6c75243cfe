import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Obligation } from '#model';
import { shownText } from './shown-text.ts';

const evidence = { text: "select * from people where mail = ' ann@mail.example' or card = $1", parameters: ['4111 1111 1111 1111', null] };
const redact = (...detectors: ('email' | 'credit_card')[]): Obligation => ({ type: 'redact', select: { text: { detectors } } });
const mask = (label: string, strategy: 'none' | 'partial' | 'drop' = 'drop'): Obligation => ({
  type: 'mask',
  select: { columns: { labels: [label] } },
  with: { strategy },
});

test('without obligations a text is shown as it was', () => {
  assert.deepEqual(shownText(evidence, [{ type: 'record' }]), evidence);
  assert.deepEqual(shownText(evidence, [mask('evidence.*', 'none')]), evidence);
});

test('what the detectors of all rules find is taken out of text and values', () => {
  assert.deepEqual(shownText(evidence, [redact('email'), redact('credit_card')]), {
    text: "select * from people where mail = ' [email]' or card = $1",
    parameters: ['[card]', null],
  });
});

test('a mask withholds what it selects, whatever its strategy', () => {
  assert.equal(shownText(evidence, [mask('evidence.*', 'partial')]), undefined);
  assert.equal(shownText(evidence, [mask('evidence.text')]), undefined);
  assert.deepEqual(shownText(evidence, [mask('evidence.parameters')])?.parameters, ['[withheld]', null]);
  assert.deepEqual(shownText(evidence, [mask('pii.*')]), evidence);
});
