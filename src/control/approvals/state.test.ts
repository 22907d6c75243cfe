import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nextStatus } from './state.ts';
import type { RequestEvent, RequestStatus } from './state.ts';

const events: readonly RequestEvent[] = ['approve', 'refuse', 'expire', 'withdraw', 'use'];

/** Every history up to a length: few enough to walk them all. */
function* histories(length: number): Generator<readonly RequestEvent[]> {
  if (length === 0) {
    yield [];
    return;
  }
  for (const rest of histories(length - 1)) for (const event of events) yield [...rest, event];
}

test('in every history of six events a request is approved at most once and used at most once', () => {
  for (const history of histories(6)) {
    let status: RequestStatus = 'waiting';
    const taken: RequestEvent[] = [];
    for (const event of history) {
      const next = nextStatus(status, event);
      if (next === undefined) continue;
      taken.push(event);
      status = next;
    }
    assert.ok(taken.filter((event) => event === 'approve').length <= 1);
    assert.ok(taken.filter((event) => event === 'use').length <= 1);
    if (taken.includes('use')) assert.ok(taken.indexOf('approve') >= 0 && taken.indexOf('approve') < taken.indexOf('use'));
    if (taken.includes('refuse') || taken.includes('expire')) assert.ok(!taken.includes('approve'));
  }
});

test('nothing leaves an end state', () => {
  fc.assert(
    fc.property(fc.constantFrom<RequestStatus>('used', 'refused', 'expired', 'withdrawn'), fc.constantFrom(...events), (status, event) => {
      assert.equal(nextStatus(status, event), undefined);
    }),
  );
});
