import { nodeCrypto, type Report, verifyLedger } from '../verify/index.ts';
import type { SimulatedDisk } from './simulated-disk.ts';
import { Bench, setting } from './story.ts';

/** A finished log of about this many records with everything in it: full and partial tiles, recordings, several checkpoints. */
export function finishedLog(records: number, seed = 1): SimulatedDisk {
  const bench = new Bench(undefined, { seed });
  for (let s = 0; bench.log.size < records; s += 1) {
    bench.session(`ses_${seed}_${s}`, 4 + (s % 5));
    if (s % 6 === 1) bench.recorded(`rec_${seed}_${s}`, ['a', 'b'.repeat(5_000), 'c', 'd'.repeat(4_500)]);
    if (s % 7 === 0) bench.sign();
  }
  bench.log.close();
  return bench.disk.copy();
}

export function verified(
  disk: SimulatedDisk,
  options: { trust?: readonly { vkey: string }[]; since?: readonly string[] } = {},
): Promise<Report> {
  return verifyLedger(disk.source(setting.directory), { crypto: nodeCrypto, ...options });
}

/** The files of the log that carry evidence; the lock, the reserve and what the writer notes for its next start do not. */
export function evidenceFiles(disk: SimulatedDisk): string[] {
  return disk.paths().filter((path) => path.startsWith(`${setting.directory}/`) && !/\/(reserve|lock)$|\.sessions$|\.tmp$/.test(path));
}

/**
 * Flips one bit at a time, every `step`-th bit of all files, and asks the verifier each time. Returns the flips it did not notice, which
 * must be none. `step` 1 is exhaustive.
 */
export async function unnoticedFlips(disk: SimulatedDisk, step: number, from = 0): Promise<{ flips: number; unnoticed: string[] }> {
  const unnoticed: string[] = [];
  let flips = 0;
  let next = from;
  for (const path of evidenceFiles(disk)) {
    const bits = (disk.size(path) ?? 0) * 8;
    for (; next < bits; next += step) {
      disk.flip(path, next);
      const { status } = await verified(disk);
      disk.flip(path, next);
      flips += 1;
      if (status === 'proven') unnoticed.push(`${path} bit ${next}`);
    }
    next -= bits;
  }
  return { flips, unnoticed };
}
