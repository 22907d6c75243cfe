import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Ledger } from '#ledger';
import { limits, type RecordDraft, type Timer } from '#model';
import { MirrorAlarm } from './mirror-alarm.ts';

test('a mirror that takes nothing for a minute is an alarm once, and its end is said', () => {
  let now = 0n;
  let tick: (() => void) | undefined;
  const timer = (_: number, run: () => void): Timer => {
    tick = run;
    return { cancel: () => (tick = undefined) };
  };
  const world = { now: () => 0, monotonicNs: () => now, randomBytes: () => new Uint8Array(), after: timer };
  const records: RecordDraft[] = [];
  let mirrored = 5;
  const ledger = {
    origin: 'ledger.test/one',
    size: 5,
    reach: { at: () => mirrored } as unknown as Ledger['reach'], // Only this is asked.
    append: async (draft: RecordDraft) => {
      records.push(draft);
      return { origin: '', index: 0, leaf: '' };
    },
  };
  const alarm = new MirrorAlarm({ world, ledger });
  const pass = (ms: number): string[] => {
    for (let at = 0; at < ms; at += limits.ledgerMirrorLookMs) {
      now += BigInt(limits.ledgerMirrorLookMs) * 1_000_000n;
      tick?.();
    }
    return records.map(({ kind }) => kind);
  };
  assert.deepEqual(pass(200_000), [], 'everything is there');
  ledger.size = 9;
  assert.deepEqual(pass(50_000), []);
  mirrored = 6;
  assert.deepEqual(pass(50_000), [], 'it is behind, but it moves');
  assert.deepEqual(pass(20_000), ['alarm.raised']);
  assert.deepEqual(pass(200_000), ['alarm.raised']);
  mirrored = 9;
  assert.deepEqual(pass(10_000), ['alarm.raised', 'alarm.cleared']);
  alarm.stop();
});
