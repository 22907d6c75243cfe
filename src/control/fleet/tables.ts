import type { Migration } from 'kysely';
import { sql } from 'kysely';

export interface FleetTables {
  resource: {
    id: string;
    name: string;
    /** The whole `ResourceConfig`, sealed: it holds the credentials. */
    config: Buffer;
    changed_at: number;
  };
  gateway: {
    node: string;
    version: string;
    origin: string;
    vkey: string;
    last_seen: number;
  };
}

export const fleetMigrations: Readonly<Record<string, Migration>> = {
  '0003-fleet': {
    async up(db) {
      await sql`
        create table resource (
          id text primary key,
          name text not null unique,
          config bytea not null,
          changed_at bigint not null
        )`.execute(db);
      await sql`
        create table gateway (
          node text primary key,
          version text not null,
          origin text not null unique,
          vkey text not null,
          last_seen bigint not null
        )`.execute(db);
    },
  },
};
