import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '#model';
import { until } from '../world.ts';

const fastShutdownMs = 10_000;
const immediateShutdownMs = 5_000;

/**
 * Ends a server that a killed process left behind on this data folder, and removes a pid file that names nothing of ours.
 * A crash is no harm to the data, two servers on one folder would be: so nothing is started until the old one is gone.
 */
export async function endLeftover(data: string): Promise<void> {
  const pidFile = join(data, 'postmaster.pid');
  if (!existsSync(pidFile)) return;
  const pid = Number.parseInt(readFileSync(pidFile, 'utf8').split('\n')[0] ?? '', 10);
  if (Number.isInteger(pid) && pid > 1 && serves(pid, data)) {
    if (!(await ended(pid, data, 'SIGINT', fastShutdownMs)) && !(await ended(pid, data, 'SIGQUIT', immediateShutdownMs))) {
      throw new Fault('HOME_IN_USE', `a PostgreSQL (process ${pid}) still runs on ${data} and does not stop`);
    }
  }
  rmSync(pidFile, { force: true });
}

/** True when the process is a PostgreSQL on exactly this data folder; a pid is reused sooner or later. */
export function serves(pid: number, data: string): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return (words[0] ?? '').endsWith('postgres') && words.includes(data);
  } catch {
    return false; // The process is gone.
  }
}

async function ended(pid: number, data: string, signal: NodeJS.Signals, deadlineMs: number): Promise<boolean> {
  try {
    process.kill(pid, signal);
  } catch {
    return !serves(pid, data);
  }
  return (await until(() => (serves(pid, data) ? undefined : true), { deadlineMs })) === true;
}
