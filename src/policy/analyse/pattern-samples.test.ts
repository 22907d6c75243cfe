import assert from 'node:assert/strict';
import { test } from 'node:test';
import { samplesOf } from './pattern-samples.ts';

test('samples fit their pattern, with one for every alternative and every range', () => {
  assert.deepEqual(samplesOf('^/api/[a-z]+$'), ['/api/a']);
  assert.deepEqual(samplesOf('^/api/[a-z0-9]+$'), ['/api/a', '/api/0']);
  assert.deepEqual(samplesOf('^(OPS|INC)-[0-9]{4}$'), ['OPS-0000', 'INC-0000']);
  assert.deepEqual(samplesOf('^api\\.example\\.com$'), ['api.example.com']);
  assert.deepEqual(samplesOf('^(?:a|b)?c$'), ['ac', 'bc', 'c']);
});

test('what is not understood gives nothing wrong', () => {
  assert.deepEqual(samplesOf('[[:alpha:]]+'), []);
  assert.deepEqual(samplesOf('a^b'), []);
  assert.deepEqual(samplesOf('('), []);
  assert.deepEqual(samplesOf('\\pL+'), []);
});
