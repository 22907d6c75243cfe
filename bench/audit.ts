/**
 * The search over the audit index at a size, with records coming in meanwhile, and what the ways into and out of the control plane's store
 * carry: the mirror, the search index, a sink.
 *
 *     node bench/audit.ts [--records 200000] [--directory /on/the/disk/to/measure] [--keep] [--rounds 30] [--writes 500] [--ingest]
 *
 * `--ingest` leaves the searches out, `--searches` the rest; `--search TEXT` asks only what has the text in its name; `--alike 1000000` sends so many
 * of the generated records through the real mirror and indexer and compares. The full run has `--records 10000000` and takes about 30 GB of disk
 * and ten minutes. A folder that was kept is used again.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { realWorld, startPostgres } from '#host';
import { openStore } from '../src/control/store/database.ts';
import type { Store } from '../src/control/store/database.ts';
import { migrate } from '../src/control/store/migrate.ts';
import { checkAlike } from './audit/alike.ts';
import { generate } from './audit/generate.ts';
import { measureIngest } from './audit/ingest.ts';
import { measureSearches } from './audit/searches.ts';

const argument = (name: string, fallback: string): string => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : (process.argv[at + 1] ?? fallback);
};
const quick = process.argv.includes('--quick');
const records = Number(argument('records', quick ? '50000' : '200000'));
const rounds = Number(argument('rounds', '30'));
const writes = Number(argument('writes', '500'));
const given = argument('directory', '');
const directory = given === '' ? mkdtempSync(join(tmpdir(), 'warder-bench-audit-')) : join(given, `audit-${records}`);
mkdirSync(directory, { recursive: true });
const made = join(directory, 'made');

const log = { info: () => undefined, warn: (fields: object, text: string) => console.warn(text, fields), error: console.error };
const said = (text: string): void => void process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);

async function withStore<T>(settings: Record<string, string>, action: (store: Store) => Promise<T>): Promise<T> {
  const server = await startPostgres({ directory: join(directory, 'pg'), superuser: 'warder', password: 'bench', settings });
  try {
    const account = { host: server.host, port: server.port, user: 'warder', password: 'bench' };
    const client = new pg.Client({ ...account, database: 'postgres' });
    await client.connect();
    const { rowCount } = await client.query(`select from pg_database where datname = 'bench'`);
    if (rowCount === 0) await client.query('create database bench');
    await client.end();
    const store = await openStore({ kind: 'socket', ...account, database: 'bench' }, { world: realWorld, log });
    try {
      await migrate(store);
      return await action(store);
    } finally {
      await store.close();
    }
  } finally {
    await server.stop();
  }
}

try {
  if (!existsSync(made)) {
    rmSync(join(directory, 'pg'), { recursive: true, force: true });
    await withStore({ fsync: 'off', max_wal_size: '8GB', checkpoint_timeout: '1h' }, (store) => generate(store, records, said));
    mkdirSync(made);
  }
  // From here on the server is the one that the product starts.
  await withStore({}, async (store) => {
    console.log(`\n${records} records`);
    if (!process.argv.includes('--ingest')) await measureSearches(store, { rounds, writes, only: argument('search', ''), said });
    const alike = Number(argument('alike', '0'));
    if (alike > 0) await checkAlike(store, { count: alike, said });
    if (!process.argv.includes('--searches')) await measureIngest(store, { said, directory });
  });
} finally {
  if (!process.argv.includes('--keep')) rmSync(directory, { recursive: true, force: true });
}
