import { sql } from 'kysely';
import { limits } from '#model';
import type { RecentEntries } from '../evidence/recent.ts';
import type { Database } from '../store/database.ts';
import type { Cursor } from './cursors.ts';
import type { Entry, Facts } from './facts.ts';
import { factsOf, parseEntry } from './facts.ts';

export interface Batch {
  readonly events: readonly Facts[];
  /** First entry after the batch. */
  readonly to: number;
}

export interface BatchQuery {
  readonly cursor: Cursor;
  readonly entriesMax: number;
  readonly wanted: (kind: string) => boolean;
}

interface Line {
  readonly i: number;
  readonly kind: string;
  readonly session: string | null;
  readonly line: string;
}

interface Read extends Line {
  readonly entry: Entry;
  readonly leaf?: string;
}

/** Reads what sinks deliver. */
export interface BatchReader {
  /**
   * The next entries of one ledger, with what they refer to; `undefined` when there are none. At most `entriesMax` entries and
   * `limits.sinkBatchBytesMax` bytes, but at least one entry. What may have been delivered before is marked.
   */
  read(query: BatchQuery): Promise<Batch | undefined>;
}

/**
 * One for all sinks: they mostly read the same part of a ledger, and mostly what was mirrored just now (`recent`). What an entry refers to is in the same ledger: its session's opening, and for
 * an outcome the decision, which nearly always stands a few entries before it.
 */
export function openBatchReader(db: Database, recent?: RecentEntries): BatchReader {
  // By the key of the ledger: another one may take its name.
  const openings = new Remembered<Entry | undefined>(limits.sinkRememberedMax);
  const decisions = new Remembered<Entry>(limits.sinkRememberedMax);

  async function findOpenings({ origin, vkey }: Cursor, rows: readonly Read[]): Promise<void> {
    for (const { kind, session, entry } of rows)
      if (kind === 'session.opened' && session !== null) openings.put(`${vkey} ${session}`, entry);
    const missing = [...new Set(rows.flatMap(({ session }) => (session === null || openings.has(`${vkey} ${session}`) ? [] : [session])))];
    if (missing.length === 0) return;
    // One look for each session by its index; a join would leave the way to the planner, who knows little of a table that grows fast.
    const { rows: found } = await sql<{ session: string; line: string | null }>`
      select wanted.session, opened.line
      from unnest(${missing}::text[]) as wanted (session)
      left join lateral (
        select o.line from record o
        where o.session = wanted.session and o.origin = ${origin} and o.n is null and o.kind = 'session.opened' order by o.i limit 1
      ) opened on true`.execute(db);
    for (const { session, line } of found) openings.put(`${vkey} ${session}`, line === null ? undefined : parseEntry(line));
  }

  async function findDecisions({ origin, vkey }: Cursor, rows: readonly Read[]): Promise<void> {
    for (const { i, kind, entry } of rows) if (kind === 'operation.decided') decisions.put(`${vkey} ${i}`, entry);
    const missing = rows.flatMap(({ entry }) => {
      const decided = decidedAt(entry);
      return decided === undefined || decisions.has(`${vkey} ${decided}`) ? [] : [decided];
    });
    if (missing.length === 0) return;
    const { rows: found } = await sql<{ i: number; line: string }>`
      select d.i, d.line
      from unnest(${missing}::bigint[]) as wanted (i)
      cross join lateral (
        select r.i, r.line from record r where r.origin = ${origin} and r.i = wanted.i and r.kind = 'operation.decided' limit 1
      ) d`.execute(db);
    for (const { i, line } of found) decisions.put(`${vkey} ${i}`, parseEntry(line));
  }

  return {
    async read({ cursor, entriesMax, wanted }) {
      const { origin, vkey, next, sent } = cursor;
      const end = Math.min(next + entriesMax, cursor.entries);
      if (end <= next) return undefined;
      const kept = cut(recent?.from(cursor, next, end - next) ?? (await stored(db, { origin, next, end })));
      const last = kept.at(-1);
      if (last === undefined) return { events: [], to: await firstFrom(db, cursor) };
      const shown = kept.filter((row) => wanted(row.kind)).map(asRead);
      await findOpenings(cursor, shown);
      await findDecisions(cursor, shown);
      const events = shown.map(({ i, kind, session, line, entry, leaf }) => {
        const opened = session === null || kind === 'session.opened' ? undefined : openings.get(`${vkey} ${session}`);
        const decided = decisions.get(`${vkey} ${decidedAt(entry) ?? ''}`);
        return factsOf({ origin, line, entry, leaf, opened, decided, duplicate: i < sent });
      });
      return { events, to: last.i + 1 };
    },
  };
}

async function stored(db: Database, { origin, next, end }: { origin: string; next: number; end: number }): Promise<readonly Line[]> {
  const { rows } = await sql<Line>`
    select i, kind, session, line from record where origin = ${origin} and i >= ${next} and i < ${end} order by i`.execute(db);
  return rows;
}

function asRead(row: Line | Read): Read {
  return 'entry' in row ? row : { ...row, entry: parseEntry(row.line) };
}

/** Old entries were removed: a sink that begins now finds the next that is there. */
async function firstFrom(db: Database, { origin, next, entries }: Cursor): Promise<number> {
  const { rows } = await sql<{ i: number | null }>`
    select min(i) as i from record where origin = ${origin} and i >= ${next} and i < ${entries}`.execute(db);
  return rows[0]?.i ?? entries;
}

/** Index of the decision that an outcome belongs to. */
function decidedAt({ kind, for: decided }: Entry): number | undefined {
  return (kind === 'operation.settled' || kind === 'operation.indoubt') && Number.isSafeInteger(decided) ? Number(decided) : undefined;
}

/** The newest so many of what was looked up; what is in a ledger never changes. */
class Remembered<Value> {
  readonly #values = new Map<string, Value>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  get(key: string): Value | undefined {
    return this.#values.get(key);
  }

  put(key: string, value: Value): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size <= this.#max) return;
    const [oldest] = this.#values.keys();
    if (oldest !== undefined) this.#values.delete(oldest);
  }
}

function cut<Row extends Line>(rows: readonly Row[]): readonly Row[] {
  let bytes = 0;
  const over = rows.findIndex((row) => {
    bytes += Buffer.byteLength(row.line);
    return bytes > limits.sinkBatchBytesMax;
  });
  return over < 0 ? rows : rows.slice(0, Math.max(1, over));
}

/** Whether a kind is among those that a sink asks for: whole names, or beginnings such as `operation.*`. */
export function kindFilter(kinds: readonly string[]): (kind: string) => boolean {
  if (kinds.length === 0) return () => true;
  const whole = new Set(kinds.filter((kind) => !kind.endsWith('*')));
  const beginnings = kinds.filter((kind) => kind.endsWith('*')).map((kind) => kind.slice(0, -1));
  return (kind) => whole.has(kind) || beginnings.some((beginning) => kind.startsWith(beginning));
}
