import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runClockJumps } from './testing/clock-jumps.ts';
import { runCrashStates } from './testing/crash-states.ts';
import { failures, retryingSync, runFailingCall } from './testing/failing-calls.ts';
import { runKillsAhead } from './testing/kills.ts';
import { sabotages } from './testing/sabotage.ts';

// The loop of SQLite's tests: the first call fails, then the second… until nothing is left to fail. Here every seventh; all of them in the torture.
for (const failure of failures) {
  test(`whichever call fails with ${failure}, nothing acknowledged is lost and nothing is written after it`, async () => {
    let calls = 0;
    for (let call = 1; await runFailingCall({ failure, call, seed: 1 }); call += 7) calls += 1;
    assert.ok(calls >= (failure === 'truncate' ? 1 : 2), `${calls} calls failed`);
  });
}

test('a writer that tries a failed sync again is noticed (sabotage: retry-fsync)', async () => {
  let noticed = 0;
  for (let call = 1; call < 60; call += 1) {
    await runFailingCall({ failure: 'sync', call, seed: 1, sabotage: retryingSync }).catch(() => (noticed += 1));
  }
  assert.ok(noticed > 0);
});

test('of every moment of a short life, whatever a power cut leaves opens with everything that was acknowledged', async () => {
  // With seed 9 a signed line crosses a sector, and only its end survives.
  for (const seed of [1, 2, 9]) assert.ok((await runCrashStates({ seed, states: 2 })) > 200);
});

for (const name of ['nosync', 'ack-before-sync', 'sign-beyond-durable', 'no-dir-fsync'] as const) {
  test(`a short life notices a broken writer (sabotage: ${name})`, async () => {
    await assert.rejects(runCrashStates({ seed: 1, states: 4, sabotage: sabotages[name].wrap }));
  });
}

test('killed while operations run ahead, no more are without a record than the log said beforehand', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'warder-ahead-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const { released } = await runKillsAhead(directory, { kills: 2, after: () => 300 });
  assert.ok(released > 100);
});

test('a wall clock that jumps or stands still changes neither order nor proof, and is recorded within five seconds', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'warder-clock-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  assert.ok((await runClockJumps(directory, 3)) > 3);
});
