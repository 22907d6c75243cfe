import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { keyFollows } from '#ledger';
import { Fault, limits } from '#model';
import type { KeyRotation } from '#model';
import { copyRows } from '../store/copy.ts';
import type { Store, Work } from '../store/database.ts';
import { indexEntry } from './entry.ts';
import type { IndexedEntry } from './entry.ts';
import type { EntryBatch } from './joined.ts';
import { joined } from './joined.ts';
import type { RecentEntries } from './recent.ts';
import { openRecentEntries } from './recent.ts';

export interface MirroredLog {
  readonly origin: string;
  readonly vkey: string;
  readonly size: number;
}

export interface Attached {
  readonly mirrored: number;
  /** Hex leaf hash of the last mirrored entry; empty when there is none. */
  readonly leaf: string;
  /** The largest size that was signed as a witness. */
  readonly signed: number;
  readonly replaced: boolean;
}

/** The index of mirrored ledgers: written here, read by the timeline and the decisions. */
export interface Mirror {
  /**
   * Number of contiguous entries of this ledger that are here. A ledger that comes with another key, which its old one has not signed, is another ledger, and `replaced` says
   * so once: what is here of the old one stays under another name, and the new one starts at 0, or where it was when it had the name before.
   */
  attach(log: { origin: string; vkey: string; rotations?: readonly KeyRotation[] }): Promise<Attached>;
  /**
   * Takes entries in order from `first`, verbatim; returns how many are here afterwards. Batches of one ledger are taken in the order of the calls. What is here already is compared, a gap is not taken.
   * Throws LEDGER_TAMPERED when an entry differs from the one mirrored before or does not follow its predecessor.
   */
  take(batch: EntryBatch): Promise<number>;
  logs(): Promise<readonly MirroredLog[]>;
  /** Calls back after entries were taken here; another replica's are only found by looking. Returns how to stop it. */
  onGrow(listener: () => void): () => void;
  /** What was taken here last. */
  readonly recent: RecentEntries;
}

const zeros = '0'.repeat(64);

export function openMirror(store: Store): Mirror {
  const listeners = new Set<() => void>();
  const recent = openRecentEntries();

  async function takeAll({ origin, first, entries }: EntryBatch): Promise<number> {
    let mirrored = 0;
    for (let at = 0; at === 0 || at < entries.length; at += limits.mirrorBatchEntriesMax) {
      const slice = entries.slice(at, at + limits.mirrorBatchEntriesMax);
      const taken = await store.transact((trx) => takeSlice(trx, { origin, first: first + at, entries: slice }));
      ({ mirrored } = taken);
      recent.put({ origin, vkey: taken.vkey }, taken.fresh);
      for (const listener of listeners) listener();
      if (mirrored < first + at + slice.length) return mirrored;
    }
    return mirrored;
  }

  return {
    recent,
    attach: ({ origin, vkey, rotations = [] }) =>
      store.transact(async (trx) => {
        const cursor = await lockCursor(trx, origin);
        if (cursor?.vkey === vkey) return { ...stateOf(cursor), replaced: false };
        if (cursor !== undefined && keyFollows(origin, { from: cursor.vkey, to: vkey }, rotations)) {
          await trx.updateTable('mirror').set({ vkey }).where('origin', '=', origin).execute();
          return { ...stateOf(cursor), replaced: false };
        }
        if (cursor !== undefined) await rename(trx, origin, retiredName(origin, cursor.vkey));
        const back = await lockCursor(trx, retiredName(origin, vkey));
        if (back !== undefined) await rename(trx, back.origin, origin);
        else await trx.insertInto('mirror').values({ origin, vkey, entries: 0, leaf: zeros }).execute();
        return { ...stateOf(back), replaced: cursor !== undefined };
      }),

    take: joined(takeAll, limits.mirrorBatchEntriesMax),

    onGrow(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },

    logs: () =>
      store.db
        .selectFrom('mirror')
        .select(['origin', 'vkey', 'entries as size'])
        .where('origin', 'not like', '%@%')
        .orderBy('origin')
        .execute(),
  };
}

function stateOf(cursor: { entries: number; leaf: string; signed: number } | undefined): Omit<Attached, 'replaced'> {
  if (cursor === undefined || cursor.entries === 0) return { mirrored: 0, leaf: '', signed: 0 };
  return { mirrored: cursor.entries, leaf: cursor.leaf, signed: cursor.signed };
}

/** The name under which a ledger was written, also when another one took it since. */
export function writtenName(origin: string): string {
  return origin.split('@')[0] ?? origin;
}

/** What a ledger is called after another one took its name: the origin, `@`, and the beginning of the SHA-256 of its key. */
function retiredName(origin: string, vkey: string): string {
  return `${origin}@${createHash('sha256').update(vkey).digest('hex').slice(0, 8)}`;
}

/** Everything that was learned of a ledger stays, and what was not delivered to the sinks yet still is. */
async function rename(trx: Work, from: string, to: string): Promise<void> {
  // It happens about never, and then to millions of rows.
  await sql`select set_config('statement_timeout', '0', true)`.execute(trx);
  for (const table of ['mirror', 'record', 'search_log', 'sink_cursor', 'sink_aside', 'recording_copy'] as const) {
    await sql`update ${sql.table(table)} set origin = ${to} where origin = ${from}`.execute(trx);
  }
}

async function lockCursor(trx: Work, origin: string) {
  return trx.selectFrom('mirror').selectAll().where('origin', '=', origin).forUpdate().executeTakeFirst();
}

interface Taken {
  readonly mirrored: number;
  readonly vkey: string;
  /** What was not here before. */
  readonly fresh: readonly IndexedEntry[];
}

async function takeSlice(trx: Work, { origin, first, entries }: EntryBatch): Promise<Taken> {
  const cursor = await lockCursor(trx, origin);
  if (cursor === undefined) throw new Fault('NOT_FOUND', `the ledger ${origin} was not announced`);
  const { vkey } = cursor;
  if (first > cursor.entries) return { mirrored: cursor.entries, vkey, fresh: [] };
  const known = Math.min(entries.length, cursor.entries - first);
  if (known > 0) await compareKnown(trx, { origin, first, entries: entries.slice(0, known), signed: cursor.signed });
  const fresh = entries.slice(known).map(indexEntry);
  const leaf = checkChain(fresh, { origin, index: cursor.entries, prev: cursor.leaf });
  if (fresh.length === 0) return { mirrored: cursor.entries, vkey, fresh };
  await insertEntries(trx, origin, fresh);
  const mirrored = cursor.entries + fresh.length;
  await trx.updateTable('mirror').set({ entries: mirrored, leaf }).where('origin', '=', origin).execute();
  return { mirrored, vkey, fresh };
}

/** An entry that is sent again must be the one that was mirrored: a ledger that was rewritten since shows itself here. */
async function compareKnown(
  trx: Work,
  { origin, first, entries, signed }: { origin: string; first: number; entries: readonly string[]; signed: number },
): Promise<void> {
  const rows = await trx
    .selectFrom('record')
    .select(['i', 'line'])
    .where('origin', '=', origin)
    .where('i', '>=', first)
    .where('i', '<', first + entries.length)
    .execute();
  const lines = new Map(rows.map((row) => [row.i, row.line]));
  entries.forEach((line, offset) => {
    const known = lines.get(first + offset);
    // What retention has removed here cannot be compared; only what is long signed is ever removed.
    if (known === line || (known === undefined && first + offset < signed)) return;
    throw new Fault('LEDGER_TAMPERED', `entry ${origin}#${first + offset} differs from the one that was mirrored before`);
  });
}

/** Returns the leaf hash of the last entry. */
function checkChain(entries: readonly IndexedEntry[], { origin, index, prev }: { origin: string; index: number; prev: string }): string {
  let expected = prev;
  entries.forEach((entry, offset) => {
    if (entry.i !== index + offset) throw new Fault('LEDGER_TAMPERED', `entry ${origin}#${index + offset} says that it is #${entry.i}`);
    if (entry.prev !== expected) throw new Fault('LEDGER_TAMPERED', `entry ${origin}#${entry.i} does not follow the entry before it`);
    expected = entry.leaf;
  });
  return expected;
}

const columns = 'origin i kind t session operation n decision subject on_behalf_of resource verdict reason line'.split(' ');

/** INVARIANT: the cursor is locked and says that none of them is here. */
function insertEntries(trx: Work, origin: string, entries: readonly IndexedEntry[]): Promise<void> {
  const rows = entries.map((one) => [
    origin,
    one.i,
    one.kind,
    one.t,
    one.session,
    one.operation,
    one.n,
    one.decision,
    one.subject,
    one.onBehalfOf,
    one.resource,
    one.verdict,
    one.reason,
    one.line,
  ]);
  return copyRows(trx, { table: 'record', columns }, rows);
}
