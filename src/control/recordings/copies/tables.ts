import type { Migration } from 'kysely';
import { sql } from 'kysely';

export interface CopyTables {
  /** How far the sealed bytes of a mirrored ledger are copied: the first entry that was not looked at. */
  recording_copy: { origin: string; next: number };
  /** Hashes of copies whose records left the mirror: they are removed from where they lie, and then from here. */
  recording_leaving: { hash: string };
}

export const copyMigrations: Readonly<Record<string, Migration>> = {
  '0018-recording-copies': {
    async up(db) {
      await sql`create table recording_copy (origin text primary key, next bigint not null)`.execute(db);
      // With it the mirror can prove what is in the ledger when the gateway is gone.
      await sql`alter table mirror add column note text not null default ''`.execute(db);
      await sql`create table recording_leaving (hash text primary key)`.execute(db);
      // Of a large mirror it takes its time.
      await sql`set local statement_timeout = 0`.execute(db);
      // What the copying looks for, and nothing else of a ledger.
      await sql`
        create index record_sealed on record (origin, i)
        where kind in ('recording.chunk', 'evidence.shredded') or (kind = 'operation.decided' and position('"blob":"' in line) > 0)`.execute(
        db,
      );
    },
  },
};
