import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DecisionRequest } from '#model';
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
    quota('', ', cost: "dyn(sql.normalized)"'),
  ]) {
    const refused = decide(bundleOf(allowAll, broken), requestWith());
    assert.deepEqual([refused.verdict, refused.reason, refused.decisive], ['deny', 'EVALUATION_ERROR', ['quota/q']]);
    assert.equal(refused.errors[0]?.part, 'limits');
    const skipped = decide(bundleOf(allowAll, broken.replace('effect: limit', 'effect: limit, onError: skip')), requestWith());
    assert.equal(skipped.verdict, 'allow');
    assert.equal(skipped.limits, undefined);
  }
});

const counter = 'calls ["pg:orders","user:eve"]';
const exceeded = (over: Partial<DecisionRequest> = {}) => requestWith({ request: { exceeded: [counter], ...over } });

test('a counter without units refuses, lets pass or asks, as the rule says', () => {
  const refused = decide(bundleOf(allowAll, quota()), exceeded());
  assert.deepEqual([refused.verdict, refused.reason, refused.decisive, refused.limits], ['deny', 'QUOTA_EXCEEDED', ['quota/q'], undefined]);
  const passes = decide(bundleOf(allowAll, quota(', onExceed: skip')), exceeded());
  assert.deepEqual([passes.verdict, passes.limits], ['allow', undefined]);
  const asks = decide(bundleOf(allowAll, quota(', onExceed: escalate, reason: MANY_CALLS')), exceeded());
  assert.deepEqual([asks.verdict, asks.reason, asks.decisive, asks.limits], ['pending', 'MANY_CALLS', ['quota/q'], undefined]);
  assert.deepEqual(asks.requirements[0]?.approval?.reviewers, [{ ownerOf: 'resource', min: 1 }]);
  const other = decide(bundleOf(allowAll, quota(', onExceed: escalate')), exceeded({ exceeded: ['calls ["pg:other","user:eve"]'] }));
  assert.deepEqual([other.verdict, other.limits?.length], ['allow', 1]);
});

test('the grant for an exceeded limit releases the operation, which is charged nothing for that counter', () => {
  const terms = '{ approval: { reviewers: [{ group: oncall }], quorum: 1, timeout: PT5M, onTimeout: deny, bind: [subject.id] } }';
  const bundle = bundleOf(allowAll, quota(`, onExceed: escalate, require: ${terms}`));
  const asked = decide(bundle, exceeded());
  const [requirement] = asked.requirements;
  assert.deepEqual(requirement?.approval?.reviewers, [{ group: 'oncall', min: 1 }]);
  const grant = {
    id: 'g',
    rule: 'quota/q',
    kinds: ['approval' as const],
    bound: requirement?.bound ?? '',
    expiresAt: Number.MAX_SAFE_INTEGER,
    usesLeft: 1,
  };
  const released = decide(bundle, exceeded({ grants: [grant] }));
  assert.deepEqual([released.verdict, released.limits, released.grantsUsed], ['allow', undefined, ['g']]);
  assert.ok(released.decisive.includes('quota/q'));
  // The grant is for this operation only, and is not spent as long as the counter has units.
  assert.equal(decide(bundle, exceeded({ grants: [grant], binding: 'another' })).verdict, 'pending');
  assert.deepEqual(decide(bundle, exceeded({ exceeded: [], grants: [grant] })).grantsUsed, []);
});

test('nothing else is overtaken by a limit that asks: a denial and another challenge come first', () => {
  const escalating = quota(', onExceed: escalate');
  const deny = policy('no', '  rules: [{ id: r, effect: deny, reason: NO_WAY }]');
  assert.equal(decide(bundleOf(allowAll, escalating, deny), exceeded()).reason, 'NO_WAY');
  assert.equal(decide(bundleOf(escalating), exceeded()).reason, 'NO_MATCHING_ALLOW');
  const ask = policy('ask', '  rules: [{ id: r, effect: require, require: { justification: {} } }]');
  assert.deepEqual(
    decide(bundleOf(allowAll, escalating, ask), exceeded()).requirements.map(({ rule }) => rule),
    ['ask/r'],
  );
});

test('of rules that share a counter the strictest says what happens when it is empty', () => {
  const other = (what: string) => quota(`, onExceed: ${what}`).replace('name: quota', 'name: other');
  assert.equal(decide(bundleOf(allowAll, quota(), other('allow')), exceeded()).verdict, 'deny');
  assert.equal(decide(bundleOf(allowAll, quota(', onExceed: skip'), other('escalate')), exceeded()).verdict, 'pending');
  assert.equal(decide(bundleOf(allowAll, quota(', onExceed: escalate'), other('deny')), exceeded()).verdict, 'deny');
});

test('a point that cannot hold an operation refuses what a limit would ask for', () => {
  const refused = decide(bundleOf(allowAll, quota(', onExceed: escalate')), exceeded({ can: [] }));
  assert.deepEqual([refused.verdict, refused.reason], ['deny', 'CANNOT_ENFORCE']);
});
