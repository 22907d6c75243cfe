import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadInspectors } from '#inspect';
import type { OperationDecided } from '#model';
import { Holds } from './hold.ts';
import { testHoldLink } from './testing/hold-link.ts';
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

const asking = (more = '') => `    - id: quota
      effect: limit
      limits: [{ name: reads, key: [subject.id], max: 2, per: PT1M }]
      onExceed: escalate
      reason: MANY_READS
      require: { approval: { reviewers: [{ group: oncall }], quorum: 1, timeout: PT5M, onTimeout: deny, bind: [sql.fingerprint] } }
${more}`;

function asked(rules: string) {
  const records: OperationDecided[] = [];
  const keep = (draft: OperationDecided) => {
    records.push(draft);
    return Promise.resolve({}); // Nothing is sent here.
  };
  const links: ReturnType<typeof testHoldLink>[] = [];
  const { world, admit } = testPipeline(rules, { append: keep, decide: keep }, (at) => {
    const made = testHoldLink(() => at.now());
    links.push(made);
    return new Holds(at, made);
  });
  const [link] = links;
  assert.ok(link);
  const held = async (count: number): Promise<string> => {
    while (link.asked.length < count) await new Promise<void>((resolve) => void setImmediate(resolve));
    return link.asked[count - 1]?.id ?? '';
  };
  return { world, records, link, held, admit: (...texts: readonly string[]) => admit(texts, ['approval']) };
}

test('a quota that escalates asks people, and their grant releases this one operation and no other', async () => {
  const { world, link, held, admit, records } = asked(asking());
  for (let i = 0; i < 2; i += 1) assert.equal((await admit('SELECT 1')).kind, 'released');
  const waiting = admit('SELECT 1');
  const first = await held(1);
  assert.deepEqual(
    link.asked[0]?.request.requirements.map(({ rule, reason, approval }) => [rule, reason, approval.reviewers]),
    [['access/quota', 'MANY_READS', [{ group: 'oncall', min: 1 }]]],
  );
  link.resolve(first, 'approved');
  assert.equal((await waiting).kind, 'released');
  assert.deepEqual([link.spent, records.at(-1)?.approval?.request], [[first], first]);
  // The same statement again is another operation, and the bucket is as empty as before.
  const again = admit('SELECT 1');
  link.resolve(await held(2), 'refused');
  const refused = await again;
  assert.ok(refused.kind === 'refused' && refused.refusal.code === 'APPROVAL_REFUSED');
  world.advance(30_000);
  assert.equal((await admit('SELECT 1')).kind, 'released');
  assert.equal(link.asked.length, 2);
});

test('of a batch each operation that exceeds the quota is asked for by itself, and none runs before', async () => {
  const { link, held, admit } = asked(asking());
  const waiting = admit('SELECT 1', 'SELECT 2', 'SELECT 3', 'SELECT 4');
  link.resolve(await held(1), 'approved');
  link.resolve(await held(2), 'approved');
  assert.equal((await waiting).kind, 'released');
  assert.deepEqual([link.asked.map(({ request }) => request.text), link.spent.length], [['SELECT 3', 'SELECT 4'], 2]);
});

test('of a batch with the same statement twice a grant releases the one that was shown, and not the other', async () => {
  const { link, held, admit } = asked(asking());
  const waiting = admit('SELECT 1', 'SELECT 2', 'SELECT 3', 'SELECT 3');
  link.resolve(await held(1), 'approved');
  link.resolve(await held(2), 'refused');
  const refused = await waiting;
  assert.ok(refused.kind === 'refused' && refused.refusal.code === 'APPROVAL_REFUSED');
  assert.deepEqual([link.asked.map(({ request }) => request.operation), link.spent], [['op_3', 'op_4'], []]);
});

test('an operation that another rule holds is asked for once more when the quota is exceeded, and never twice by one rule', async () => {
  const approval = '{ approval: { reviewers: [{ group: dba }], quorum: 1, timeout: PT5M, onTimeout: deny, bind: [sql.fingerprint] } }';
  const { link, held, admit } = asked(asking(`    - { id: ask, effect: require, require: ${approval} }`));
  for (let i = 1; i <= 2; i += 1) {
    const passing = admit('SELECT 1');
    link.resolve(await held(i), 'approved');
    assert.equal((await passing).kind, 'released');
  }
  const waiting = admit('SELECT 1');
  link.resolve(await held(3), 'approved');
  link.resolve(await held(4), 'approved');
  assert.equal((await waiting).kind, 'released');
  assert.deepEqual(
    link.asked.slice(2).map(({ request }) => request.requirements.map(({ rule }) => rule)),
    [['access/ask'], ['access/quota']],
  );
  assert.equal(link.spent.length, 4);
});

test('a quota that refuses is told before anybody is asked about one that escalates', async () => {
  const strict = '    - { id: strict, effect: limit, limits: [{ name: other, key: [subject.id], max: 1, per: PT1M }] }';
  const { link, admit } = asked(asking(strict));
  assert.equal((await admit('SELECT 1')).kind, 'released');
  const refused = await admit('SELECT 1', 'SELECT 2');
  assert.ok(refused.kind === 'refused' && refused.refusal.code === 'RATE_LIMITED');
  assert.equal(link.asked.length, 0);
});
