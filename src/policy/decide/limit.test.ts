import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allowAll, bundleOf, policy, requestWith } from '../scenario.ts';
import { decide } from './decide.ts';

const quota = (more = '', limit = '') =>
  policy(
    'quota',
    `  rules: [{ id: q, effect: limit, limits: [{ name: calls, key: [subject.id, resource.id], max: 5, per: PT1M, burst: 2${limit} }]${more} }]`,
  );

test('an operation that passes carries what it must be paid from', () => {
  const decision = decide(bundleOf(allowAll, quota()), requestWith());
  assert.equal(decision.verdict, 'allow');
  assert.deepEqual(decision.limits, [
    {
      name: 'calls',
      key: '["pg:orders","user:eve"]',
      max: 5,
      perMs: 60_000,
      burst: 2,
      cost: 1,
      onExceed: 'deny',
      onStoreError: 'deny',
      rule: 'quota/q',
      reason: 'QUOTA_EXCEEDED',
      message: 'Too many operations of this kind. Wait a while and try again.',
    },
  ]);
});

test('what does not pass costs nothing, and a limit alone allows nothing', () => {
  const deny = policy('no', '  rules: [{ id: r, effect: deny, reason: NO_WAY }]');
  const ask = policy('ask', '  rules: [{ id: r, effect: require, require: { justification: {} } }]');
  for (const [bundle, verdict] of [
    [bundleOf(allowAll, quota(), deny), 'deny'],
    [bundleOf(allowAll, quota(), ask), 'pending'],
    [bundleOf(quota()), 'deny'],
  ] as const) {
    const decision = decide(bundle, requestWith());
    assert.equal(decision.verdict, verdict);
    assert.equal(decision.limits, undefined);
  }
});

test('a rule that is not enforced charges nothing', () => {
  for (const mode of ['audit', 'shadow', 'off'])
    assert.equal(decide(bundleOf(allowAll, quota(`, mode: ${mode}`)), requestWith()).limits, undefined);
});

test('the cost is computed, and of two rules with one counter the dearer one is charged', () => {
  const cost = decide(
    bundleOf(allowAll, quota('', ', cost: "sql.tables.size() * 2"'), quota('').replace('name: quota', 'name: other')),
    requestWith(),
  );
  assert.deepEqual(
    cost.limits?.map(({ rule, cost: units }) => [rule, units]),
    [['quota/q', 2]],
  );
});

test('a key that is absent or a cost that is no amount refuses, unless the rule says to skip', () => {
  for (const broken of [
    quota('', ', cost: "sql.tables.size() - 5"'),
    quota('').replace('resource.id]', 'context.purpose]'),
    quota('', ', cost: "sql.normalized"'),
  ]) {
    const refused = decide(bundleOf(allowAll, broken), requestWith());
    assert.deepEqual([refused.verdict, refused.reason, refused.decisive], ['deny', 'EVALUATION_ERROR', ['quota/q']]);
    assert.equal(refused.errors[0]?.part, 'limits');
    const skipped = decide(bundleOf(allowAll, broken.replace('effect: limit', 'effect: limit, onError: skip')), requestWith());
    assert.equal(skipped.verdict, 'allow');
    assert.equal(skipped.limits, undefined);
  }
});
