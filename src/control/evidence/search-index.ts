import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { limits } from '#model';
import type { Store, Work } from '../store/database.ts';
import { objectAt } from './entry.ts';

/** Grows the search index from the mirrored records. Never part of taking them in: the mirror does not wait for it. */
export interface SearchIndex {
  /** Takes what is new, in steps that are whole or not at all; returns when it is up to date or `signal` aborts. */
  grow(signal?: AbortSignal): Promise<void>;
  /** Empties the index; it grows again from the first record. */
  rebuild(): Promise<void>;
  /** Mirrored records that are not in the index yet. */
  behind(): Promise<number>;
}

export function openSearchIndex(store: Store): SearchIndex {
  return {
    async grow(signal) {
      const logs = await store.db.selectFrom('mirror').select(['origin', 'vkey']).orderBy('origin').execute();
      for (const log of logs) {
        while (signal?.aborted !== true && (await store.transact((trx) => growStep(trx, log)))) {
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

/** True when there may be more. */
async function growStep(trx: Work, { origin, vkey }: { origin: string; vkey: string }): Promise<boolean> {
  await sql`insert into search_log (origin, vkey, entries) values (${origin}, ${vkey}, 0) on conflict (origin) do nothing`.execute(trx);
  const log = await trx.selectFrom('search_log').selectAll().where('origin', '=', origin).forUpdate().executeTakeFirstOrThrow();
  if (log.vkey !== vkey) {
    await forget(trx, { id: log.id, vkey });
    return true;
  }
  const rows = await trx
    .selectFrom('record')
    .select(['i', 't', 'kind', 'session', 'decision', 'subject', 'on_behalf_of', 'resource', 'verdict', 'line'])
    .where('origin', '=', origin)
    .where('i', '>=', log.entries)
    .orderBy('i')
    .limit(limits.searchBatchEntriesMax)
    .execute();
  if (rows.length === 0) return false;
  const found = rows.map((row) => ({ ...row, ...searchable(row.line) }));
  const texts = await textIds(
    trx,
    found.map((one) => one.text),
  );
  await insertRows(trx, log.id, found, texts);
  await insertTerms(trx, log.id, found);
  await trx
    .updateTable('search_log')
    // Not as many as were read: old ones may have been removed.
    .set({ entries: (rows.at(-1)?.i ?? log.entries) + 1 })
    .where('id', '=', log.id)
    .execute();
  return rows.length === limits.searchBatchEntriesMax;
}

/** A ledger that came back with another key is another ledger. */
async function forget(trx: Work, { id, vkey }: { id: number; vkey: string }): Promise<void> {
  await sql`delete from search_term where log = ${id}`.execute(trx);
  await trx.deleteFrom('search').where('log', '=', id).execute();
  await trx.updateTable('search_log').set({ vkey, entries: 0 }).where('id', '=', id).execute();
}

interface Searchable {
  readonly text: string | null;
  readonly terms: readonly string[];
}

/** What of an entry is looked for beside its columns. The subject of a record that names none is whoever acted. */
function searchable(line: string): Searchable & { readonly by: string | null } {
  // Lines were checked when they were mirrored.
  const entry = JSON.parse(line) as Record<string, unknown>;
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
  return searchable(line).terms;
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

type Row = Searchable & {
  readonly by: string | null;
  readonly i: number;
  readonly t: number;
  readonly kind: string;
  readonly session: string | null;
  readonly decision: string | null;
  readonly subject: string | null;
  readonly on_behalf_of: string | null;
  readonly resource: string | null;
  readonly verdict: string | null;
};

async function insertRows(trx: Work, log: number, rows: readonly Row[], texts: ReadonlyMap<string, number>): Promise<void> {
  const column = <Key extends keyof Row>(key: Key): Row[Key][] => rows.map((row) => row[key]);
  await sql`
    insert into search (log, i, t, kind, session, decision, subject, on_behalf_of, resource, verdict, text_id)
    select ${log}::integer, * from unnest(
      ${column('i')}::bigint[], ${column('t')}::bigint[], ${column('kind')}::text[], ${column('session')}::text[],
      ${column('decision')}::text[], ${rows.map((row) => row.subject ?? row.by)}::text[], ${column('on_behalf_of')}::text[],
      ${column('resource')}::text[], ${column('verdict')}::text[],
      ${rows.map((row) => (row.text === null ? null : (texts.get(row.text) ?? null)))}::bigint[]
    )
    on conflict (log, i) do nothing`.execute(trx);
}

async function insertTerms(trx: Work, log: number, rows: readonly Row[]): Promise<void> {
  const terms = rows.flatMap((row) => row.terms.map((term) => ({ term, t: row.t, i: row.i })));
  if (terms.length === 0) return;
  await sql`
    insert into search_term (term, t, log, i)
    select one.term, one.t, ${log}::integer, one.i
    from unnest(${terms.map((one) => one.term)}::text[], ${terms.map((one) => one.t)}::bigint[], ${terms.map((one) => one.i)}::bigint[])
      as one (term, t, i)
    on conflict do nothing`.execute(trx);
}
