import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Fault } from '#model';
import { makeFolder } from '../folder.ts';

/** SPEC: unix(7) — `sun_path` holds 108 bytes with its NUL. */
const socketPathBytesMax = 107;

/**
 * A private folder (0700) for unix sockets: `preferred` when a socket called `longestName` fits there, else a short one under the system's
 * temp folder, always the same for the same `preferred`. Throws HOME_UNUSABLE when that one belongs to somebody else.
 */
export function socketFolder(preferred: string, longestName: string, owners: readonly number[] = []): string {
  const wanted = resolve(preferred);
  if (Buffer.byteLength(join(wanted, longestName)) <= socketPathBytesMax) {
    makeFolder(wanted, 0o700);
    return wanted;
  }
  const folder = join(tmpdir(), `warder-${createHash('sha256').update(wanted).digest('hex').slice(0, 20)}`);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (cause) {
    // Reason: Node's file system errors always carry a code.
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST')
      throw new Fault('HOME_UNUSABLE', `cannot make the socket folder ${folder}`, { cause });
    const entry = lstatSync(folder);
    const mine = [process.getuid?.() ?? -1, ...owners].includes(entry.uid);
    // EVASION: somebody else may put a folder or a link there first and would see, or be, the server.
    if (!entry.isDirectory() || !mine || (entry.mode & 0o077) !== 0) {
      throw new Fault(
        'HOME_UNUSABLE',
        `the socket folder ${folder} exists and is not private to this user; choose a home with a shorter path`,
        { cause },
      );
    }
  }
  return folder;
}
