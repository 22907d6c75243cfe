/**
 * How long the control plane takes, after it was away, to have everything that a gateway wrote meanwhile: mirrored, indexed, and in a file sink. The
 * ledger, the link, the control plane in a process of its own and its store are the real ones; what a gateway does besides is left out.
 *
 *     node bench/audit-catch-up.ts [--records 200000] [--directory /on/the/disk/to/measure] [--sinks 1]
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { realWorld, startPostgres, until } from '#host';
import type { ControlConfig } from '#host';
import { openLedger } from '#ledger';
import type { Ledger } from '#ledger';
import type { RecordDraft } from '#model';
import { testBundle } from '../src/control/testing/installation.ts';
import { sessionDrafts } from '../src/control/testing/records.ts';
import { Link } from '../src/gateway/link.ts';
import { Shipper } from '../src/gateway/shipper.ts';
import { openCpuMeter } from './audit/cpu.ts';

const argument = (name: string, fallback: string): string => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : (process.argv[at + 1] ?? fallback);
};
const records = Number(argument('records', process.argv.includes('--quick') ? '20000' : '200000'));
const sinks = Number(argument('sinks', '1'));
const given = argument('directory', '');
const directory = given === '' ? mkdtempSync(join(tmpdir(), 'warder-bench-catch-up-')) : join(given, 'catch-up');
mkdirSync(directory, { recursive: true });
const log = { info: () => undefined, warn: (fields: object, text: string) => console.warn(text, fields), error: console.error };
const said = (text: string): void => void process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
const origin = 'ledger.local/gateway-1';

/** A ledger as a gateway leaves it that went on without its control plane. */
async function written(): Promise<Ledger> {
  const ledger = await openLedger({
    directory: join(directory, 'gateway-ledger'),
    origin,
    keys: join(directory, 'gateway-keys'),
    world: realWorld,
    build: 'warder 0.1.0',
    onFatal: (fault) => {
      throw fault;
    },
  });
  const operations = Array.from({ length: 50 }, (_, at) => ({ n: at + 1, verdict: 'allow' as const }));
  for (let session = 0; ledger.size < records; session += 1) {
    const first = ledger.size;
    const drafts = sessionDrafts(`ses_${session}`, { subject: `user:person-${session % 500}`, operations });
    const placed = drafts.map((draft) => ('for' in draft ? { ...draft, for: first + Number(draft['for']) } : draft));
    // Reason: they are drafts of the kinds that a gateway writes.
    await Promise.all(placed.map((draft) => ledger.append(draft as unknown as RecordDraft)));
    if (session % 2_000 === 1_999) said(`${ledger.size} records written`);
  }
  return ledger;
}

/** The control plane in a process of its own, with a file sink or several. */
async function startControl(database: ControlConfig['database']): Promise<{ config: ControlConfig; pid: number; stop(): Promise<void> }> {
  const home = join(directory, 'home');
  mkdirSync(join(home, 'policies'), { recursive: true });
  writeFileSync(join(home, 'policies', testBundle.path), testBundle.text);
  const files = Array.from({ length: sinks }, (_, at) => `  - { name: file-${at}, type: file, path: ${home}/events-${at}.jsonl }\n`);
  if (sinks > 0) writeFileSync(join(home, 'sinks.yaml'), `sinks:\n${files.join('')}`);
  const config: ControlConfig = {
    home,
    api: { host: '127.0.0.1', port: 0 },
    database,
    linkSocket: join(home, 'link.sock'),
    linkSecretFile: join(home, 'link.secret'),
    ledger: join(home, 'ledger'),
    keys: join(home, 'keys'),
    policies: join(home, 'policies'),
    operatorTokenFile: join(home, 'operator.token'),
    demo: true,
    resources: [],
  };
  const child = spawn(process.execPath, [join(import.meta.dirname, '../src/control/testing/child.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.stdin.end(JSON.stringify(config));
  await new Promise<void>((resolve) => createInterface(child.stdout).once('line', () => resolve()));
  return {
    config,
    pid: child.pid ?? 0,
    async stop() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Connects the ledger to the control plane as a gateway does. */
function connected(ledger: Ledger, config: ControlConfig): { stop(): void } {
  const unexpected = async (): Promise<never> => Promise.reject(new Error('nobody asks this gateway anything'));
  const secret = readFileSync(config.linkSecretFile, 'utf8').trim();
  const link: Link = new Link({
    world: realWorld,
    log,
    socketPath: config.linkSocket,
    hello: () => ({ node: 'gateway-1', version: '0.1.0', secret, ledger: { origin, vkey: ledger.vkey } }),
    onHello: (result) => queueMicrotask(() => shipper.resume(result.mirrored, undefined)),
    onDown: () => undefined,
    // Reason: whatever may be asked.
    calls: new Proxy({}, { get: () => unexpected }) as ConstructorParameters<typeof Link>[0]['calls'],
    notices: new Proxy({}, { get: () => () => undefined }) as ConstructorParameters<typeof Link>[0]['notices'],
  });
  const shipper = new Shipper({ world: realWorld, ledger, link, log });
  link.start();
  return {
    stop() {
      shipper.stop();
      link.close();
    },
  };
}

const postgres = await startPostgres({ directory: join(directory, 'pg'), superuser: 'warder', password: 'bench' });
const account = { host: postgres.host, port: postgres.port, user: 'warder', password: 'bench' };
try {
  const client = new pg.Client({ ...account, database: 'postgres' });
  await client.connect();
  await client.query('create database bench');
  await client.end();
  const ledger = await written();
  const control = await startControl({ kind: 'socket', ...account, database: 'bench' });
  const looking = new pg.Client({ ...account, database: 'bench' });
  await looking.connect();
  const counting = (query: string): Promise<number> => looking.query(query, [origin]).then(({ rows }) => Number(rows[0]?.count ?? 0));
  let asked: Promise<unknown> = Promise.resolve();
  // One after another: there is one connection.
  const count = (query: string): Promise<number> => {
    const own = asked.then(() => counting(query));
    asked = own;
    return own;
  };
  const wanted = ledger.size;
  const counted: readonly (readonly [string, string])[] = [
    ['mirrored', 'select entries as count from mirror where origin = $1'],
    ['indexed', 'select entries as count from search_log where origin = $1'],
    ...(sinks === 0 ? [] : ([['in every sink', 'select min(next) as count from sink_cursor where origin = $1']] as const)),
  ];
  const spent = openCpuMeter(directory, control.pid);
  const began = performance.now();
  const gateway = connected(ledger, control.config);
  const rows = await Promise.all(
    counted.map(async ([what, query]) => {
      const done = await until(async () => ((await count(query)) >= wanted ? performance.now() - began : undefined), {
        deadlineMs: 3_600_000,
        everyMs: 100,
      });
      said(`${what} after ${((done ?? 0) / 1000).toFixed(1)} s`);
      return { what, seconds: ((done ?? 0) / 1000).toFixed(1), 'records/s': Math.round((wanted / (done ?? 1)) * 1000) };
    }),
  );
  const { own, server, other } = spent();
  const each = (µs: number): string => `${(µs / wanted).toFixed(1)} µs`;
  console.log(`\n${wanted} records; for each the gateway ${each(own)}, the control plane ${each(other)}, PostgreSQL ${each(server)}`);
  console.table(rows);
  gateway.stop();
  await looking.end();
  await control.stop();
  await ledger.close();
} finally {
  await postgres.stop('immediate');
  rmSync(directory, { recursive: true, force: true });
}
