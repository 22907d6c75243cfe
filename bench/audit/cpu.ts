import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Processor time in µs that was spent since the last call: by this process, by the PostgreSQL server of a folder, and by another process. */
export function openCpuMeter(directory: string, another?: number): () => { own: number; server: number; other: number } {
  const postmaster = Number(readFileSync(join(directory, 'pg', 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);
  const otherTicks = (): number => (statOf(String(another)) ?? []).slice(11, 13).reduce((sum, one) => sum + Number(one), 0);
  let own = process.cpuUsage();
  let server = serverTicks(postmaster);
  let other = otherTicks();
  return () => {
    const { user, system } = process.cpuUsage(own);
    own = process.cpuUsage();
    const before = server;
    server = serverTicks(postmaster);
    const otherBefore = other;
    other = otherTicks();
    return {
      own: user + system,
      server: (server - before) * microsecondsPerTick,
      other: (other - otherBefore) * microsecondsPerTick,
    };
  };
}

/** Linux counts in hundredths of a second for programs, whatever it does inside. */
const microsecondsPerTick = 10_000;

/** Of the server, of its processes that live and of those that have ended. */
function serverTicks(postmaster: number): number {
  let ticks = 0;
  for (const name of readdirSync('/proc').filter((one) => /^\d+$/.test(one))) {
    const fields = statOf(name);
    if (fields === undefined) continue;
    const [utime = 0, stime = 0, cutime = 0, cstime = 0] = fields.slice(11, 15).map(Number);
    if (Number(name) === postmaster) ticks += utime + stime + cutime + cstime;
    else if (Number(fields[1]) === postmaster) ticks += utime + stime;
  }
  return ticks;
}

/** What follows the name of a process: its state, its parent, and so on; undefined when it is gone. */
function statOf(pid: string): readonly string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
