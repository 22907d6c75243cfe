import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allowAll, document, policy } from '../scenario.ts';
import { runCases } from './run.ts';
import { shrink } from './shrink.ts';

test('values shrink to what is needed to fail', () => {
  const values = { 'subject.groups': ['a', 'b', 'c'], sql: 'DELETE FROM orders WHERE id = 7', context: { purpose: 'x', ticket: 'y' } };
  const least = shrink(values, (one) => (one['subject.groups'] as string[]).includes('b') && String(one['sql']).includes('orders'));
  assert.deepEqual(least, { 'subject.groups': ['b'], sql: 'orders', context: {} });
});

test('a counterexample is the smallest that is found, and is written as a case that can be pasted', async () => {
  const suite = document(
    'PolicyTest',
    't',
    'now: 2026-11-20T10:00:00Z\n  properties:\n    - name: nobody drops\n      forAll:\n        subject.groups: { oneOf: [[dba, ops]] }\n        sql: { oneOf: ["DROP TABLE a, b CASCADE"] }\n      expect: { verdict: deny }',
  );
  const rule = policy('p', '  rules: [{ id: d, effect: deny, reason: NOPE, match: { sql.effects: [truncate] } }]');
  const { results } = await runCases([allowAll, rule, suite].map((text, i) => ({ path: `${i}.yaml`, text })));
  const [failed] = results;
  assert.equal(failed?.ok, false);
  assert.deepEqual(failed?.failures[0], 'counterexample {"subject.groups":[],"sql":"DROP TABLE b CASCADE"}');
  assert.ok(failed?.failures.includes('    sql: "DROP TABLE b CASCADE"'));
});
