import { statfsSync } from 'node:fs';
import { Fault } from '#model';

/** With less room than this a database goes away for want of it: PostgreSQL takes 16 MiB for each segment of its log. */
const roomBytesMin = 20 * 1024 * 1024;
const mebibyte = 1024 * 1024;

/**
 * HOME_FULL when a start failed because the disk under the home is full, else `undefined`. A full disk shows in many ways — initdb ends,
 * a server goes away in the middle of a query, a ledger cannot reserve its file — and only this one tells what to do.
 */
export function fullDisk(home: string, thrown: unknown): Fault | undefined {
  const room = roomIn(home);
  if (!saysFull(thrown) && !(isUnexplained(thrown) && room !== undefined && room < roomBytesMin)) return undefined;
  const left = room === undefined ? '' : ` (${Math.floor(room / mebibyte)} MiB are free now)`;
  return new Fault('HOME_FULL', `the disk under ${home} is full${left}`, { cause: thrown });
}

function saysFull(thrown: unknown): boolean {
  if (thrown instanceof Fault && thrown.code === 'LEDGER_FULL') return true;
  return /No space left on device|ENOSPC|EDQUOT/.test(thrown instanceof Error ? thrown.message : String(thrown));
}

/** A lost connection or a server that does not start; a fault of any other code has a reason of its own. */
function isUnexplained(thrown: unknown): boolean {
  return !(thrown instanceof Fault) || thrown.code === 'INTERNAL' || thrown.code === 'PLATFORM_UNSUPPORTED';
}

function roomIn(folder: string): number | undefined {
  try {
    const { bavail, bsize, blocks } = statfsSync(folder);
    return blocks === 0 ? undefined : bavail * bsize;
  } catch {
    return undefined; // The folder is gone: then it is no matter of room.
  }
}
