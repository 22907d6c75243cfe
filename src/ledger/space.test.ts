import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits, type RecordDraft } from '#model';
import { SpaceWatch } from './space.ts';
import { HandWorld } from './testing/world.ts';

test('a disk that runs low is an alarm once, and its end is said', async () => {
  const world = new HandWorld();
  const records: RecordDraft[] = [];
  const gib = 1024 ** 3;
  let free = 100 * gib;
  const watch = new SpaceWatch({
    origin: 'ledger.test/space',
    directory: '/',
    world,
    record: async (draft) => records.push(draft),
    look: () => ({ free, total: 400 * gib }),
  });
  const after = async (left: number): Promise<string[]> => {
    free = left;
    await world.pass(limits.ledgerSpaceLookMs);
    return records.map(({ kind }) => kind);
  };
  assert.deepEqual(await after(100 * gib), []);
  assert.deepEqual(await after(39 * gib), ['alarm.raised']);
  assert.deepEqual(await after(30 * gib), ['alarm.raised']);
  assert.deepEqual(await after(41 * gib), ['alarm.raised'], 'it does not come and go');
  assert.deepEqual(await after(60 * gib), ['alarm.raised', 'alarm.cleared']);
  watch.stop();
  assert.deepEqual(await after(gib), ['alarm.raised', 'alarm.cleared']);
});
