import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { LimitCharge } from '#model';
import { ExceptionUses } from './exception-uses.ts';
import { Counters } from './limits.ts';
import { testWorld } from './testing/world.ts';

const use: LimitCharge = {
  name: 'exception:purge',
  key: '/2027-02-01T00:00:00Z',
  max: 0,
  perMs: 1,
  burst: 3,
  cost: 1,
  onExceed: 'deny',
  onStoreError: 'deny',
  rule: 'p/r',
  reason: 'EXCEPTION_USED_UP',
  message: '',
};
const counter = `${use.name} ${use.key}`;

function withFile(run: (path: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'warder-uses-'));
  try {
    run(join(folder, 'uses'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('an exception is used as often as it allows, whatever time passes, and a batch is counted whole', () => {
  const world = testWorld();
  const counters = new Counters(world);
  assert.ok(counters.pay([use]).ok);
  assert.ok(!counters.pay([use, use, use]).ok);
  assert.ok(counters.pay([use, use]).ok);
  world.advance(10_000_000);
  assert.deepEqual(counters.pay([use]), { ok: false, charge: use, waitMs: 0, escalates: false });
  assert.equal(counters.exceptionUses[counter], 3);
});

test('what cannot be paid uses no exception', () => {
  const counters = new Counters(testWorld());
  const quota = { ...use, name: 'quota', max: 1, burst: 0, reason: 'QUOTA_EXCEEDED' };
  assert.ok(!counters.pay([use, { ...quota, cost: 2 }]).ok);
  assert.equal(counters.exceptionUses[counter], undefined);
});

test('uses survive a restart, and a line that a crash cut off does not count', () => {
  withFile((path) => {
    const first = new ExceptionUses(path);
    first.note([use, use]);
    appendFileSync(path, '["exception:purge","/20');
    const second = new ExceptionUses(path);
    assert.equal(second.made[counter], 2);
    second.note([use]);
    assert.equal(new ExceptionUses(path).made[counter], 3);
    assert.equal(readFileSync(path, 'utf8').trim().split('\n').length, 3);
    assert.equal(second.lacking([use]), use);
  });
});

test('a file that was tampered with stops the start instead of giving uses back', () => {
  withFile((path) => {
    writeFileSync(path, 'nonsense\n');
    assert.throws(() => new ExceptionUses(path));
  });
});
