import type { Client } from 'pg';
import type { DatabaseConfig } from './configuration.ts';

/** How to reach a server as one of its roles. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/** A connection of its own; the caller ends it. */
export async function adminOf(server: ServerAddress, database = 'postgres'): Promise<Client> {
  const { Client } = await import('pg');
  const client = new Client({ ...server, database });
  // A server that goes away fails the query that runs or the next one; without a listener it would end the process.
  client.on('error', () => {});
  await client.connect();
  return client;
}

/**
 * Makes a role that is no superuser and a database that it owns; sets the role's password at every start, so that the kept one holds.
 * `fill` gets the name under which the database is made; only when it succeeds does the database get its own. True when it was made.
 */
export async function ensureDatabase(
  admin: Client,
  wanted: { readonly database: string; readonly role: string; readonly password: string; readonly exclusive?: boolean },
  fill: (name: string) => Promise<void> = async () => {},
): Promise<boolean> {
  const database = admin.escapeIdentifier(wanted.database);
  const role = admin.escapeIdentifier(wanted.role);
  const password = admin.escapeLiteral(wanted.password);
  const roles = await admin.query('select 1 from pg_roles where rolname = $1', [wanted.role]);
  const rights = 'login nosuperuser nocreatedb nocreaterole noreplication nobypassrls';
  await admin.query(`${roles.rowCount === 0 ? 'create' : 'alter'} role ${role} ${rights} password ${password}`);
  const there = await admin.query('select 1 from pg_database where datname = $1', [wanted.database]);
  if (there.rowCount !== 0) return false;
  const name = `${wanted.database}.new`;
  const fresh = admin.escapeIdentifier(name);
  await admin.query(`drop database if exists ${fresh} with (force)`);
  await admin.query(`create database ${fresh} owner ${role} template template0`);
  if (wanted.exclusive === true) await admin.query(`revoke all on database ${fresh} from public`);
  await fill(name);
  await admin.query(`alter database ${fresh} rename to ${database}`);
  return true;
}

/** The control plane's own database on an embedded server. Its role owns it and is no superuser. */
export async function storeDatabase(
  server: { readonly host: string; readonly port: number },
  passwords: { readonly superuser: string; readonly warder: string },
): Promise<DatabaseConfig> {
  const admin = await adminOf({ host: server.host, port: server.port, user: 'postgres', password: passwords.superuser });
  try {
    await ensureDatabase(admin, { database: 'warder', role: 'warder', password: passwords.warder, exclusive: true });
  } finally {
    await admin.end();
  }
  return { kind: 'socket', host: server.host, port: server.port, user: 'warder', password: passwords.warder, database: 'warder' };
}
