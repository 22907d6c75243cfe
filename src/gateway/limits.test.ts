import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { LimitCharge } from '#model';
import { Counters } from './limits.ts';
import { testWorld } from './testing/world.ts';

function charge(more: Partial<LimitCharge> = {}): LimitCharge {
  return {
    name: 'n',
    key: 'k',
    max: 10,
    perMs: 1000,
    burst: 0,
    cost: 1,
    onExceed: 'deny',
    onStoreError: 'deny',
    rule: 'p/r',
    reason: 'QUOTA_EXCEEDED',
    message: '',
    ...more,
  };
}

test('a bucket gives what it holds, refuses with the wait, and refills evenly', () => {
  const world = testWorld();
  const counters = new Counters(world);
  for (let i = 0; i < 12; i += 1) assert.ok(counters.pay([charge({ burst: 2 })]).ok, String(i));
  assert.deepEqual(counters.pay([charge({ burst: 2 })]), { ok: false, charge: charge({ burst: 2 }), waitMs: 100, escalates: false });
  world.advance(99);
  assert.ok(!counters.pay([charge({ burst: 2 })]).ok);
  world.advance(1);
  assert.ok(counters.pay([charge({ burst: 2 })]).ok);
  world.advance(60_000);
  for (let i = 0; i < 12; i += 1) assert.ok(counters.pay([charge({ burst: 2 })]).ok);
  assert.ok(!counters.pay([charge({ burst: 2 })]).ok);
});

test('all charges are paid or none', () => {
  const counters = new Counters(testWorld());
  const small = charge({ name: 'small', max: 1 });
  assert.ok(counters.pay([charge(), small]).ok);
  const refused = counters.pay([charge({ cost: 9 }), small]);
  assert.ok(!refused.ok && refused.charge === small);
  assert.ok(counters.pay([charge({ cost: 9 })]).ok, 'the refused payment took nothing');
});

test('charges of one counter add up within a batch; other keys have their own', () => {
  const counters = new Counters(testWorld());
  assert.ok(!counters.pay([charge({ cost: 6 }), charge({ cost: 6 })]).ok);
  assert.ok(counters.pay([charge({ cost: 6 }), charge({ cost: 4 })]).ok);
  assert.ok(counters.pay([charge({ key: 'other', cost: 10 })]).ok);
});

test('what can never fit says so, and a limit that only watches lets pass', () => {
  const counters = new Counters(testWorld());
  const never = counters.pay([charge({ cost: 11 })]);
  assert.ok(!never.ok && never.waitMs === Number.POSITIVE_INFINITY);
  assert.ok(counters.pay([charge({ cost: 11, onExceed: 'allow' })]).ok);
  assert.ok(!counters.pay([charge({ max: 0 })]).ok);
});

test('when no counter is left the rule says what happens, and full buckets make room', () => {
  const world = testWorld();
  const counters = new Counters(world, 2);
  assert.ok(counters.pay([charge({ key: 'a' }), charge({ key: 'b' })]).ok);
  assert.ok(!counters.pay([charge({ key: 'c' })]).ok);
  assert.ok(counters.pay([charge({ key: 'c', onStoreError: 'allow' })]).ok);
  world.advance(1000);
  assert.ok(counters.pay([charge({ key: 'c' })]).ok);
});

test('whatever the pace, nobody gets more than the bucket and its refill', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ wait: fc.nat(300), cost: fc.nat(5) }), { maxLength: 60 }), (steps) => {
      const world = testWorld();
      const counters = new Counters(world);
      let elapsed = 0;
      let used = 0;
      for (const { wait, cost } of steps) {
        world.advance(wait);
        elapsed += wait;
        if (counters.pay([charge({ cost })]).ok) used += cost;
        assert.ok(used <= 10 + elapsed / 100 + 1e-6, `${used} after ${elapsed} ms`);
      }
    }),
  );
});
