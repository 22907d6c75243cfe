import { randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Disk } from '../disk.ts';
import { nodeDisk } from '../disk-node.ts';
import type { Stamp } from '../entry.ts';
import { Log } from '../log.ts';
import { decided, sessionClosed, sessionOpened, settled } from './drafts.ts';

/** The log is thrown away afterwards, so nothing of it needs to be durable. */
const unsynced: Disk = {
  ...nodeDisk,
  open: (path, how) => ({ ...nodeDisk.open(path, how), sync: () => undefined }),
  syncFolder: () => undefined,
};

/**
 * Writes a log of sessions with twenty operations each, 64 sessions at a time, quickly: until `enough` says so after a round. Without `seal` nothing is sealed
 * or signed, as when the signer is away: everything is in the write-ahead log, and the writer ends as if it was killed. Returns the number of entries.
 */
export function writeLargeLog(
  place: { readonly directory: string; readonly keys: string; readonly origin: string },
  how: { readonly seal: boolean; readonly enough: (size: number) => boolean },
): number {
  let moment = 0;
  const stamp = (): Stamp => ({ t: 1_700_000_000_000 + (moment += 1), mono: moment * 1_000 });
  const log = new Log({ ...place, build: 'test', boot: 'test', reserveBytes: 0, stamp: stamp() }, { disk: unsynced, random: randomBytes });
  const commit = (drafts: readonly object[]): number[] =>
    log.commit(drafts.map((draft) => ({ draft: JSON.stringify(draft), ...stamp() }))).map((one) => ('index' in one ? one.index : -1));
  for (let first = 0; !how.enough(log.size); first += 64) {
    const sessions = Array.from({ length: 64 }, (_, k) => `ses_${first + k}`);
    commit(sessions.map((session) => sessionOpened(session)));
    for (let n = 1; n <= 20; n += 1) {
      const decisions = sessions.map((session) => decided(session, n));
      const indexes = commit(decisions.map((draft) => ({ ...draft, decision: { ...draft.decision, reads: { risk: '0.5' } } })));
      commit(sessions.map((session, k) => settled(session, n, indexes[k] ?? -1)));
    }
    commit(sessions.map((session) => sessionClosed(session, 20)));
    if (!how.seal) continue;
    log.tick();
    log.settle();
  }
  if (how.seal) log.close();
  return log.size;
}

/** Bytes of the write-ahead log in this folder. */
export function walBytes(directory: string): number {
  const folder = join(directory, 'wal');
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}
