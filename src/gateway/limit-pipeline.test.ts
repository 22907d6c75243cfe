import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadInspectors } from '#inspect';
import type { OperationDecided } from '#model';
import { testPipeline } from './testing/pipeline.ts';

const quota = `    - id: quota
      effect: limit
      limits: [{ name: reads, key: [subject.id], max: 3, per: PT1M }]
      message: "Three statements a minute are enough."`;

await loadInspectors();

function setup() {
  const records: OperationDecided[] = [];
  const keep = (draft: OperationDecided) => {
    records.push(draft);
    return Promise.resolve({}); // Nothing is released here.
  };
  const { world, admit } = testPipeline(quota, { append: keep, decide: keep });
  return { world, records, admit: (...texts: readonly string[]) => admit(texts) };
}

test('a quota refuses what exceeds it, records the refusal and says when to come back', async () => {
  const { world, records, admit } = setup();
  for (let i = 0; i < 3; i += 1) assert.equal((await admit('SELECT 1')).kind, 'released');
  const refused = await admit('SELECT 1');
  assert.ok(refused.kind === 'refused');
  assert.deepEqual(
    [refused.refusal.code, refused.refusal.reason, refused.refusal.message, refused.refusal.hint],
    ['RATE_LIMITED', 'QUOTA_EXCEEDED', 'Three statements a minute are enough.', 'Try again in 20 s.'],
  );
  const last = records.at(-1)?.decision;
  assert.deepEqual([last?.verdict, last?.reason, last?.rules], ['deny', 'QUOTA_EXCEEDED', ['access/quota']]);
  world.advance(20_000);
  assert.equal((await admit('SELECT 1')).kind, 'released');
});

test('what a policy denies uses up no quota, and neither does a batch that does not fit', async () => {
  const { records, admit } = setup();
  for (let i = 0; i < 10; i += 1) assert.equal((await admit('DROP TABLE t')).kind, 'refused');
  assert.equal((await admit('SELECT 1', 'SELECT 2', 'SELECT 3', 'SELECT 4')).kind, 'refused');
  assert.deepEqual(
    records.slice(-4).map(({ decision }) => decision.reason),
    ['BATCH_REFUSED', 'BATCH_REFUSED', 'BATCH_REFUSED', 'QUOTA_EXCEEDED'],
  );
  assert.equal((await admit('SELECT 1', 'SELECT 2', 'SELECT 3')).kind, 'released');
});
