import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Gate, RolloutTerms } from '#policy';
import type { RecordedDecision } from '../../evidence/recorded.ts';
import { nextOf } from './gates.ts';
import { latencyBucket, measured, nothingMeasured, p99Ms } from './measure.ts';
import type { Measured } from './measure.ts';
import { movedByGates, movedByPerson } from './moves.ts';

const hourMs = 3_600_000;
const terms: RolloutTerms = {
  name: 'r',
  digest: 'd',
  rules: ['p/new'],
  targets: ['sql'],
  from: 'audit',
  to: 'enforce',
  step: 1,
  steps: [
    { holdMs: 2 * hourMs, says: 'shadow' },
    { holdMs: 0, says: '100 %' },
  ],
  gates: [],
  onGateFailure: 'rollback',
};
const gate = (metric: Gate['metric'], max: number, atLeast = 100): Gate => ({ metric, max, atLeast });

function next(gates: readonly Gate[], counts: Partial<Measured>, more: { step?: number; now?: number; approvedBy?: string } = {}) {
  const { step = 1, now = 3 * hourMs, approvedBy } = more;
  const standing = { step, since: 0, measured: { ...nothingMeasured, ...counts }, approvedBy };
  return nextOf({ ...terms, gates }, standing, now);
}

test('a step is taken when every gate passes and its time is over, and the last one completes the rollout', () => {
  const gates = [gate('new_denies_per_1000', 2), gate('error_rate', 0.01)];
  const counts = { decisions: 1_000, newDenies: 2, errors: 10 };
  assert.deepEqual(next(gates, counts).next.kind, 'step');
  const early = next(gates, counts, { now: hourMs }).next;
  assert.deepEqual(early, { kind: 'wait', says: 'this step lasts until 1970-01-01T02:00:00.000Z' });
  assert.equal(next(gates, counts, { step: 2 }).next.kind, 'complete');
});

test('a gate that fails counts at once, before the time of the step is over, and says what was measured', () => {
  const { next: then, findings } = next([gate('new_denies_per_1000', 2)], { decisions: 1_000, newDenies: 3 }, { now: 1 });
  assert.deepEqual(then, { kind: 'rollback', says: 'new_denies_per_1000 is 3, at most 2' });
  assert.deepEqual(
    findings.map(({ state, value }) => [state, value]),
    [['fails', 3]],
  );
  for (const [metric, counts] of [
    ['error_rate', { errors: 11 }],
    ['disagreement_with_current', { disagreements: 11 }],
    ['p99_latency_ms', { latency: { [latencyBucket(30_000)]: 11 } }],
  ] as const)
    assert.equal(
      next([gate(metric, metric === 'p99_latency_ms' ? 20 : 0.01)], { decisions: 1_000, ...counts }).next.kind,
      'rollback',
      metric,
    );
});

test('a gate passes on nothing less than enough decisions: nothing measured is no reason to go on', () => {
  for (const metric of ['new_denies_per_1000', 'error_rate', 'disagreement_with_current', 'p99_latency_ms'] as const) {
    assert.deepEqual(next([gate(metric, 1)], {}).next, { kind: 'wait', says: `${metric}: 0 of 100 decisions were made so far` });
    assert.equal(next([gate(metric, 1)], { decisions: 99 }).next.kind, 'wait');
    assert.equal(next([gate(metric, 1)], { decisions: 100 }).next.kind, 'step');
  }
  assert.equal(next([gate('error_rate', 0.01, 2)], { decisions: 1, errors: 1 }).next.kind, 'wait');
});

test('a manual gate waits for a person, and a failing gate beside it does not', () => {
  const manual: Gate = { metric: 'manual', atLeast: 100 };
  assert.deepEqual(next([manual], {}).next, { kind: 'wait', says: 'somebody must approve this step' });
  assert.equal(next([manual], {}, { approvedBy: 'user:bob' }).next.kind, 'step');
  assert.equal(next([manual, gate('error_rate', 0)], { decisions: 100, errors: 1 }).next.kind, 'rollback');
});

test('a rollout moves only where its state allows it', () => {
  const running = { step: 2, status: 'running' } as const;
  assert.deepEqual(movedByGates(running, { kind: 'rollback', says: '' }), { step: 0, status: 'rolled_back' });
  assert.deepEqual(movedByGates(running, { kind: 'hold', says: '' }), { step: 2, status: 'held' });
  for (const status of ['held', 'rolled_back', 'complete'] as const)
    assert.equal(movedByGates({ step: 1, status }, { kind: 'step', step: 2, says: '' }), undefined);
  assert.deepEqual(movedByPerson({ step: 2, status: 'held' }, 'resume', terms), running);
  assert.deepEqual(movedByPerson({ step: 0, status: 'rolled_back' }, 'resume', terms), { step: 1, status: 'running' });
  assert.deepEqual(movedByPerson({ step: 2, status: 'complete' }, 'rollback', terms), { step: 0, status: 'rolled_back' });
  assert.equal(movedByPerson({ step: 2, status: 'complete' }, 'hold', terms), undefined);
  assert.equal(movedByPerson({ step: 0, status: 'rolled_back' }, 'rollback', terms), undefined);
});

type Counted = Pick<RecordedDecision, 'what' | 'decision'>;

function decided(verdict: 'allow' | 'deny', more: Partial<Counted['decision']> = {}, target = 'sql'): Counted {
  const bundle = { name: 'b', version: '1', digest: 'sha256:0' };
  const decision = { id: 'd', verdict, reason: '', rules: [], matched: [], obligations: [], bundle, reads: {}, ...more };
  return { what: { target, resource: '', verb: '', objects: [], normalized: '', certainty: 'parsed' }, decision };
}

function count(...records: readonly Counted[]) {
  const { latency: _latency, ...counts } = records.reduce((so, one) => measured(so, one, terms), nothingMeasured);
  return counts;
}

test('only what these rules alone refuse, or would refuse, is a new denial', () => {
  const shadow = { verdict: 'deny' as const, rules: ['p/new'] };
  assert.deepEqual(count(decided('deny', { rules: ['p/new'] })), { decisions: 1, newDenies: 1, errors: 0, disagreements: 0 });
  assert.deepEqual(count(decided('deny', { rules: ['p/new', 'p/old'] })).newDenies, 0);
  assert.deepEqual(count(decided('deny', { rules: ['p/old'] })).newDenies, 0);
  assert.deepEqual(count(decided('deny', { reason: 'NO_MATCHING_ALLOW' })).newDenies, 0);
  assert.deepEqual(count(decided('allow', { shadow })), { decisions: 1, newDenies: 1, errors: 0, disagreements: 1 });
  assert.deepEqual(count(decided('allow', { shadow: { verdict: 'deny', rules: ['p/other'] } })).newDenies, 0);
  assert.deepEqual(count(decided('deny', { rules: ['p/new'], reason: 'BATCH_REFUSED' })).decisions, 0);
  assert.deepEqual(count(decided('deny', { rules: ['p/new'] }, 'ssh')).decisions, 0);
  assert.deepEqual(count(decided('allow', { errors: [{ rule: 'p/new', part: 'when', message: '' }] })).errors, 1);
});

test('a candidate bundle is compared with the one in force on both sides, and nothing else is counted', () => {
  const candidate: RolloutTerms = { ...terms, rules: [], candidate: 'sha256:c' };
  const note = (side: 'candidate' | 'current', more = {}) => ({ rollout: { name: 'r', step: 1, side, ...more } });
  const records = [
    decided('allow', note('current', { other: { verdict: 'deny', rules: ['p/x'] } })),
    decided('deny', note('candidate', { other: { verdict: 'allow', rules: [] } })),
    decided('allow', note('candidate', { other: { verdict: 'deny', rules: [] } })),
    decided('deny', note('candidate', { failed: true })),
    decided('deny', { rollout: { name: 'another', step: 1, side: 'candidate' } }),
    decided('deny'),
  ];
  const { latency: _latency, ...counts } = records.reduce((so, one) => measured(so, one, candidate), nothingMeasured);
  assert.deepEqual(counts, { decisions: 4, newDenies: 2, errors: 1, disagreements: 3 });
});

test('the latency is that of decisions in which one of the rules applied, and never too small', () => {
  const slow = decided('allow', { matched: [{ rule: 'p/new', effect: 'deny', mode: 'audit' }], tookUs: 30_000 });
  const other = decided('allow', { tookUs: 90_000_000 });
  const { latency } = [slow, other].reduce((so, one) => measured(so, one, terms), nothingMeasured);
  const p99 = p99Ms(latency);
  assert.ok(p99 !== undefined && p99 >= 30 && p99 < 33, String(p99));
  assert.equal(p99Ms({}), undefined);
  const many = { [latencyBucket(100)]: 98, [latencyBucket(1_000_000)]: 2 };
  assert.ok((p99Ms(many) ?? 0) >= 1_000);
  assert.ok((p99Ms({ ...many, [latencyBucket(100)]: 998 }) ?? 0) < 1);
});
