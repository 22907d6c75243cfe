import type { Generated, Migration } from 'kysely';
import { sql } from 'kysely';

export interface SinkTables {
  /** How far each sink has delivered each ledger. */
  sink_cursor: {
    sink: string;
    origin: string;
    /** Key of the ledger; another one is another ledger, and the cursor starts again. */
    vkey: string;
    /** First entry that the receiver has not acknowledged. */
    next: number;
    /** Entries before this one may have reached the receiver: they were on their way when something broke. Never below `next`. */
    sent: number;
  };
  /** What a sink did, for those who watch it. */
  sink_state: {
    sink: string;
    delivered: number;
    /** Events that were delivered with the mark that they may be there twice. */
    marked: number;
    delivered_at: number | null;
    failures: number;
    /** What the last attempt failed with; empty when it succeeded. */
    error: string | null;
    error_at: number | null;
    /** Events set aside since one was taken. */
    aside_in_row: Generated<number>;
  };
  /** Events that a receiver refused for what they are: delivered or given up when somebody says so. */
  sink_aside: { sink: string; origin: string; i: number; kind: string; why: string; at: number };
}

export const sinkMigrations: Readonly<Record<string, Migration>> = {
  '0008-sinks': {
    async up(db) {
      await sql`
        create table sink_cursor (
          sink text not null,
          origin text not null,
          vkey text not null,
          next bigint not null,
          sent bigint not null,
          primary key (sink, origin),
          check (sent >= next)
        )`.execute(db);
      await sql`
        create table sink_state (
          sink text primary key,
          delivered bigint not null default 0,
          marked bigint not null default 0,
          delivered_at bigint,
          failures bigint not null default 0,
          error text,
          error_at bigint
        )`.execute(db);
    },
  },
  '0013-set-aside': {
    async up(db) {
      await sql`alter table sink_state add column aside_in_row integer not null default 0`.execute(db);
      await sql`
        create table sink_aside (
          sink text not null,
          origin text not null,
          i bigint not null,
          kind text not null,
          why text not null,
          at bigint not null,
          primary key (sink, origin, i)
        )`.execute(db);
    },
  },
};
