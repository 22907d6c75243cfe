import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCases } from './run.ts';

const policy = `apiVersion: warder/v1
kind: Policy
metadata: { name: p }
spec:
  owner: team:x
  tier: org
  risk: { class: low }
  review: { last: 2026-01-01, every: P90D }
  target: sql
  rules:
    - { id: reads, effect: allow, match: { sql.verbs: [select] } }
    - id: ask-twice
      effect: require
      match: { sql.tables: [public.payments] }
      require: { justification: {} }
    - { id: few, effect: limit, reason: SLOW_DOWN, limits: [{ name: few, key: [subject.id], max: 5, per: PT1M }] }
    - id: many
      effect: limit
      reason: MANY_READS
      limits: [{ name: many, key: [resource.id], max: 5, per: PT1M }]
      onExceed: escalate
      require: { approval: { reviewers: [{ group: dba }], quorum: 1, timeout: PT5M, onTimeout: deny, bind: [sql.fingerprint] } }
---
apiVersion: warder/v1
kind: PolicyTest
metadata: { name: t }
spec:
  now: 2026-11-20T10:00:00Z
  defaults: { subject: { id: "user:eve" }, resource: { id: "pg:orders" }, sql: SELECT 1 }
  mutation: { minScore: 50 }
  cases:
`;

async function failures(...cases: readonly string[]): Promise<readonly string[]> {
  const report = await runCases([{ path: 'p.yaml', text: policy + cases.map((one) => `    - ${one}\n`).join('') }]);
  return report.results.filter(({ name }) => !name.includes('mutation')).flatMap((result) => result.failures);
}

test('a case says what happens when a counter is empty, and what a grant for it releases', async () => {
  assert.deepEqual(
    await failures(
      '{ name: charged, expect: { verdict: allow, limits: [{ name: few }, { name: many }] } }',
      '{ name: refused, exceeded: [few], expect: { verdict: deny, reason: SLOW_DOWN, decisive: [p/few] } }',
      '{ name: asked, exceeded: [many], expect: { verdict: pending, reason: MANY_READS, requires: { approval: { quorum: 1 } } } }',
      '{ name: released, exceeded: [many], grants: [{ rule: p/many, kinds: [approval] }], expect: { verdict: allow, limits: [{ name: few }] } }',
      '{ name: for another rule, exceeded: [many], grants: [{ rule: p/few, kinds: [approval] }], expect: { verdict: pending } }',
      '{ name: asked last, sql: SELECT 1 FROM payments, exceeded: [many], grants: [{ rule: p/ask-twice, kinds: [justification] }], expect: { verdict: pending, decisive: [p/many] } }',
      '{ name: both, sql: SELECT 1 FROM payments, exceeded: [many], grants: [{ rule: p/ask-twice, kinds: [justification] }, { rule: p/many, kinds: [approval] }], expect: { verdict: allow } }',
    ),
    [],
  );
});

test('a counter that the operation is not charged for cannot be exceeded, and the case says so', async () => {
  assert.deepEqual(await failures('{ name: misspelt, exceeded: [meny], expect: { verdict: deny } }'), [
    'the limit "meny" is not charged here, so it cannot be exceeded; charged: few, many',
  ]);
  assert.deepEqual(await failures('{ name: denied, sql: DROP TABLE t, exceeded: [few], expect: { verdict: deny } }'), [
    'the limit "few" is not charged here, so it cannot be exceeded; none is',
  ]);
});
