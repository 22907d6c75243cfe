import type { ColumnType, Generated, Migration } from 'kysely';
import { sql } from 'kysely';
import type { Role, Subject } from '#model';

/** A JSON column: read as the value, written as text. */
type JsonColumn<T> = ColumnType<T, string, string>;

export interface IdentityTables {
  subject: {
    id: string;
    name: string;
    type: Subject['type'];
    groups: string[];
    roles: Role[];
    on_behalf_of: JsonColumn<NonNullable<Subject['onBehalfOf']>> | null;
    /** SCRAM salt of all its tokens, base64; one per subject, as the protocol asks for it before the token is known. */
    salt: string;
    iterations: number;
    created_at: number;
    /** A removed account stays: records name it. It has no live token, and no new one is made. */
    removed_at: Generated<number | null>;
  };
  /** Verifiers only; a token itself is shown once and stored nowhere. */
  token: {
    id: string;
    subject: string;
    stored_key: string;
    server_key: string;
    created_at: number;
    created_by: string;
    expires_at: number;
    /** The token it was made with, when its holder made it for themselves: it ends with that one. */
    parent: Generated<string | null>;
    revoked_at: Generated<number | null>;
    revoked_by: Generated<string | null>;
  };
}

export const identityMigrations: Readonly<Record<string, Migration>> = {
  '0001-identity': {
    async up(db) {
      await sql`
        create table subject (
          id text primary key,
          name text not null unique,
          type text not null check (type in ('user', 'service', 'agent')),
          groups text[] not null,
          roles text[] not null,
          on_behalf_of jsonb,
          salt text not null,
          iterations integer not null check (iterations >= 4096),
          created_at bigint not null
        )`.execute(db);
      await sql`
        create table token (
          id text primary key,
          subject text not null references subject (id),
          stored_key text not null,
          server_key text not null,
          created_at bigint not null,
          created_by text not null,
          expires_at bigint not null,
          revoked_at bigint,
          revoked_by text
        )`.execute(db);
      await sql`create index token_subject on token (subject, created_at)`.execute(db);
    },
  },
  '0010-removed-accounts': {
    async up(db) {
      await sql`alter table subject add column removed_at bigint`.execute(db);
    },
  },
  '0012-token-parents': {
    async up(db) {
      await sql`alter table token add column parent text references token (id)`.execute(db);
      await sql`create index token_parent on token (parent) where parent is not null`.execute(db);
    },
  },
};
