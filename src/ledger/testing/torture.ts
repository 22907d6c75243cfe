import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runClockJumps } from './clock-jumps.ts';
import { runCrashStates } from './crash-states.ts';
import { failures, retryingSync, runFailingCall } from './failing-calls.ts';
import { forgedLog } from './forged-log.ts';
import { checkAcknowledged, collect, runKills, runKillsAhead, startWriter } from './kills.ts';
import { runLongStarts, runVerifyLarge } from './large-torture.ts';
import { runPowerCuts } from './power-cuts.ts';
import { runFullDisk, runImageCut } from './real-disks.ts';
import { sabotages } from './sabotage.ts';
import { agree, damagedRound, filesOf, hasPython, Second, unpack } from './second-verifier.ts';
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

/** What strace makes of a call: `retval` without the call is a write of which only so many bytes count, and none are written. */
const systemFailures = [
  { call: 'fdatasync', inject: 'error=EIO' },
  { call: 'pwrite64', inject: 'error=EIO' },
  { call: 'pwrite64', inject: 'retval=10' },
  { call: 'fsync', inject: 'error=EIO' },
  { call: 'rename', inject: 'error=EIO' },
] as const;

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
    name: 'ledger: kill -9 with operations that run ahead of their records',
    run: ({ until, seed }) =>
      inFolder(async (directory) => {
        const coin = seededCoin(seed);
        let [kills, released, lost] = [0, 0, 0];
        do {
          const result = await runKillsAhead(join(directory, String(kills)), { kills: 3, after: () => 100 + coin(900) });
          kills += 3;
          released += result.released;
          lost = Math.max(lost, result.lost);
        } while (performance.now() < until);
        return `${kills} kills, ${released} operations released, at most ${lost} of one kill without a record`;
      }),
  },
  {
    name: 'ledger: every crash state of a short life',
    run: async ({ until, seed }) => {
      let [lives, states] = [0, 0];
      do {
        states += await runCrashStates({ seed: seed + lives, states: 8 }).catch((cause: unknown) => {
          throw new Error(`seed ${seed + lives}`, { cause });
        });
        lives += 1;
      } while (performance.now() < until);
      for (const name of ['nosync', 'ack-before-sync', 'sign-beyond-durable', 'no-dir-fsync'] as const) {
        const broken = runCrashStates({ seed, states: 8, sabotage: sabotages[name].wrap });
        await assert.rejects(broken, `${name} was not noticed`);
      }
      return `${states} states of ${lives} lives opened, nothing acknowledged lost; every sabotage noticed`;
    },
  },
  {
    name: 'ledger: whichever call of the disk fails',
    run: async ({ until, seed }) => {
      let [calls, lives] = [0, 0];
      do {
        for (const failure of failures) {
          for (let call = 1; await runFailingCall({ failure, call, seed: seed + lives }); call += 1) calls += 1;
        }
        lives += 1;
      } while (performance.now() < until);
      let noticed = 0;
      for (let call = 1; call < 60; call += 1)
        await runFailingCall({ failure: 'sync', call, seed, sabotage: retryingSync }).catch(() => (noticed += 1));
      assert.ok(noticed > 0, 'a writer that tries a failed sync again was not noticed');
      return `${calls} failing calls in ${lives} lives, nothing acknowledged lost; a writer that tries again is noticed ${noticed} times`;
    },
  },
  {
    name: 'ledger: clock jumps',
    run: async ({ until, seed }) => {
      let [lives, steps] = [0, 0];
      do {
        steps += await inFolder((directory) => runClockJumps(directory, seed + lives));
        lives += 1;
      } while (performance.now() < until);
      return `${steps} steps of the wall clock, all recorded within 5 s; order and proof unharmed`;
    },
  },
  {
    name: 'ledger: an error or a short write of the system at every k-th call ends the process with nothing lost',
    run: async ({ until }) => {
      if (!existsSync(strace)) return 'skipped: strace is not installed';
      let rounds = 0;
      do {
        const { call, inject } = systemFailures[rounds % systemFailures.length] ?? systemFailures[0];
        // One call later in each turn; some twenty of each are made while the ledger is opened.
        const when = 1 + Math.floor(rounds / systemFailures.length);
        await inFolder(async (directory) => {
          const acknowledged = new Map<number, string>();
          const options = ['-f', '-qq', '-o', '/dev/null', '-e', `trace=${call}`, '-e', `inject=${call}:${inject}:when=${when}+`];
          const code = await collect(startWriter(directory, { prefix: [strace, ...options], quiet: true }), acknowledged);
          // A start that fails is no start, however it says so.
          if (acknowledged.size > 0) assert.equal(code, 75, `${inject} at ${call} ${when} ended with ${code}`);
          else assert.notEqual(code, 0);
          if (acknowledged.size > 0) await checkAcknowledged(directory, acknowledged);
        });
        rounds += 1;
      } while (performance.now() < until);
      return `${rounds} injected failures, each ended the process with a clean recovery`;
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
    name: 'ledger: a start after a long write-ahead log or over a large log is quick',
    run: () =>
      inFolder(async (directory) => {
        const starts = await runLongStarts(join(directory, 'starts'), 256 * 1024 * 1024);
        // Twice what it takes on a quiet machine; sealed entries are not read at all.
        for (const [k, { what, cpuMs }] of starts.entries()) assert.ok(cpuMs < ([5_000, 1_000][k] ?? 0), `${what}: ${cpuMs} ms`);
        return starts.map(({ what, cpuMs, wallMs }) => `${what}: ${cpuMs} ms of processor, ${wallMs} ms to the first record`).join('; ');
      }),
  },
  {
    name: 'ledger: a large log is verified within 128 MiB',
    run: () =>
      inFolder(async (directory) => {
        if (!hasPython) return 'skipped: python3 is not installed';
        const { size, cpuSeconds, memoryMiB } = runVerifyLarge(directory, 300_000);
        assert.ok(memoryMiB <= 128, `${memoryMiB} MiB`);
        const rate = Math.round(size / cpuSeconds);
        // Half of what it does on a quiet machine: two processes on the two threads of a core take from each other.
        assert.ok(rate >= 60_000, `${rate} records a second of processor`);
        return `${size} records, ${rate} a second of processor, ${Math.round(memoryMiB)} MiB at most`;
      }),
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
  {
    name: 'ledger: both verifiers agree on damaged and on forged logs',
    run: ({ until, seed }) =>
      inFolder(async (directory) => {
        if (!hasPython) return 'skipped: python3 is not installed';
        const second = new Second(false);
        const coin = seededCoin(seed);
        let [rounds, forged] = [0, 0];
        try {
          do {
            const folder = unpack(finishedLog(300, seed + forged), join(directory, 'damaged'));
            const foreign = unpack(finishedLog(300, seed + forged + 1), join(directory, 'foreign'));
            const logs = { folder, foreign, files: filesOf(folder) };
            for (let round = 0; round < 200 && performance.now() < until; round += 1, rounds += 1)
              await damagedRound(second, logs, { coin, round });
            for (let k = 0; k < 200 && (k === 0 || performance.now() < until); k += 1, forged += 1) {
              const lying = unpack(forgedLog(seed + forged), join(directory, 'forged'));
              await agree(second, lying, `forged with seed ${seed + forged}`);
              rmSync(lying, { recursive: true });
            }
            rmSync(folder, { recursive: true });
            rmSync(foreign, { recursive: true });
          } while (performance.now() < until);
        } finally {
          second.end();
        }
        return `${rounds} damaged and ${forged} forged logs: the same verdict, the same entry named`;
      }),
  },
];
