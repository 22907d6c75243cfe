import type { ColumnType, Migration } from 'kysely';
import { sql } from 'kysely';
import type { RolloutStatus } from '#model';
import type { Measured } from './measure.ts';

type JsonColumn<T> = ColumnType<T, string, string>;

export interface RolloutTables {
  /** Where each rollout that moves by itself stands. One row for each name; a changed document begins anew. */
  rollout: {
    name: string;
    /** Digest of the document that this is about. */
    document: string;
    step: number;
    status: RolloutStatus;
    /** When the step began. */
    since: number;
    /** Why it stands where it stands, and who or what brought it there. */
    reason: string;
    by: string;
    approved_by: string | null;
    /** Digest of the bundle that was in force then: an approval says nothing about another one. */
    approved_bundle: string | null;
    measured: JsonColumn<Measured>;
    /** Of each ledger, the entry that is looked at next. */
    positions: JsonColumn<Readonly<Record<string, number>>>;
  };
}

export const rolloutMigrations: Readonly<Record<string, Migration>> = {
  '0019-rollouts': {
    async up(db) {
      await sql`
        create table rollout (
          name text primary key,
          document text not null,
          step integer not null,
          status text not null check (status in ('running', 'held', 'rolled_back', 'complete')),
          since bigint not null,
          reason text not null,
          by text not null,
          approved_by text,
          measured jsonb not null,
          positions jsonb not null
        )`.execute(db);
    },
  },
  '0021-rollout-approvals': {
    async up(db) {
      await sql`alter table rollout add column approved_bundle text`.execute(db);
    },
  },
};
