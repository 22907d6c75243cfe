import type { Generated, Migration } from 'kysely';
import { sql } from 'kysely';

export interface EvidenceTables {
  /** Index of mirrored ledger entries. Can be thrown away and rebuilt from the ledgers; `line` is the entry, verbatim. */
  record: {
    origin: string;
    i: number;
    kind: string;
    t: number;
    session: string | null;
    operation: string | null;
    n: number | null;
    decision: string | null;
    subject: string | null;
    /** The human the subject acts for. */
    on_behalf_of: string | null;
    resource: string | null;
    verdict: string | null;
    reason: string | null;
    line: string;
  };
  /** How far each ledger is mirrored. */
  mirror: {
    origin: string;
    vkey: string;
    /** Number of contiguous entries that are in `record`. */
    entries: number;
    /** Hex leaf hash of the newest of them, what the next entry's `prev` must be; empty at the start. */
    leaf: string;
    /** The largest size that was signed by us; of the tree at that size the roots of its perfect subtrees, hex, largest first. */
    signed: Generated<number>;
    peaks: Generated<string>;
    /** The signed note of that size, as the ledger gave it; empty before the first. */
    note: Generated<string>;
  };
}

export const evidenceMigrations: Readonly<Record<string, Migration>> = {
  '0005-evidence': {
    async up(db) {
      await sql`
        create table record (
          origin text not null,
          i bigint not null,
          kind text not null,
          t bigint not null,
          session text,
          operation text,
          n bigint,
          decision text,
          subject text,
          on_behalf_of text,
          resource text,
          verdict text,
          reason text,
          line text not null,
          primary key (origin, i)
        )`.execute(db);
      // One index for all of a session: with fresh statistics missing, the planner must not be tempted to join it with the primary key.
      await sql`create index record_session on record (session, origin, n, i) where session is not null`.execute(db);
      await sql`create index record_decision on record (decision) where decision is not null`.execute(db);
      await sql`create index record_opened on record (t desc, session desc) where kind = 'session.opened'`.execute(db);
      await sql`
        create table mirror (
          origin text primary key,
          vkey text not null,
          entries bigint not null,
          leaf text not null
        )`.execute(db);
    },
  },
  '0009-witness': {
    async up(db) {
      await sql`alter table mirror add column signed bigint not null default 0, add column peaks text not null default ''`.execute(db);
    },
  },
  '0014-retention': {
    async up(db) {
      await sql`create index record_pruned on record (origin, i) where kind = 'log.pruned'`.execute(db);
    },
  },
};
