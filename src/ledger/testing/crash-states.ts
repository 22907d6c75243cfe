import assert from 'node:assert/strict';
import type { RecordDraft } from '#model';
import type { Disk } from '../disk.ts';
import { leafHash } from '../merkle.ts';
import { nodeCrypto, verifyLedger } from '../verify/index.ts';
import { decided, sessionClosed, sessionOpened, settled } from './drafts.ts';
import { SimulatedDisk } from './simulated-disk.ts';
import { Bench, seededCoin, setting } from './story.ts';

/**
 * A short life of a log, stopped after each of its calls to the disk: of every moment `states` of the ways in which a power cut could leave
 * the disk are opened, and every record that was acknowledged by then must be there. Much cheaper than living anew for each cut, so this is
 * where millions are tried. Throws for the first law that is broken; returns how many states were opened.
 */
export async function runCrashStates(options: {
  readonly seed: number;
  readonly states: number;
  readonly sabotage?: (disk: Disk) => Disk;
}): Promise<number> {
  const { seed, states, sabotage } = options;
  const coin = seededCoin(seed);
  const acknowledged = new Map<number, string>();
  const disk = new SimulatedDisk();
  const cuts: { disk: SimulatedDisk; acknowledged: number }[] = [];
  let opened = 0;
  const look = (): void => {
    for (let k = 0; k < states; k += 1) {
      const after = disk.peekPowerCut(coin);
      check(after, acknowledged, seed);
      opened += 1;
      if (opened % 97 === 0) cuts.push({ disk: after, acknowledged: acknowledged.size });
    }
  };
  const watched = new Proxy(sabotage?.(disk) ?? disk, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      if (!['open', 'rename', 'remove', 'syncFolder', 'makeFolder'].includes(String(name))) return member.bind(target);
      return (...args: unknown[]): unknown => {
        const result: unknown = Reflect.apply(member, target, args);
        look();
        return name === 'open' ? watchedFile(result as ReturnType<Disk['open']>, look) : result;
      };
    },
  });
  live(watched, { seed, coin, acknowledged });
  for (const cut of cuts) await proveWhole(cut.disk, seed);
  return opened;
}

function watchedFile(file: ReturnType<Disk['open']>, look: () => void): ReturnType<Disk['open']> {
  const then = <Args extends readonly unknown[], T>(act: (...args: Args) => T) => {
    return (...args: Args): T => {
      const result = act(...args);
      look();
      return result;
    };
  };
  return { ...file, write: then(file.write), sync: then(file.sync), truncate: then(file.truncate) };
}

function live(
  disk: Disk,
  { seed, coin, acknowledged }: { seed: number; coin: (sides: number) => number; acknowledged: Map<number, string> },
): void {
  const bench = new Bench(undefined, { seed, machine: { disk, ...machineOf(seed) } });
  const commit = (drafts: readonly RecordDraft[]): number[] => {
    const indexes = bench.log.commit(drafts.map((draft) => bench.item(draft))).map((result) => {
      assert.ok('index' in result);
      return [result.index, result.leaf] as const;
    });
    for (const [index, leaf] of indexes) acknowledged.set(index, leaf);
    return indexes.map(([index]) => index);
  };
  for (let round = 0; round < 3; round += 1) {
    const session = `s${round}`;
    const [, index = 0] = commit([sessionOpened(session), decided(session, 1, { text: 'x'.repeat(coin(5) === 0 ? 5_000 : 40) })]);
    if (coin(2) === 0) bench.sign();
    commit([settled(session, 1, index), sessionClosed(session, 1)]);
  }
  bench.sign();
}

/** Opens it as a start would, and compares. */
function check(after: SimulatedDisk, acknowledged: ReadonlyMap<number, string>, seed: number): void {
  const { log } = new Bench(after, { seed: seed + 1, machine: machineOf(seed), setting: { held: true } });
  const lines = log.read(0, log.size);
  for (const [index, leaf] of acknowledged) {
    const line = lines[index];
    assert.ok(line !== undefined, `acknowledged entry ${index} is gone`);
    assert.equal(leafHash(Buffer.from(line)).toString('hex'), leaf, `acknowledged entry ${index} was changed`);
  }
}

function machineOf(seed: number): { segmentEntries: number; aheadBytes: number } {
  return { segmentEntries: [4_096, 5][seed % 2] ?? 5, aheadBytes: 4_096 };
}

async function proveWhole(after: SimulatedDisk, seed: number): Promise<void> {
  // As it was found, and after a start.
  const found = await verifyLedger(after.source(setting.directory), { crypto: nodeCrypto });
  assert.notEqual(found.status, 'tampered', JSON.stringify(found.findings));
  const bench = new Bench(after.copy(), { seed: seed + 2, time: 5_000 });
  bench.log.close();
  const report = await verifyLedger(bench.disk.source(setting.directory), { crypto: nodeCrypto });
  assert.notEqual(report.status, 'tampered', JSON.stringify(report.findings));
}
