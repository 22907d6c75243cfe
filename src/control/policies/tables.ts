import type { ColumnType, Generated, Migration } from 'kysely';
import { sql } from 'kysely';
import type { SourceFile } from '#policy';

export interface PolicyTables {
  /** Every bundle that was ever activated, by digest. */
  bundle: {
    digest: string;
    name: string;
    version: string;
    files: ColumnType<readonly SourceFile[], string, string>;
    stored_at: number;
    stored_by: string;
  };
  /** The history of what was in force; the newest row is in force now. */
  bundle_activation: {
    id: Generated<number>;
    digest: string;
    at: number;
    by: string;
    /** Digest of the candidate that a rollout in it is about. */
    candidate: Generated<string | null>;
  };
}

export const policyMigrations: Readonly<Record<string, Migration>> = {
  '0020-candidates': {
    async up(db) {
      await sql`alter table bundle_activation add column candidate text references bundle (digest)`.execute(db);
    },
  },
  '0002-policies': {
    async up(db) {
      await sql`
        create table bundle (
          digest text primary key check (digest like 'sha256:%'),
          name text not null,
          version text not null,
          files jsonb not null,
          stored_at bigint not null,
          stored_by text not null
        )`.execute(db);
      await sql`
        create table bundle_activation (
          id bigint generated always as identity primary key,
          digest text not null references bundle (digest),
          at bigint not null,
          by text not null
        )`.execute(db);
    },
  },
};
