import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { keyFollows } from '#ledger';
import { Fault, limits } from '#model';
import type { KeyRotation } from '#model';
import type { Store, Work } from '../store/database.ts';
import { indexEntry } from './entry.ts';
import type { IndexedEntry } from './entry.ts';

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
   * Takes entries in order from `first`, verbatim; returns how many are here afterwards. What is here already is compared, a gap is not taken.
   * Throws LEDGER_TAMPERED when an entry differs from the one mirrored before or does not follow its predecessor.
   */
  take(batch: { origin: string; first: number; entries: readonly string[] }): Promise<number>;
  logs(): Promise<readonly MirroredLog[]>;
  /** Calls back after entries were taken here; another replica's are only found by looking. Returns how to stop it. */
  onGrow(listener: () => void): () => void;
}

const zeros = '0'.repeat(64);

export function openMirror(store: Store): Mirror {
  const listeners = new Set<() => void>();
  return {
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

    async take({ origin, first, entries }) {
      let mirrored = 0;
      for (let at = 0; at === 0 || at < entries.length; at += limits.mirrorBatchEntriesMax) {
        const slice = entries.slice(at, at + limits.mirrorBatchEntriesMax);
        mirrored = await store.transact((trx) => takeSlice(trx, { origin, first: first + at, entries: slice }));
        for (const listener of listeners) listener();
        if (mirrored < first + at + slice.length) return mirrored;
      }
      return mirrored;
    },

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

/** What a ledger is called after another one took its name: the origin, `@`, and the beginning of the SHA-256 of its key. */
function retiredName(origin: string, vkey: string): string {
  return `${origin}@${createHash('sha256').update(vkey).digest('hex').slice(0, 8)}`;
}

/** Everything that was learned of a ledger stays, and what was not delivered to the sinks yet still is. */
async function rename(trx: Work, from: string, to: string): Promise<void> {
  // It happens about never, and then to millions of rows.
  await sql`select set_config('statement_timeout', '0', true)`.execute(trx);
  for (const table of ['mirror', 'record', 'search_log', 'sink_cursor', 'sink_aside'] as const) {
    await sql`update ${sql.table(table)} set origin = ${to} where origin = ${from}`.execute(trx);
  }
}

async function lockCursor(trx: Work, origin: string) {
  return trx.selectFrom('mirror').selectAll().where('origin', '=', origin).forUpdate().executeTakeFirst();
}

async function takeSlice(
  trx: Work,
  { origin, first, entries }: { origin: string; first: number; entries: readonly string[] },
): Promise<number> {
  const cursor = await lockCursor(trx, origin);
  if (cursor === undefined) throw new Fault('NOT_FOUND', `the ledger ${origin} was not announced`);
  if (first > cursor.entries) return cursor.entries;
  const known = Math.min(entries.length, cursor.entries - first);
  if (known > 0) await compareKnown(trx, { origin, first, entries: entries.slice(0, known), signed: cursor.signed });
  const fresh = entries.slice(known).map(indexEntry);
  const leaf = checkChain(fresh, { origin, index: cursor.entries, prev: cursor.leaf });
  if (fresh.length === 0) return cursor.entries;
  await insertEntries(trx, origin, fresh);
  const count = cursor.entries + fresh.length;
  await trx.updateTable('mirror').set({ entries: count, leaf }).where('origin', '=', origin).execute();
  return count;
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

/**
 * One statement whatever the number of entries: each column travels as one array. The lines as one text, as an array would have every quote in them
 * escaped here and read back there; no line holds a line feed (`indexEntry`).
 */
async function insertEntries(trx: Work, origin: string, entries: readonly IndexedEntry[]): Promise<void> {
  const column = <Key extends keyof IndexedEntry>(key: Key): IndexedEntry[Key][] => entries.map((entry) => entry[key]);
  await sql`
    insert into record (origin, i, kind, t, session, operation, n, decision, subject, on_behalf_of, resource, verdict, reason, line)
    select ${origin}, * from unnest(
      ${column('i')}::bigint[], ${column('kind')}::text[], ${column('t')}::bigint[], ${column('session')}::text[],
      ${column('operation')}::text[], ${column('n')}::bigint[], ${column('decision')}::text[], ${column('subject')}::text[], ${column('onBehalfOf')}::text[],
      ${column('resource')}::text[], ${column('verdict')}::text[], ${column('reason')}::text[], string_to_array(${column('line').join('\n')}, E'\n')
    )
    on conflict (origin, i) do nothing`.execute(trx);
}
