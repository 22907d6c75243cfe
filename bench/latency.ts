/**
 * What Warder adds to one statement at a steady rate, with everything it does: parsing, decision, a durable record before, another after. pgbench, select
 * by key on the demo data, as many statements a second as asked, on a direct connection and through Warder in turns; latencies are counted from when a
 * statement was due, so what waits in a queue counts. `--quick` runs shorter rounds.
 */
import { spawnSync } from 'node:child_process';
import { chmod, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startInstallation } from '../test/stories/installation.ts';

const quick = process.argv.includes('--quick');
const rounds = quick ? 2 : 3;
const seconds = quick ? 4 : 15;

interface Peer {
  readonly name: string;
  readonly environment: Record<string, string>;
}

interface Row {
  readonly 'statements/s': string;
  readonly peer: string;
  readonly 'p50 ms': string;
  readonly 'p99 ms': string;
  readonly 'done/s': number;
}

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'warder-latency-'));
  await chmod(folder, 0o755);
  const installation = await startInstallation({ home: join(folder, 'home') });
  try {
    const { home, postgres, subjects } = installation.ready;
    const password = readFileSync(join(home, 'secrets', 'orders-demo'), 'utf8').trim();
    const direct = { PGHOST: join(home, 'demo', 'orders', 'socket'), PGPORT: '5432', PGUSER: 'warder_app', PGPASSWORD: password };
    const through = { PGHOST: postgres.host, PGPORT: String(postgres.port), PGUSER: 'engineer', PGPASSWORD: subjects.engineer.token };
    const peers: readonly Peer[] = [
      { name: 'direct', environment: direct },
      { name: 'warder', environment: through },
    ];
    await writeFile(join(folder, 'script.sql'), '\\set id random(1, 10000)\nSELECT id, city, country FROM customers WHERE id = :id;\n');
    const rows: Row[] = [];
    // Neither peer is judged by its first seconds, when code is compiled and pages are read.
    for (const peer of peers) await latencies(peer, { folder, rate: 500 });
    for (const rate of [500, 2_000]) {
      const all = new Map<string, number[]>(peers.map(({ name }) => [name, []]));
      for (let round = 0; round < rounds; round += 1)
        for (const peer of peers) all.get(peer.name)?.push(...(await latencies(peer, { folder, rate })));
      for (const { name } of peers) rows.push(rowOf(all.get(name) ?? [], { name, rate }));
      const [one, two] = peers.map(({ name }) => quantiles(all.get(name) ?? []));
      if (one !== undefined && two !== undefined)
        rows.push({
          'statements/s': '',
          peer: 'added',
          'p50 ms': (two.p50 - one.p50).toFixed(2),
          'p99 ms': (two.p99 - one.p99).toFixed(2),
          'done/s': 0,
        });
    }
    console.table(rows);
  } finally {
    await installation.destroy();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Milliseconds of every statement of one round, from when it was due. */
async function latencies({ name, environment }: Peer, { folder, rate }: { folder: string; rate: number }): Promise<number[]> {
  const logs = await mkdtemp(join(folder, 'log-'));
  const script = join(folder, 'script.sql');
  const paced = ['-R', String(rate), '-l', '--log-prefix', join(logs, 'l')];
  const args = ['-n', '-f', script, '-M', 'extended', '-c', '16', '-j', '1', '-T', String(seconds), ...paced, 'orders-demo'];
  const { stdout, stderr, status } = spawnSync('pgbench', args, { encoding: 'utf8', env: { ...process.env, ...environment } });
  if (status !== 0) throw new Error(`pgbench through ${name} failed:\n${stdout}${stderr}`);
  const texts = await Promise.all((await readdir(logs)).map((file) => readFile(join(logs, file), 'utf8')));
  await rm(logs, { recursive: true });
  // SPEC: pgbench: client, transaction, microseconds from the time it was due, script, time, time, lag.
  return texts.flatMap((text) =>
    text
      .trim()
      .split('\n')
      .map((line) => Number(line.split(' ')[2]) / 1_000),
  );
}

function quantiles(values: readonly number[]): { p50: number; p99: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

function rowOf(values: readonly number[], { name, rate }: { name: string; rate: number }): Row {
  const { p50, p99 } = quantiles(values);
  return {
    'statements/s': String(rate),
    peer: name,
    'p50 ms': p50.toFixed(2),
    'p99 ms': p99.toFixed(2),
    'done/s': Math.round(values.length / (rounds * seconds)),
  };
}

await main();
