import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { limits } from '#model';
import { copyRows } from '../store/copy.ts';
import type { Store, Work } from '../store/database.ts';
import { indexEntry, objectAt } from './entry.ts';
import type { IndexedEntry } from './entry.ts';
import type { RecentEntries } from './recent.ts';

/** Grows the search index from the mirrored records. Never part of taking them in: the mirror does not wait for it. */
export interface SearchIndex {
  /** Takes what is new, in steps that are whole or not at all; returns when it is up to date or `signal` aborts. */
  grow(signal?: AbortSignal): Promise<void>;
  /** Empties the index; it grows again from the first record. */
  rebuild(): Promise<void>;
  /** Mirrored records that are not in the index yet. */
  behind(): Promise<number>;
}

/** `recent`: what need not be read from the database because it was mirrored here just now. */
export function openSearchIndex(store: Store, recent?: RecentEntries): SearchIndex {
  return {
    async grow(signal) {
      const { rows: logs } = await sql<MirroredSoFar>`
        select m.origin, m.vkey, m.entries
        from mirror m left join search_log l on l.origin = m.origin and l.vkey = m.vkey
        where coalesce(l.entries, 0) < m.entries order by m.origin`.execute(store.db);
      for (const log of logs) {
        while (signal?.aborted !== true && (await store.transact((trx) => growStep(trx, log, recent)))) {
          // Step after step until the log is indexed.
        }
      }
    },
    rebuild: () =>
      store.transact(async (trx) => {
        // Everybody takes `search_log` first, so nobody waits for each other in a circle.
        await sql`truncate search_log, search, search_term, search_text`.execute(trx);
      }),
    async behind() {
      const { rows } = await sql<{ behind: number }>`
        select coalesce(sum(m.entries - coalesce(l.entries, 0)), 0)::bigint as behind
        from mirror m left join search_log l on l.origin = m.origin and l.vkey = m.vkey`.execute(store.db);
      return rows[0]?.behind ?? 0;
    },
  };
}

interface MirroredSoFar {
  readonly origin: string;
  readonly vkey: string;
  readonly entries: number;
}

/** True when there is more. */
async function growStep(trx: Work, { origin, vkey, entries: mirrored }: MirroredSoFar, recent?: RecentEntries): Promise<boolean> {
  // What is lost with a crash of the server is whole steps, which are taken again: no need to wait for the disk.
  await sql`set local synchronous_commit = off`.execute(trx);
  await sql`insert into search_log (origin, vkey, entries) values (${origin}, ${vkey}, 0) on conflict (origin) do nothing`.execute(trx);
  const log = await trx.selectFrom('search_log').selectAll().where('origin', '=', origin).forUpdate().executeTakeFirstOrThrow();
  if (log.vkey !== vkey) {
    await forget(trx, { id: log.id, vkey });
    return true;
  }
  const max = limits.searchBatchEntriesMax;
  const rows = recent?.from({ origin, vkey }, log.entries, max) ?? (await stored(trx, { origin, from: log.entries, max }));
  if (rows.length === 0) return false;
  const found = rows.map((row) => ({ ...searchable(row.entry), row }));
  const texts = await textIds(
    trx,
    found.map((one) => one.text),
  );
  await insertRows(trx, log.id, found, texts);
  await insertTerms(trx, log.id, found);
  // Not as many as were read: old ones may have been removed.
  const entries = (rows.at(-1)?.i ?? log.entries) + 1;
  await trx.updateTable('search_log').set({ entries }).where('id', '=', log.id).execute();
  return entries < mirrored;
}

async function stored(trx: Work, { origin, from, max }: { origin: string; from: number; max: number }): Promise<readonly IndexedEntry[]> {
  const { rows } = await sql<{ line: string }>`
    select line from record where origin = ${origin} and i >= ${from} order by i limit ${max}`.execute(trx);
  return rows.map(({ line }) => indexEntry(line));
}

/** A ledger that came back with another key is another ledger. */
async function forget(trx: Work, { id, vkey }: { id: number; vkey: string }): Promise<void> {
  await sql`delete from search_term where log = ${id}`.execute(trx);
  await trx.deleteFrom('search').where('log', '=', id).execute();
  await trx.updateTable('search_log').set({ vkey, entries: 0 }).where('id', '=', id).execute();
}

interface Searchable {
  readonly text: string | null;
  /** The subject of a record that names none is whoever acted. */
  readonly by: string | null;
  readonly terms: readonly string[];
}

/** What of an entry is looked for beside its columns. */
function searchable(entry: IndexedEntry['entry']): Searchable {
  const what = objectAt(entry, 'what');
  const decision = objectAt(entry, 'decision');
  const normalized = what['normalized'];
  const { by } = entry;
  const ruled = [...texts(decision['rules']), ...texts(objectAt(entry, 'outcome')['rules']), ...matchedRules(decision['matched'])];
  return {
    text: typeof normalized === 'string' && normalized !== '' ? clean(normalized) : null,
    by: typeof by === 'string' ? clean(by) : null,
    terms: [...new Set([...ruled.map((rule) => `r:${rule}`), ...texts(what['objects']).map((object) => `o:${object}`)])],
  };
}

/** The terms of a stored line. */
export function termsOf(line: string): readonly string[] {
  // Lines were checked when they were mirrored.
  return searchable(JSON.parse(line) as Record<string, unknown>).terms;
}

function matchedRules(matched: unknown): string[] {
  if (!Array.isArray(matched)) return [];
  return matched.flatMap((one: unknown) => (typeof one === 'object' && one !== null && 'rule' in one ? texts([one.rule]) : []));
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string').map(clean) : [];
}

/** PostgreSQL cannot store NUL in a text. */
function clean(text: string): string {
  return text.replaceAll('\0', '\uFFFD');
}

/** The number of each text, made when it is new. */
async function textIds(trx: Work, wanted: readonly (string | null)[]): Promise<ReadonlyMap<string, number>> {
  const distinct = [...new Set(wanted.filter((text) => text !== null))];
  if (distinct.length === 0) return new Map();
  const digests = distinct.map((text) => createHash('sha256').update(text).digest('hex'));
  // In one order, so that two replicas that index at the same time cannot wait for each other.
  await sql`
    insert into search_text (digest, text)
    select decode(one.digest, 'hex'), one.text from unnest(${digests}::text[], ${distinct}::text[]) as one (digest, text)
    where not exists (select from search_text known where known.digest = decode(one.digest, 'hex'))
    order by one.digest
    on conflict (digest) do nothing`.execute(trx);
  const { rows } = await sql<{ id: number; digest: string }>`
    select id, encode(digest, 'hex') as digest from search_text
    where digest in (select decode(one, 'hex') from unnest(${digests}::text[]) as one)`.execute(trx);
  const ids = new Map(rows.map((row) => [row.digest, row.id]));
  return new Map(distinct.flatMap((text, at) => [[text, ids.get(digests[at] ?? '') ?? 0] as const]));
}

type Found = Searchable & { readonly row: IndexedEntry };

const columns = 'log i t kind session decision subject on_behalf_of resource verdict text_id'.split(' ');

/** INVARIANT: the cursor in `search_log` is locked and says that none of them is here. */
function insertRows(trx: Work, log: number, found: readonly Found[], texts: ReadonlyMap<string, number>): Promise<void> {
  const rows = found.map(({ row, by, text }) => [
    log,
    row.i,
    row.t,
    row.kind,
    row.session,
    row.decision,
    row.subject ?? by,
    row.onBehalfOf,
    row.resource,
    row.verdict,
    text === null ? null : (texts.get(text) ?? null),
  ]);
  return copyRows(trx, { table: 'search', columns }, rows);
}

function insertTerms(trx: Work, log: number, found: readonly Found[]): Promise<void> {
  const rows = found.flatMap(({ row, terms }) => terms.map((term): [string, number, number, number] => [term, row.t, log, row.i]));
  // Neighbours in the index one after another.
  rows.sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
  return copyRows(trx, { table: 'search_term', columns: ['term', 't', 'log', 'i'] }, rows);
}
