import type { Migration } from 'kysely';
import { sql } from 'kysely';

/**
 * The search index: made from the mirrored records, behind them by a moment, and worth nothing by itself. Emptying all four tables makes
 * it grow again.
 */
export interface SearchTables {
  /** The ledgers that are indexed; a small number stands for the origin everywhere else. */
  search_log: {
    id: number;
    origin: string;
    /** Key of the ledger that was indexed; another one is another ledger. */
    vkey: string;
    /** Number of contiguous entries that are indexed. */
    entries: number;
  };
  /** Normalized texts, each once: an application has thousands of them where it has millions of operations. */
  search_text: { id: number; digest: Buffer; text: string };
  search: {
    log: number;
    i: number;
    t: number;
    kind: string;
    session: string | null;
    decision: string | null;
    subject: string | null;
    on_behalf_of: string | null;
    resource: string | null;
    verdict: string | null;
    text_id: number | null;
  };
  /** What a record has several of: `r:` and a rule, `o:` and an object. In the order of time, so that a page is one short scan. */
  search_term: { term: string; t: number; log: number; i: number };
}

export const searchMigrations: Readonly<Record<string, Migration>> = {
  '0007-search': {
    async up(db) {
      await sql`
        create table search_log (
          id integer generated always as identity primary key,
          origin text not null unique,
          vkey text not null,
          entries bigint not null
        )`.execute(db);
      await sql`
        create table search_text (
          id bigint generated always as identity primary key,
          digest bytea not null unique,
          text text not null
        )`.execute(db);
      await sql`
        create table search (
          log integer not null,
          i bigint not null,
          t bigint not null,
          kind text not null,
          session text,
          decision text,
          subject text,
          on_behalf_of text,
          resource text,
          verdict text,
          text_id bigint,
          primary key (log, i)
        )`.execute(db);
      // Every index ends with time and position: the newest page of any one condition is the beginning of a scan.
      await sql`create index search_time on search (t, log, i)`.execute(db);
      for (const column of ['kind', 'subject', 'on_behalf_of', 'resource', 'verdict', 'session', 'text_id']) {
        const one = sql.ref(column);
        await sql`create index ${sql.ref(`search_${column}`)} on search (${one}, t, log, i) where ${one} is not null`.execute(db);
      }
      await sql`create index search_decision on search (decision) where decision is not null`.execute(db);
      await sql`
        create table search_term (
          term text not null,
          t bigint not null,
          log integer not null,
          i bigint not null,
          primary key (term, t, log, i)
        )`.execute(db);
      await trigrams(db);
    },
  },
  '0015-search': {
    async up(db) {
      await sql`set local statement_timeout = 0`.execute(db);
      // What nearly every record has leads no search: the newest records will do. Without it the indexes are a tenth and cost little to grow.
      const seldom: Readonly<Record<string, string>> = {
        verdict: "verdict <> 'allow'",
        kind: "kind <> 'operation.decided' and kind <> 'operation.settled'",
      };
      for (const [column, condition] of Object.entries(seldom)) {
        await sql`drop index ${sql.ref(`search_${column}`)}`.execute(db);
        await sql`create index ${sql.ref(`search_${column}`)} on search (${sql.ref(column)}, t, log, i) where ${sql.raw(condition)}`.execute(
          db,
        );
      }
      // What was refused is what is looked for most, and it is seldom: by whom and at what, without reading all that was allowed.
      for (const column of ['subject', 'on_behalf_of', 'resource']) {
        const one = sql.ref(column);
        await sql`
          create index ${sql.ref(`search_refused_${column}`)} on search (${one}, verdict, t, log, i)
          where verdict <> 'allow' and ${one} is not null`.execute(db);
      }
    },
  },
};

/** Trigrams make text search fast. Where the server has none, or this role may not install them, texts are read one after another. */
async function trigrams(db: Parameters<Migration['up']>[0]): Promise<void> {
  await sql`
    do $$
    begin
      create extension if not exists pg_trgm;
    exception when others then
      raise notice 'pg_trgm is not available: %', sqlerrm;
    end
    $$`.execute(db);
  await sql`
    do $$
    begin
      if exists (select from pg_extension where extname = 'pg_trgm') then
        create index search_text_trigram on search_text using gin (text gin_trgm_ops);
      end if;
    end
    $$`.execute(db);
}
