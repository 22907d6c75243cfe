import pg from 'pg';
import { Kysely, PostgresDialect, sql } from 'kysely';
import type { Transaction } from 'kysely';
import { Fault, limits } from '#model';
import type { DatabaseConfig } from '#host';
import type { World } from '#model';
import type { Log } from '../log.ts';
import { CopyingClient } from './copy.ts';
import type { Tables } from './tables.ts';

export type Database = Kysely<Tables>;
export type Work = Transaction<Tables>;

export interface Store {
  readonly db: Database;
  /**
   * One transaction, READ COMMITTED; the callers lock the rows they change (`FOR UPDATE`).
   * Never retried here: after a lost connection nobody knows whether the commit happened, only the caller can find out.
   */
  transact<T>(work: (trx: Work) => Promise<T>): Promise<T>;
  /** True when a trivial query is answered. */
  healthy(): Promise<boolean>;
  close(): Promise<void>;
}

const int8 = 20;

/** Opens the pool and waits until the server answers, at most `waitMs`. Throws STORE_UNREACHABLE. */
export async function openStore(
  address: DatabaseConfig,
  { world, log, waitMs = 30_000 }: { world: World; log: Log; waitMs?: number },
): Promise<Store> {
  const pool = new pg.Pool({
    ...connection(address),
    Client: CopyingClient,
    max: 10,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 30_000,
    application_name: 'warder-control',
    // What was answered must survive a crash of the server, whatever its own default is.
    options: `-c synchronous_commit=on -c statement_timeout=${limits.storeStatementMs}`,
    // Times and counts are bigint in the tables; all of them are safe integers.
    types: {
      getTypeParser(oid: number, format?: 'text' | 'binary') {
        if (oid === int8) return Number;
        // The type of pg's own function is overloaded on the literal format.
        return pg.types.getTypeParser(oid, format as 'text');
      },
    },
  });
  // Without a listener, an idle connection that the server closes would end the process; the pool replaces it by itself.
  pool.on('error', (error) => log.warn({ error: error.message }, 'a database connection was lost'));
  // A connection that is lost while it works fails its query; without a listener of its own it would also end the process.
  pool.on('connect', (client) => client.on('error', () => undefined));
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  const healthy = async (): Promise<boolean> => {
    try {
      await sql`select 1`.execute(db);
      return true;
    } catch {
      return false;
    }
  };
  const deadline = world.monotonicNs() + BigInt(waitMs) * 1_000_000n;
  while (!(await healthy())) {
    if (world.monotonicNs() > deadline) {
      await db.destroy();
      throw new Fault('STORE_UNREACHABLE', `the database of the control plane did not answer within ${waitMs / 1000} s`);
    }
    await new Promise<void>((resolve) => world.after(200, resolve));
  }
  return {
    db,
    transact: (work) => db.transaction().execute(work),
    healthy,
    close: () => db.destroy(),
  };
}

function connection(address: DatabaseConfig): pg.PoolConfig {
  if (address.kind === 'url') return { connectionString: address.url };
  const { host, port, user, password, database } = address;
  return { host, port, user, password, database };
}

/** SQLSTATE codes that mean that the server is away, starting, stopping, out of connections or too slow. */
const awayStates = new Set(['57014', '57P01', '57P02', '57P03', '53300', '08000', '08003', '08006', '08001', '08004']);
const awayCodes = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENOTFOUND', 'EAI_AGAIN']);

/** The fault behind a failed database call: STORE_UNREACHABLE when the server is away, otherwise the error as it is. */
export function storeFault(thrown: unknown): unknown {
  if (thrown instanceof Fault || !(thrown instanceof Error)) return thrown;
  const code = 'code' in thrown ? String(thrown.code) : '';
  const away =
    awayStates.has(code) ||
    awayCodes.has(code) ||
    /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Cannot use a pool after)/.test(
      thrown.message,
    );
  return away ? new Fault('STORE_UNREACHABLE', 'the database of the control plane does not answer', { cause: thrown }) : thrown;
}
