import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '#model';
import { joined } from './joined.ts';

const lines = (first: number, count: number): string[] => Array.from({ length: count }, (_, at) => `${first + at}`);
const batch = (first: number, count: number, origin = 'o') => ({ origin, first, entries: lines(first, count) });

/** Work that can be let go step by step, and what it was given. */
function stepwise(mirrored: (given: { first: number; entries: readonly string[] }) => number) {
  const calls: { origin: string; first: number; entries: readonly string[] }[] = [];
  const gates: (() => void)[] = [];
  const take = joined(async (given) => {
    calls.push(given);
    await new Promise<void>((resolve) => gates.push(resolve));
    return mirrored(given);
  }, 10);
  const letGo = async (): Promise<void> => {
    gates.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { take, calls, letGo };
}

const end = ({ first, entries }: { first: number; entries: readonly string[] }): number => first + entries.length;

test('batches that follow each other and come while another is written are written together, up to a limit', async () => {
  const { take, calls, letGo } = stepwise(end);
  const results = Promise.all([take(batch(0, 3)), take(batch(3, 4)), take(batch(7, 5)), take(batch(12, 5))]);
  for (let at = 0; at < 3; at += 1) await letGo();
  assert.deepEqual(await results, [3, 12, 12, 17]);
  assert.deepEqual(
    calls.map(({ first, entries }) => [first, entries.length]),
    [
      [0, 3],
      [3, 9],
      [12, 5],
    ],
  );
  assert.deepEqual(calls[1]?.entries, lines(3, 9));
});

test('a gap, and another ledger, are never joined', async () => {
  const { take, calls, letGo } = stepwise(end);
  const results = Promise.all([take(batch(0, 1)), take(batch(1, 1)), take(batch(5, 1)), take(batch(0, 1, 'other'))]);
  for (let at = 0; at < 4; at += 1) await letGo();
  await results;
  assert.deepEqual(calls.map(({ origin, first }) => `${origin}#${first}`).sort(), ['o#0', 'o#1', 'o#5', 'other#0']);
});

test('when a joined call fails, each batch is tried alone and only the wrong one is refused', async () => {
  const { take, calls, letGo } = stepwise((given) => {
    if (given.entries.includes('3')) throw new Fault('LEDGER_TAMPERED', 'tampered');
    return end(given);
  });
  const results = Promise.allSettled([take(batch(0, 1)), take(batch(1, 1)), take(batch(2, 2)), take(batch(4, 1))]);
  for (let at = 0; at < 6; at += 1) await letGo();
  assert.deepEqual(
    (await results).map((one) => (one.status === 'fulfilled' ? one.value : one.reason.code)),
    [1, 2, 'LEDGER_TAMPERED', 5],
  );
  assert.deepEqual(
    calls.map(({ first, entries }) => [first, entries.length]),
    [
      [0, 1],
      [1, 4],
      [1, 1],
      [2, 2],
      [4, 1],
    ],
  );
});

test('a store that is away is said to all that wait, and asked once', async () => {
  const { take, calls, letGo } = stepwise(() => {
    throw new Error('away');
  });
  const results = Promise.allSettled([take(batch(0, 1)), take(batch(1, 1)), take(batch(2, 1))]);
  for (let at = 0; at < 2; at += 1) await letGo();
  assert.deepEqual(
    (await results).map(({ status }) => status),
    ['rejected', 'rejected', 'rejected'],
  );
  assert.equal(calls.length, 2);
});
