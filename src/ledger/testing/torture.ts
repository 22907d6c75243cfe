import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkAcknowledged, collect, runKills, startWriter } from './kills.ts';
import { runPowerCuts } from './power-cuts.ts';
import { runFullDisk, runImageCut } from './real-disks.ts';
import { sabotages } from './sabotage.ts';
import { seededCoin } from './story.ts';
import { finishedLog, unnoticedFlips, verified } from './tamper.ts';

/** One long test. It throws when a law is broken and otherwise says in a line what it did, or `skipped: why`. */
export interface Torture {
  readonly name: string;
  /** Goes on until `until` (ms of `performance.now()`), always at least one round. The same seed gives the same rounds. */
  run(how: { readonly until: number; readonly seed: number }): Promise<string>;
}

async function inFolder<T>(action: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'warder-torture-'));
  try {
    return await action(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Whether anything turns red in this many seeds. */
async function isNoticed(sabotage: object, seed: number, seeds: number): Promise<boolean> {
  for (let k = 0; k < seeds; k += 1) {
    try {
      await runPowerCuts({ seed: seed + k, ...sabotage });
    } catch {
      return true;
    }
  }
  return false;
}

const strace = '/usr/bin/strace';

export const ledgerTortures: readonly Torture[] = [
  {
    name: 'ledger: power cuts on a simulated disk',
    run: async ({ until, seed }) => {
      let [rounds, cuts, records] = [0, 0, 0];
      do {
        const result = await runPowerCuts({ seed: seed + rounds, verify: rounds % 4 === 0 }).catch((cause: unknown) => {
          throw new Error(`seed ${seed + rounds}`, { cause });
        });
        rounds += 1;
        cuts += result.cuts;
        records += result.records;
      } while (performance.now() < until);
      return `${rounds} seeds, ${cuts} power cuts, ${records} acknowledged records, none lost`;
    },
  },
  {
    name: 'ledger: every sabotage of the writer is noticed',
    run: async ({ seed }) => {
      for (const [name, sabotage] of Object.entries(sabotages))
        assert.ok(await isNoticed(sabotage, seed, 100), `${name} was not noticed in 100 seeds`);
      return `${Object.keys(sabotages).length} sabotages noticed`;
    },
  },
  {
    name: 'ledger: kill -9 at any moment',
    run: ({ until, seed }) =>
      inFolder(async (directory) => {
        const coin = seededCoin(seed);
        let [kills, acknowledged] = [0, 0];
        do {
          const result = await runKills(join(directory, String(kills)), { kills: 10, after: () => 1 + coin(400) });
          kills += 10;
          acknowledged += result.acknowledged;
        } while (performance.now() < until);
        return `${kills} kills, ${acknowledged} acknowledged records, none lost`;
      }),
  },
  {
    name: 'ledger: an error of the disk at every k-th call ends the process with nothing lost',
    run: async ({ until, seed }) => {
      if (!existsSync(strace)) return 'skipped: strace is not installed';
      const coin = seededCoin(seed);
      let rounds = 0;
      do {
        const call = ['fdatasync', 'fsync', 'pwrite64', 'rename'][rounds % 4] ?? 'fdatasync';
        // The start takes some twenty of each; before that a refusal to start is right too.
        const when = 30 + coin(60);
        await inFolder(async (directory) => {
          const acknowledged = new Map<number, string>();
          const code = await collect(
            startWriter(directory, [
              strace,
              '-f',
              '-qq',
              '-o',
              '/dev/null',
              '-e',
              `trace=${call}`,
              '-e',
              `inject=${call}:error=EIO:when=${when}+`,
            ]),
            acknowledged,
          );
          assert.equal(code, 75, `EIO at ${call} ${when} ended with ${code}`);
          await checkAcknowledged(directory, acknowledged);
        });
        rounds += 1;
      } while (performance.now() < until);
      return `${rounds} injected errors, each ended with 75 and a clean recovery`;
    },
  },
  {
    name: 'ledger: a full disk refuses operations, takes outcomes and opens again',
    run: async () => {
      const result = await runFullDisk();
      if (result === undefined) return 'skipped: this user may not mount';
      return `${result.outcomes} outcomes recorded on a full disk, open again after ${result.reopenedMs} ms`;
    },
  },
  {
    name: 'ledger: power cuts on a real file system',
    run: async ({ until, seed }) => {
      const coin = seededCoin(seed);
      let [cuts, records] = [0, 0];
      do {
        const result = await runImageCut(100 + coin(400));
        if (result === undefined) return 'skipped: this user may not mount';
        cuts += 1;
        records += result;
      } while (performance.now() < until);
      await assert.rejects(runImageCut(400, 'nosync'), 'a writer that does not sync was not noticed');
      return `${cuts} power cuts, ${records} acknowledged records, none lost; a writer that does not sync is noticed`;
    },
  },
  {
    name: 'ledger: every flipped bit is noticed',
    run: async ({ until, seed }) => {
      let [flips, step] = [0, 65_537];
      // Ever finer; step 1 would be every bit of the log.
      do {
        const disk = finishedLog(step > 1_000 ? 300 : 60, seed);
        const result = await unnoticedFlips(disk, step, seed % step);
        assert.deepEqual(result.unnoticed, []);
        flips += result.flips;
        step = Math.max(1, Math.floor(step / 4));
      } while (performance.now() < until);
      return `${flips} flips, all noticed`;
    },
  },
  {
    name: 'ledger: edits of whole records are noticed',
    run: async ({ until, seed }) => {
      const coin = seededCoin(seed);
      const disk = finishedLog(300, seed);
      const other = finishedLog(300, seed + 1);
      const paths = disk
        .paths()
        .filter((path) => path.startsWith('/data/ledger/tile/') || path.includes('/wal/') || path.endsWith('/checkpoints.log'));
      let edits = 0;
      do {
        const path = paths[coin(paths.length)] ?? '';
        const before = disk.read(path) ?? Buffer.alloc(0);
        const foreign = other.read(path) ?? Buffer.alloc(0);
        const [a, b] = [coin(before.length), coin(before.length)].sort((x, y) => x - y);
        const kinds = [
          Buffer.concat([before.subarray(0, a), before.subarray(b)]),
          Buffer.concat([before.subarray(0, a), before.subarray(a, b).reverse(), before.subarray(b)]),
          Buffer.concat([before.subarray(0, a), foreign.subarray(a)]),
          before.subarray(0, a),
        ];
        const after = kinds[coin(kinds.length)] ?? before;
        edits += 1;
        if (after.equals(before)) continue;
        disk.put(path, after);
        const { status } = await verified(disk);
        disk.put(path, before);
        assert.notEqual(status, 'proven', `${path} from byte ${a} to ${b}`);
      } while (performance.now() < until);
      return `${edits} edits, all noticed`;
    },
  },
];
