import { sql } from 'kysely';
import { Fault } from '#model';
import type { Store } from '../store/database.ts';

/** One ledger on its way to one sink. */
export interface Cursor {
  readonly origin: string;
  readonly vkey: string;
  readonly next: number;
  readonly sent: number;
  /** Number of entries that are mirrored. */
  readonly entries: number;
}

export interface Step {
  readonly sink: string;
  readonly cursor: Cursor;
  /** First entry after the batch. */
  readonly to: number;
}

/**
 * The durable memory of the sinks. Every change compares what it believes to be the state: if somebody else has moved on, the fault
 * CONFLICT ends the work of whoever is late.
 */
export interface Cursors {
  /** All ledgers that are mirrored, with how far this sink is; makes the cursors that are missing. */
  load(sink: string, from: 'beginning' | 'now'): Promise<readonly Cursor[]>;
  /** Says, before the first byte leaves, that the batch may arrive. */
  intend(step: Step): Promise<Cursor>;
  /** Takes that back: nothing of the batch has arrived. `before` is the cursor as it was before `intend`. */
  withdraw(step: Step & { readonly before: Cursor }): Promise<void>;
  /** The receiver has acknowledged everything before `to`. */
  advance(step: Step & { readonly delivered: number; readonly marked: number; readonly at: number }): Promise<void>;
  fail(sink: string, failure: { readonly why: string; readonly at: number }): Promise<void>;
}

export function openCursors(store: Store): Cursors {
  const { db } = store;
  return {
    async load(sink, from) {
      await sql`insert into sink_state (sink) values (${sink}) on conflict (sink) do nothing`.execute(db);
      await sql`
        insert into sink_cursor (sink, origin, vkey, next, sent)
        select ${sink}, m.origin, m.vkey, start.at, start.at
        from mirror m cross join lateral (
          select case when ${from} = 'now' and not exists (select from sink_cursor c where c.sink = ${sink}) then m.entries else 0 end as at
        ) start
        on conflict (sink, origin) do update set vkey = excluded.vkey, next = 0, sent = 0
        where sink_cursor.vkey <> excluded.vkey`.execute(db);
      const { rows } = await sql<Cursor>`
        select m.origin, m.vkey, c.next, c.sent, m.entries
        from mirror m join sink_cursor c on c.sink = ${sink} and c.origin = m.origin
        order by m.origin`.execute(db);
      return rows;
    },

    async intend({ sink, cursor, to }) {
      const sent = Math.max(cursor.sent, to);
      if (sent !== cursor.sent) await change(store, { sink, cursor, next: cursor.next, sent });
      return { ...cursor, sent };
    },

    async withdraw({ sink, cursor, before }) {
      if (cursor.sent !== before.sent) await change(store, { sink, cursor, next: cursor.next, sent: before.sent });
    },

    async advance({ sink, cursor, to, delivered, marked, at }) {
      await change(store, { sink, cursor, next: to, sent: Math.max(cursor.sent, to) });
      if (delivered === 0) return;
      await sql`
        update sink_state
        set delivered = delivered + ${delivered}, marked = marked + ${marked}, delivered_at = ${at}, error = null
        where sink = ${sink}`.execute(db);
    },

    async fail(sink, { why, at }) {
      await sql`
        update sink_state set failures = failures + 1, error = ${why.replaceAll('\0', '')}, error_at = ${at} where sink = ${sink}`.execute(
        db,
      );
    },
  };
}

async function change(
  store: Store,
  { sink, cursor, next, sent }: { sink: string; cursor: Cursor; next: number; sent: number },
): Promise<void> {
  const changed = await store.db
    .updateTable('sink_cursor')
    .set({ next, sent })
    .where('sink', '=', sink)
    .where('origin', '=', cursor.origin)
    .where('vkey', '=', cursor.vkey)
    .where('next', '=', cursor.next)
    .where('sent', '=', cursor.sent)
    .executeTakeFirst();
  if (changed.numUpdatedRows === 1n) return;
  throw new Fault('CONFLICT', `somebody else delivers to the sink ${sink}, or the ledger ${cursor.origin} was replaced`);
}
