import { readdirSync, readFileSync } from 'node:fs';
import { Fault } from '#model';
import { until } from '../world.ts';

const gracefulMs = 15_000;
const forcedMs = 5_000;

/**
 * Ends processes that a killed supervisor of the same home left behind: they notice by themselves that it is gone, this waits for them
 * and helps where one hangs. Only a process whose command line is `entry`, one of `names` and exactly `args` is ours.
 */
export async function endOrphans(entry: string, names: readonly string[], args: readonly string[]): Promise<void> {
  const isOurs = (pid: number): boolean => {
    const words = commandLine(pid);
    const at = words.indexOf(entry);
    return at > 0 && names.includes(words[at + 1] ?? '') && args.every((arg, i) => words[at + 2 + i] === arg);
  };
  const orphans = processes().filter((pid) => pid !== process.pid && isOurs(pid));
  await Promise.all(
    orphans.map(async (pid) => {
      const gone = (): true | undefined => (isOurs(pid) ? undefined : true);
      signal(pid, 'SIGTERM');
      if ((await until(gone, { deadlineMs: gracefulMs, everyMs: 25 })) === true) return;
      signal(pid, 'SIGKILL');
      if ((await until(gone, { deadlineMs: forcedMs, everyMs: 25 })) !== true)
        throw new Fault('HOME_IN_USE', `process ${pid} of an earlier start does not end`);
    }),
  );
}

function processes(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return []; // Gone, or not ours to see.
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended by itself meanwhile; the caller looks.
  }
}
