import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { maskStrategies } from '#model';
import type { MaskObligation, Obligation } from '#model';
import { mergeObligations, strictestMask } from './merge.ts';
import type { Owed } from './merge.ts';

const mask: fc.Arbitrary<MaskObligation> = fc
  .record({
    strategy: fc.constantFrom(...maskStrategies),
    keep: fc.constantFrom('domain', 'last4', 'first1', 'year'),
    text: fc.constantFrom('x', 'y'),
  })
  .map(({ strategy, keep, text }) => ({
    type: 'mask',
    select: { columns: { labels: ['pii.*'] } },
    with: { strategy, ...(strategy === 'partial' ? { keep } : {}), ...(strategy === 'redact' ? { text } : {}) },
  }));

const obligation: fc.Arbitrary<Obligation> = fc.oneof(
  mask,
  fc.constantFrom<Obligation[]>(
    { type: 'redact', select: { text: { detectors: ['email'] } } },
    { type: 'redact', select: { text: { detectors: ['iban', 'email'] } } },
    { type: 'row_limit', max: 10 },
    { type: 'row_limit', max: 3 },
    { type: 'notify', to: 'a', topic: 'b' },
    { type: 'quarantine', scope: ['session'], ttl: 'PT1H' },
    { type: 'quarantine', scope: ['subject'], ttl: 'PT10M' },
    { type: 'record', evidence: 'mirrored' },
    { type: 'record', recording: 'required', evidence: 'local' },
    { type: 'log', level: 'info' },
    { type: 'log', level: 'alert' },
    { type: 'mutate', patch: { op: 'replace', path: '/a', value: 1 } },
    { type: 'mutate', patch: { op: 'replace', path: '/a/b', value: 2 } },
    { type: 'route', key: 'model', to: 'x' },
    { type: 'route', key: 'model', to: 'y' },
  ),
);
const owed = fc.array(fc.record({ obligation, priority: fc.constantFrom(1, 2), rule: fc.constantFrom('p/a', 'p/b') }), { maxLength: 8 });

function again(obligations: readonly Obligation[]): Owed[] {
  return obligations.map((one) => ({ obligation: one, priority: 1, rule: 'p/a' }));
}

test('merging does not depend on order or repetition', () => {
  fc.assert(
    fc.property(owed, fc.nat(7), (list, cut) => {
      const rotated = [...list.slice(cut), ...list.slice(0, cut)].toReversed();
      assert.deepEqual(mergeObligations([...rotated, ...list]), mergeObligations(list));
    }),
  );
});

test('merging in groups gives the same as merging at once', () => {
  // Contradictions need the priorities, which a merged list no longer has.
  const peaceful = owed.map((list) => list.filter(({ obligation: { type } }) => type !== 'mutate' && type !== 'route'));
  fc.assert(
    fc.property(peaceful, fc.nat(8), (list, cut) => {
      const left = mergeObligations(list.slice(0, cut)).obligations;
      const right = mergeObligations(list.slice(cut)).obligations;
      assert.deepEqual(mergeObligations([...again(left), ...again(right)]).obligations, mergeObligations(list).obligations);
    }),
  );
});

test('the strictest mask is the same however the masks are grouped', () => {
  fc.assert(
    fc.property(fc.array(mask, { minLength: 1, maxLength: 6 }), fc.nat(5), (masks, cut) => {
      const parts = [strictestMask(masks.slice(0, cut)), strictestMask(masks.slice(cut))].filter((one) => one !== undefined);
      assert.deepEqual(strictestMask(parts), strictestMask(masks.toReversed()));
    }),
  );
  assert.equal(strictestMask([]), undefined);
});

const change = (value: number, priority: number, rule: string): Owed => ({
  obligation: { type: 'mutate', patch: { op: 'replace', path: '/a', value } },
  priority,
  rule,
});

test('contradicting changes are settled by priority, and a tie is a conflict', () => {
  assert.deepEqual(mergeObligations([change(1, 1, 'p/a'), change(2, 2, 'p/b')]).obligations, [change(2, 2, 'p/b').obligation]);
  assert.deepEqual(mergeObligations([change(1, 1, 'p/a'), change(2, 1, 'p/b')]).conflict, ['p/a', 'p/b']);
  assert.deepEqual(mergeObligations([change(1, 1, 'p/a'), change(1, 1, 'p/b')]).conflict, []);
});
