/**
 * PostgreSQL through Warder beside pgbouncer (session mode) and a direct connection: pgbench, select by key on the demo data, in interleaved
 * rounds. Prints transactions per second and the ratio of medians to pgbouncer; `--quick` runs shorter rounds.
 *
 * Warder does all of its work in this run: parsing, decision, a durable record before every statement, detectors on text columns, masks.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile, chmod, chown } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startInstallation, waitFor, type Installation } from '../test/stories/installation.ts';

const quick = process.argv.includes('--quick');
const rounds = quick ? 2 : 5;
const seconds = quick ? 2 : 5;
const bouncerPort = 16_432;

interface Peer {
  readonly name: string;
  readonly environment: Record<string, string>;
}

const scripts = {
  'select by key': 'SELECT id, city, country FROM customers WHERE id = :id;',
  'select by key, two columns masked': 'SELECT id, email, card FROM customers WHERE id = :id;',
} as const;

async function main(): Promise<void> {
  if (spawnSync('pgbouncer', ['--version']).error) {
    spawnSync('apt-get', ['-qq', 'install', '-y', '--no-install-recommends', 'pgbouncer'], { stdio: 'ignore' });
    if (spawnSync('pgbouncer', ['--version']).error) throw new Error('pgbouncer is missing; install the Debian package pgbouncer');
  }
  const folder = await mkdtemp(join(tmpdir(), 'warder-bench-'));
  await chmod(folder, 0o755);
  const installation = await startInstallation({ home: join(folder, 'home') });
  let bouncer: ChildProcess | undefined;
  try {
    const target = targetOf(installation.ready.home);
    bouncer = await startBouncer(folder, target);
    const peers: readonly Peer[] = [
      { name: 'direct', environment: { PGHOST: target.host, PGPORT: '5432', PGUSER: 'warder_app', PGPASSWORD: target.password } },
      {
        name: 'pgbouncer',
        environment: { PGHOST: '127.0.0.1', PGPORT: String(bouncerPort), PGUSER: 'warder_app', PGPASSWORD: target.password },
      },
      {
        name: 'warder',
        environment: {
          PGHOST: installation.ready.postgres.host,
          PGPORT: String(installation.ready.postgres.port),
          PGUSER: 'engineer',
          PGPASSWORD: installation.ready.subjects.engineer.token,
        },
      },
    ];
    for (const [title, sql] of Object.entries(scripts)) {
      const script = join(folder, 'script.sql');
      await writeFile(script, `\\set id random(1, 10000)\n${sql}\n`);
      process.stdout.write(
        `\n${title}\n| clients | protocol | ${peers.map(({ name }) => name).join(' | ')} | warder ÷ pgbouncer | spread |\n|---|---|---|---|---|---|---|\n`,
      );
      for (const clients of [1, 32]) for (const protocol of ['simple', 'extended', 'prepared']) row({ peers, script, clients, protocol });
    }
  } finally {
    bouncer?.kill('SIGKILL');
    await installation.destroy();
    await rm(folder, { recursive: true, force: true });
  }
}

function row(run: { peers: readonly Peer[]; script: string; clients: number; protocol: string }): void {
  const results = new Map<string, number[]>(run.peers.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round += 1)
    for (const peer of run.peers) results.get(peer.name)?.push(transactionsPerSecond(peer, run));
  const medians = run.peers.map(({ name }) => median(results.get(name) ?? []));
  const ratios = (results.get('warder') ?? []).map((value, round) => value / (results.get('pgbouncer')?.[round] ?? Number.NaN));
  const ratio = (medians[2] ?? 0) / (medians[1] ?? 1);
  const spread = `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`;
  process.stdout.write(
    `| ${run.clients} | ${run.protocol} | ${medians.map((value) => value.toFixed(0)).join(' | ')} | ${ratio.toFixed(2)} | ${spread} |\n`,
  );
}

function transactionsPerSecond(peer: Peer, run: { script: string; clients: number; protocol: string }): number {
  const args = ['-n', '-f', run.script, '-M', run.protocol, '-c', String(run.clients), '-j', '1', '-T', String(seconds), 'orders-demo'];
  const { stdout, stderr, status } = spawnSync('pgbench', args, { encoding: 'utf8', env: { ...process.env, ...peer.environment } });
  const tps = /tps = ([0-9.]+) \(without/.exec(stdout)?.[1];
  if (status !== 0 || tps === undefined) throw new Error(`pgbench through ${peer.name} failed:\n${stdout}${stderr}`);
  return Number(tps);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** The demo's target, reached as Warder reaches it. */
function targetOf(home: Installation['ready']['home']): { host: string; password: string } {
  return { host: join(home, 'demo', 'orders', 'socket'), password: readFileSync(join(home, 'secrets', 'orders-demo'), 'utf8').trim() };
}

async function startBouncer(folder: string, target: { host: string; password: string }): Promise<ChildProcess> {
  const config = join(folder, 'pgbouncer.ini');
  const users = join(folder, 'users.txt');
  await writeFile(users, `"warder_app" "${target.password}"\n`);
  await writeFile(
    config,
    `[databases]
orders-demo = host=${target.host} port=5432 dbname=orders-demo user=warder_app password=${target.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${bouncerPort}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${users}
pool_mode = session
default_pool_size = 64
max_client_conn = 128
logfile = ${join(folder, 'pgbouncer.log')}
`,
  );
  const log = join(folder, 'pgbouncer.log');
  await writeFile(log, '');
  const root = process.getuid?.() === 0;
  if (root) for (const file of [config, users, log]) await chown(file, 65_534, 65_534);
  const args = root ? ['--reuid=65534', '--regid=65534', '--clear-groups', 'pgbouncer', '-q', config] : [];
  const bouncer = root ? spawn('setpriv', args, { stdio: 'inherit' }) : spawn('pgbouncer', ['-q', config], { stdio: 'inherit' });
  const environment = {
    ...process.env,
    PGHOST: '127.0.0.1',
    PGPORT: String(bouncerPort),
    PGUSER: 'warder_app',
    PGPASSWORD: target.password,
  };
  await waitFor('pgbouncer', () => spawnSync('psql', ['-X', '-c', 'SELECT 1', 'orders-demo'], { env: environment }).status === 0);
  return bouncer;
}

await main();
