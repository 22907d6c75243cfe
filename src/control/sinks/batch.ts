import { sql } from 'kysely';
import { limits } from '#model';
import type { Database } from '../store/database.ts';
import type { Cursor } from './cursors.ts';
import type { Facts } from './facts.ts';
import { factsOf } from './facts.ts';

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
  /** Index of the decision that an outcome belongs to. */
  readonly decided: string | null;
  readonly opened: string | null;
}

/**
 * The next entries of one ledger, with what they refer to; `undefined` when there are none. At most `entriesMax` entries and
 * `limits.sinkBatchBytesMax` bytes, but at least one entry. What may have been delivered before is marked.
 */
export async function readBatch(db: Database, { cursor, entriesMax, wanted }: BatchQuery): Promise<Batch | undefined> {
  const end = Math.min(cursor.next + entriesMax, cursor.entries);
  if (end <= cursor.next) return undefined;
  // What an entry refers to is in the same ledger: its session's opening, and for an outcome the decision.
  const { rows } = await sql<Line>`
    select r.i, r.kind, r.session, r.line, decided.line as decided, opened.line as opened
    from record r
    left join lateral (
      select d.line from record d
      where r.kind in ('operation.settled', 'operation.indoubt') and d.origin = r.origin and d.i = (r.line::jsonb ->> 'for')::bigint
        and d.kind = 'operation.decided'
    ) decided on true
    left join lateral (
      select o.line from record o
      where r.kind <> 'session.opened' and o.session = r.session and o.origin = r.origin and o.n is null and o.kind = 'session.opened'
      limit 1
    ) opened on true
    where r.origin = ${cursor.origin} and r.i >= ${cursor.next} and r.i < ${end}
    order by r.i`.execute(db);
  const kept = cut(rows);
  const last = kept.at(-1);
  if (last === undefined) return undefined;
  const events = kept
    .filter((row) => wanted(row.kind))
    .map(({ i, line, opened, decided }) =>
      factsOf({
        origin: cursor.origin,
        line,
        opened: opened ?? undefined,
        decided: decided ?? undefined,
        duplicate: i < cursor.sent,
      }),
    );
  return { events, to: last.i + 1 };
}

function cut(rows: readonly Line[]): readonly Line[] {
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
