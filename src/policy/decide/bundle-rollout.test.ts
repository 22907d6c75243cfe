import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { DecisionRequest } from '#model';
import type { Bundle } from '../bundle.ts';
import { allowAll, bundleOf, document, policy, problemsOf, requestWith } from '../scenario.ts';
import { candidateOf, withCandidate } from '../with-candidate.ts';
import { decide } from './decide.ts';

const stricter = bundleOf(allowAll, policy('strict', '  rules: [{ id: no, effect: deny, reason: NO_WAY }]'));
const rollout = (steps: string, more = '') =>
  document(
    'Rollout',
    'next',
    `subject: { bundle: "${stricter.ref.digest}" }\n  from: shadow\n  to: enforce\n  key: subject.id\n  salt: s\n  steps: ${steps}\n${more}`,
  );

function beside(steps: string, more = ''): Bundle {
  const both = withCandidate(bundleOf(allowAll, rollout(steps, more)), stricter);
  assert.ok(both);
  return both;
}

const by = (id: string, more: Partial<DecisionRequest> = {}): DecisionRequest => {
  const request = requestWith();
  return { ...request, subject: { ...request.subject, id }, ...more };
};

test('who is in the cohort is decided by the candidate, and the record says what the other bundle says', () => {
  const both = beside('[{ cohort: \'subject.id == "user:eve"\' }]');
  const inside = decide(both, by('user:eve'));
  assert.deepEqual([inside.verdict, inside.reason, inside.bundle.digest], ['deny', 'NO_WAY', stricter.ref.digest]);
  assert.deepEqual(inside.rollout, {
    name: 'next',
    step: 1,
    side: 'candidate',
    other: { verdict: 'allow', rules: ['allow-all/everything'] },
  });
  const outside = decide(both, by('user:bob'));
  assert.deepEqual([outside.verdict, outside.bundle.digest], ['allow', both.ref.digest]);
  assert.deepEqual(outside.rollout, { name: 'next', step: 1, side: 'current', other: { verdict: 'deny', rules: ['strict/no'] } });
});

test('outside of a rollout from off the candidate is not even asked, and at step 0 nobody is in', () => {
  const both = withCandidate(bundleOf(allowAll, rollout('[{ percent: 0 }]').replace('from: shadow', 'from: off')), stricter);
  assert.ok(both);
  assert.equal(decide(both, by('user:eve')).rollout, undefined);
  const all = beside('[{ percent: 100 }]');
  assert.equal(decide(all, by('user:eve')).verdict, 'deny');
  assert.equal(decide(all, by('user:eve', { rolloutSteps: { next: 0 } })).verdict, 'allow');
});

test('the same key is on the same side in every phase, and whoever is in stays in while the percentage grows', () => {
  const both = beside('[{ percent: 20 }, { percent: 60 }]');
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (id) => {
      const [early, late] = [1, 2].map((step) => decide(both, by(id, { rolloutSteps: { next: step } })).rollout?.side);
      assert.ok(early !== 'candidate' || late === 'candidate');
      const response = decide(both, by(id, { phase: 'response', rolloutSteps: { next: 2 } }));
      assert.equal(response.rollout?.side, late);
    }),
    { numRuns: 200 },
  );
});

test('what the candidate cannot evaluate is told on both sides, and changes nothing for those outside', () => {
  const broken = bundleOf(allowAll, policy('broken', '  rules: [{ id: b, effect: deny, reason: NO_WAY, when: "facts.a == 1" }]'));
  const text = rollout('[{ cohort: \'subject.id == "user:eve"\' }]').replace(stricter.ref.digest, broken.ref.digest);
  const both = withCandidate(bundleOf(allowAll, text), broken);
  assert.ok(both);
  assert.deepEqual(decide(both, by('user:bob')).rollout?.failed, true);
  assert.deepEqual([decide(both, by('user:bob')).verdict, decide(both, by('user:bob')).errors], ['allow', []]);
  assert.deepEqual([decide(both, by('user:eve')).verdict, decide(both, by('user:eve')).rollout?.failed], ['deny', true]);
});

test('a candidate that fails as a whole refuses who is in, which gates see, and nobody else', () => {
  const both = beside('[{ cohort: \'subject.id == "user:eve"\' }]');
  const broken = { ...both, candidate: { ...stricter, compiled: { ...stricter.compiled, index: {} as Bundle['compiled']['index'] } } };
  const inside = decide(broken, by('user:eve'));
  assert.deepEqual([inside.verdict, inside.reason, inside.bundle.digest], ['deny', 'POLICY_FAULT', stricter.ref.digest]);
  assert.deepEqual([inside.rollout?.side, inside.rollout?.failed], ['candidate', true]);
  const outside = decide(broken, by('user:bob'));
  assert.deepEqual([outside.verdict, outside.rollout?.side, outside.rollout?.failed], ['allow', 'current', true]);
});

test('steps of another rollout of the same name say nothing to the rules of a candidate', () => {
  const inner = (percent: number) =>
    document(
      'Rollout',
      'inner',
      `subject: { policy: strict }\n  from: shadow\n  to: enforce\n  key: subject.id\n  salt: s\n  steps: [{ percent: ${percent} }]`,
    );
  const strict = policy('strict', '  rules: [{ id: no, effect: deny, reason: NO_WAY }]');
  const next = bundleOf(allowAll, strict, inner(100));
  const text = rollout('[{ percent: 100 }]').replace(stricter.ref.digest, next.ref.digest);
  const verdict = (percent: number): string => {
    const both = withCandidate(bundleOf(allowAll, strict, inner(percent), text), next);
    assert.ok(both);
    return decide(both, by('user:eve', { rolloutSteps: { inner: 0 } })).verdict;
  };
  assert.deepEqual([verdict(100), verdict(50)], ['allow', 'deny']);
});

test('a bundle is never paired with another candidate than its rollout names', () => {
  const current = bundleOf(allowAll, rollout('[{ percent: 100 }]'));
  assert.equal(candidateOf(current), stricter.ref.digest);
  assert.equal(withCandidate(current, bundleOf(allowAll)), undefined);
  assert.equal(decide({ ...current, candidate: bundleOf(allowAll) }, by('user:eve')).rollout, undefined);
});

test('a rollout of a bundle that could not mean anything is refused', () => {
  const first = (text: string, ...others: readonly string[]): string => problemsOf(allowAll, text, ...others)[0]?.message ?? '';
  const one = rollout('[{ percent: 1 }]');
  assert.match(first(one.replace('to: enforce', 'to: audit')), /it cannot be audit/);
  assert.match(first(one.replace('from: shadow', 'from: audit')), /it cannot be audit/);
  assert.match(first(one.replace('subject: {', 'subject: { policy: allow-all,')), /rules of a policy or about a bundle, not both/);
  assert.match(first(one.replace('key: subject.id', 'key: subject.idd')), /operations of the target sql have no attribute "subject.idd"/);
  assert.match(first(one, one.replace('name: next', 'name: second')), /only one bundle is rolled out at a time/);
  assert.match(first(rollout('[{ percent: 1 }]', '  step: 2')), /there are only 1 steps/);
  assert.match(first(rollout('[{ cohort: "subject.idd == \'a\'" }]')), /has no attribute idd/);
});
