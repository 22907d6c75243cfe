import { limits } from '#model';
import type { IndexedEntry } from './entry.ts';

/**
 * The newest entries that this replica mirrored, as they were read then: the search index and the sinks mostly want what has just come, and
 * need neither ask the database for it nor read it again. Whoever is too late, or on another replica, asks the database.
 */
export interface RecentEntries {
  /** Entries that are committed, in their order; `vkey` tells a ledger from another that takes its name. */
  put(log: { origin: string; vkey: string }, entries: readonly IndexedEntry[]): void;
  /** At most `max` entries from `first` on, at least one; undefined when the first is not here. */
  from(log: { origin: string; vkey: string }, first: number, max: number): readonly IndexedEntry[] | undefined;
}

interface Run {
  readonly name: string;
  readonly first: number;
  readonly entries: readonly IndexedEntry[];
  readonly bytes: number;
}

export function openRecentEntries(bytesMax: number = limits.recentBytesMax): RecentEntries {
  /** The oldest first. Runs of one ledger may leave gaps between them: another replica took what is missing. */
  const runs: Run[] = [];
  let bytes = 0;
  const nameOf = ({ origin, vkey }: { origin: string; vkey: string }): string => `${origin}\n${vkey}`;
  return {
    put(log, entries) {
      const [first] = entries;
      if (first === undefined) return;
      const run = { name: nameOf(log), first: first.i, entries, bytes: entries.reduce((sum, { line }) => sum + line.length, 0) };
      runs.push(run);
      bytes += run.bytes;
      while (bytes > bytesMax) bytes -= runs.shift()?.bytes ?? 0;
    },
    from(log, first, max) {
      const name = nameOf(log);
      const found: IndexedEntry[] = [];
      let next = first;
      for (const run of runs) {
        if (run.name !== name || next < run.first || next >= run.first + run.entries.length) continue;
        for (let at = next - run.first; at < run.entries.length && found.length < max; at += 1) {
          const entry = run.entries[at];
          if (entry !== undefined) found.push(entry);
        }
        next = first + found.length;
        if (found.length === max) break;
      }
      return found.length === 0 ? undefined : found;
    },
  };
}
