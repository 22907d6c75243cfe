import { sql } from 'kysely';
import { Fault, limits } from '#model';
import type { Database, Store, Work } from '../store/database.ts';
import type { Facts } from './facts.ts';

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

export interface SetAside {
  readonly event: Facts;
  readonly why: string;
  readonly at: number;
  readonly record: () => Promise<void>;
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
  /** The receiver has acknowledged everything before `to`, and what comes next, up to `upTo`, may arrive: one wait for the disk instead of two. */
  advance(
    step: Step & { readonly delivered: number; readonly marked: number; readonly at: number; readonly upTo?: number | undefined },
  ): Promise<Cursor>;
  fail(sink: string, failure: { readonly why: string; readonly at: number }): Promise<void>;
  /**
   * Moves the cursor past one event that its receiver refuses for what it is, and keeps its position to offer it again. False, and nothing
   * changes, when so many were set aside in a row that the receiver must be what is wrong. `record` is waited for before the cursor moves.
   */
  setAside(step: Step & SetAside): Promise<boolean>;
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
      if (sent !== cursor.sent) await change(db, { sink, cursor, next: cursor.next, sent });
      return { ...cursor, sent };
    },

    async withdraw({ sink, cursor, before }) {
      if (cursor.sent !== before.sent) await change(db, { sink, cursor, next: cursor.next, sent: before.sent });
    },

    async advance({ sink, cursor, to, delivered, marked, at, upTo = to }) {
      const next = { ...cursor, next: to, sent: Math.max(cursor.sent, to, upTo) };
      if (delivered === 0) {
        await change(db, { sink, cursor, next: next.next, sent: next.sent });
        return next;
      }
      // One statement, so one wait for the disk.
      const { rows } = await sql<{ sink: string }>`
        with moved as (
          update sink_cursor set next = ${next.next}, sent = ${next.sent}
          where sink = ${sink} and origin = ${cursor.origin} and vkey = ${cursor.vkey} and next = ${cursor.next} and sent = ${cursor.sent}
          returning sink
        )
        update sink_state s
        set delivered = delivered + ${delivered}, marked = marked + ${marked}, delivered_at = ${at}, error = null, aside_in_row = 0
        from moved where s.sink = moved.sink
        returning s.sink`.execute(db);
      if (rows.length !== 1) throw late(sink, cursor);
      return next;
    },

    async fail(sink, { why, at }) {
      await sql`
        update sink_state set failures = failures + 1, error = ${why.replaceAll('\0', '')}, error_at = ${at} where sink = ${sink}`.execute(
        db,
      );
    },

    setAside: ({ sink, cursor, to, event, why, at, record }) =>
      store.transact(async (trx) => {
        const counted = await trx
          .updateTable('sink_state')
          .set((was) => ({ aside_in_row: was('aside_in_row', '+', 1) }))
          .where('sink', '=', sink)
          .where('aside_in_row', '<', limits.sinkSetAsideInRowMax)
          .executeTakeFirst();
        if (counted.numUpdatedRows !== 1n) return false;
        await record();
        await change(trx, { sink, cursor, next: to, sent: Math.max(cursor.sent, to) });
        const { origin, i, kind } = event;
        await trx
          .insertInto('sink_aside')
          .values({ sink, origin, i, kind, why: why.replaceAll('\0', ''), at })
          .onConflict((conflict) => conflict.columns(['sink', 'origin', 'i']).doUpdateSet({ why, at }))
          .execute();
        return true;
      }),
  };
}

async function change(
  db: Database | Work,
  { sink, cursor, next, sent }: { sink: string; cursor: Cursor; next: number; sent: number },
): Promise<void> {
  const changed = await db
    .updateTable('sink_cursor')
    .set({ next, sent })
    .where('sink', '=', sink)
    .where('origin', '=', cursor.origin)
    .where('vkey', '=', cursor.vkey)
    .where('next', '=', cursor.next)
    .where('sent', '=', cursor.sent)
    .executeTakeFirst();
  if (changed.numUpdatedRows === 1n) return;
  throw late(sink, cursor);
}

function late(sink: string, { origin }: Cursor): Fault {
  return new Fault('CONFLICT', `somebody else delivers to the sink ${sink}, or the ledger ${origin} was replaced`);
}
