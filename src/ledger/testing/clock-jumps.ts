import assert from 'node:assert/strict';
import { join } from 'node:path';
import { openLedger } from '../index.ts';
import type { Ledger } from '../contract.ts';
import { directorySource, nodeCrypto, verifyLedger } from '../verify/index.ts';
import { decided, sessionClosed, sessionOpened, settled } from './drafts.ts';
import { seededCoin } from './story.ts';
import { HandWorld } from './world.ts';

const hourMs = 3_600_000;

/**
 * A log whose wall clock is set forward, back and stopped while it is written. Throws when order or proof suffer, or when a step of more than
 * a second is not in the log five seconds later. Returns the number of steps.
 */
export async function runClockJumps(directory: string, seed: number): Promise<number> {
  const coin = seededCoin(seed);
  const world = new HandWorld(seed);
  const ledger = await settle(
    world,
    openLedger({
      directory: join(directory, 'ledger'),
      keys: join(directory, 'keys'),
      origin: 'ledger.test/clock',
      world,
      build: 'test',
      inline: true,
      reserveBytes: 0,
      onFatal: (fault) => {
        throw fault;
      },
    }),
  );
  let steps = 0;
  for (let round = 0; round < 12; round += 1) {
    const session = `s${round}`;
    await settle(world, ledger.append(sessionOpened(session)));
    const permit = await settle(world, ledger.decide(decided(session, 1)));
    const before = await stepsIn(world, ledger);
    const moved = await disturb(world, coin);
    await world.pass(5_000);
    const recorded = (await stepsIn(world, ledger)) - before;
    assert.ok(Math.abs(recorded - moved) <= 1_000, `the clock moved by ${moved} ms, and the log says ${recorded} ms`);
    if (moved !== 0) steps += 1;
    await settle(world, ledger.append(settled(session, 1, permit.receipt.index)));
    await settle(world, ledger.append(sessionClosed(session, 1)));
  }
  const end = await settle(world, ledger.append(sessionOpened('last')));
  assert.equal(end.index, ledger.size - 1, 'order is the index');
  await settle(world, ledger.append(sessionClosed('last', 0)));
  await settle(world, ledger.close());
  const report = await verifyLedger(directorySource(join(directory, 'ledger')), { crypto: nodeCrypto, trust: [{ vkey: ledger.vkey }] });
  assert.equal(report.status, 'proven', JSON.stringify(report.findings));
  assert.ok(report.holes.clockSteps > 0);
  return steps;
}

/** Disturbs the wall clock; returns by how much it then differs from where it would be, ms. */
async function disturb(world: HandWorld, coin: (sides: number) => number): Promise<number> {
  const kind = coin(4);
  if (kind === 0) return 0;
  if (kind === 3) {
    // It stands still for ten seconds.
    for (let second = 0; second < 10; second += 1) {
      await world.pass(1_000);
      world.wall -= 1_000;
    }
    return -10_000;
  }
  const byMs = (kind === 1 ? 1 : -1) * (2_000 + coin(hourMs));
  world.wall += byMs;
  return byMs;
}

/** All recorded steps together, ms. */
async function stepsIn(world: HandWorld, ledger: Ledger): Promise<number> {
  const lines = await settle(world, ledger.read(0, 1_000));
  return lines
    .map((line) => JSON.parse(line) as { kind: string; byMs?: number })
    .reduce((sum, { kind, byMs = 0 }) => (kind === 'clock.stepped' ? sum + byMs : sum), 0);
}

/** The promise, with time standing still while it settles. */
async function settle<T>(world: HandWorld, promise: Promise<T>): Promise<T> {
  const state = { done: false };
  void promise.finally(() => {
    state.done = true;
  });
  while (!state.done) await world.pass(0);
  return promise;
}
