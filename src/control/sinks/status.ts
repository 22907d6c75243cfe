import { sql } from 'kysely';
import type { Store } from '../store/database.ts';
import type { SinkConfig } from './configuration.ts';

export interface SinkStatus {
  readonly name: string;
  readonly type: SinkConfig['type'];
  /** Where to, without secrets. */
  readonly target: string;
  readonly format: string;
  /** Mirrored records that are not acknowledged yet. */
  readonly lag: number;
  /** Wall clock of the oldest of them, ms. */
  readonly oldest?: number;
  readonly delivered: number;
  /** Events that were delivered with the mark that they may be there twice. */
  readonly marked: number;
  readonly deliveredAt?: number;
  readonly failures: number;
  /** Events that the receiver refused for what they are, and that wait for somebody to decide. */
  readonly aside: number;
  /** What the last attempt failed with; absent when it succeeded. */
  readonly error?: string;
  readonly errorAt?: number;
}

export interface StateRow {
  readonly sink: string;
  readonly delivered: number;
  readonly marked: number;
  readonly delivered_at: number | null;
  readonly failures: number;
  readonly error: string | null;
  readonly error_at: number | null;
  readonly aside: number;
  readonly lag: number;
  readonly oldest: number | null;
}

export async function readStates(store: Store): Promise<ReadonlyMap<string, StateRow>> {
  const { rows } = await sql<StateRow>`
    select s.*, lag.*, (select count(*) from sink_aside a where a.sink = s.sink) as aside
    from sink_state s cross join lateral (
      select coalesce(sum(m.entries - coalesce(c.next, 0)), 0)::bigint as lag, min(r.t) as oldest
      from mirror m
      left join sink_cursor c on c.sink = s.sink and c.origin = m.origin and c.vkey = m.vkey
      left join record r on r.origin = m.origin and r.i = coalesce(c.next, 0) and coalesce(c.next, 0) < m.entries
    ) lag`.execute(store.db);
  return new Map(rows.map((row) => [row.sink, row]));
}

export function stateOf(row: StateRow | undefined): Omit<SinkStatus, 'name' | 'type' | 'target' | 'format'> {
  if (row === undefined) return { lag: 0, delivered: 0, marked: 0, failures: 0, aside: 0 };
  return {
    lag: row.lag,
    delivered: row.delivered,
    marked: row.marked,
    failures: row.failures,
    aside: row.aside,
    ...(row.oldest === null ? {} : { oldest: row.oldest }),
    ...(row.delivered_at === null ? {} : { deliveredAt: row.delivered_at }),
    ...(row.error === null ? {} : { error: row.error }),
    ...(row.error_at === null || row.error === null ? {} : { errorAt: row.error_at }),
  };
}

/** Of each mirrored ledger, and each of the sinks, the first entry that it does not have: 0 when it has not begun. */
export async function readPositions(
  store: Store,
  sinks: readonly string[],
): Promise<Readonly<Record<string, Readonly<Record<string, number>>>>> {
  const { rows } = await sql<{ origin: string; sink: string; next: number }>`
    select m.origin, s.sink, least(
      coalesce(c.next, 0), (select min(a.i) from sink_aside a where a.sink = s.sink and a.origin = m.origin)
    ) as next
    from mirror m cross join unnest(${[...sinks]}::text[]) as s (sink)
    left join sink_cursor c on c.sink = s.sink and c.origin = m.origin and c.vkey = m.vkey`.execute(store.db);
  const positions: Record<string, Record<string, number>> = {};
  for (const { origin, sink, next } of rows) (positions[origin] ??= {})[sink] = next;
  return positions;
}
