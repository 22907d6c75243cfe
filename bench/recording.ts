/**
 * Large results of a recorded session beside the same session unrecorded, in interleaved rounds, through psql. Prints MB/s of each, their ratio, and
 * the largest resident memory of the gateway; `--quick` runs fewer rounds.
 *
 * What a recorded session may show is at most 64 KiB ahead of the disk, so this measures how well syncs, sealing and showing overlap.
 */
import { readFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startInstallation, waitFor, type Installation } from '../test/stories/installation.ts';

const rounds = process.argv.includes('--quick') ? 3 : 7;
const databases = { unrecorded: 'orders-demo', recorded: 'orders-recorded' } as const;
type Side = keyof typeof databases;

const statements = {
  'numbers (nothing to mask)': 'select g, g * 7, g * 11, g * 13 from generate_series(1, 1500000) g',
  'wide text through the detectors': "select g, repeat('lorem ipsum dolor ', 200) from generate_series(1, 10000) g",
} as const;

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'warder-bench-'));
  const installation = await startInstallation({ home: join(folder, 'home') });
  try {
    await addRecorded(installation);
    const { gateway } = (installation.ready as unknown as { processes: { gateway: number } }).processes;
    process.stdout.write(
      '| result | MB | unrecorded MB/s | recorded MB/s | ratio | spread | gateway RSS MiB, largest unrecorded / recorded |\n|---|---|---|---|---|---|---|\n',
    );
    for (const [title, sql] of Object.entries(statements)) await compare(installation, { title, sql, gateway });
  } finally {
    await installation.destroy();
    await rm(folder, { recursive: true, force: true });
  }
}

async function compare(installation: Installation, run: { title: string; sql: string; gateway: number }): Promise<void> {
  const speeds: Record<Side, number[]> = { unrecorded: [], recorded: [] };
  const memory: Record<Side, number> = { unrecorded: 0, recorded: 0 };
  let megabytes = 0;
  // The first round warms up.
  for (let round = 0; round <= rounds; round += 1) {
    for (const side of ['unrecorded', 'recorded'] as const) {
      const watch = watchMemory(run.gateway);
      const { bytes, seconds } = await select(installation, databases[side], run.sql);
      memory[side] = Math.max(memory[side], watch());
      megabytes = bytes / 1e6;
      if (round > 0) speeds[side].push(megabytes / seconds);
    }
  }
  const ratios = speeds.recorded.map((value, k) => value / (speeds.unrecorded[k] ?? Number.NaN));
  process.stdout.write(
    `| ${run.title} | ${megabytes.toFixed(0)} | ${median(speeds.unrecorded).toFixed(1)} | ${median(speeds.recorded).toFixed(1)} | ${median(ratios).toFixed(2)} | ${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)} | ${memory.unrecorded} / ${memory.recorded} |\n`,
  );
}

/** Time of one psql that counts what it is shown; the connection's own time is in it, which is some ten milliseconds. */
async function select(installation: Installation, database: string, sql: string): Promise<{ bytes: number; seconds: number }> {
  const { host, port } = installation.ready.postgres;
  const began = process.hrtime.bigint();
  const child = spawn('psql', ['-X', '-At', '-c', sql, `host=${host} port=${port} user=engineer dbname=${database}`], {
    env: { ...process.env, PGPASSWORD: installation.ready.subjects.engineer.token },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let bytes = 0;
  for await (const chunk of child.stdout) bytes += (chunk as Buffer).length;
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  if (bytes === 0) throw new Error(`psql showed nothing of: ${sql}`);
  return { bytes, seconds };
}

/** The largest resident memory of a process until the returned function is called, MiB. */
function watchMemory(pid: number): () => number {
  let largest = 0;
  const look = (): void => {
    const kib = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
    largest = Math.max(largest, Math.round(kib / 1024));
  };
  look();
  const timer = setInterval(look, 50);
  return () => {
    clearInterval(timer);
    return largest;
  };
}

/** The demo's database once more, with the label that the shipped policy looks at. */
async function addRecorded(installation: Installation): Promise<void> {
  const token = (await readFile(join(installation.ready.home, 'secrets/operator-token'), 'utf8')).trim();
  const url = `${installation.ready.api}/api/v1/resources`;
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const { resource, upstream, classification } = (await (await fetch(`${url}/${databases.unrecorded}`, { headers })).json()) as {
    resource: { engine: string; env: string; owner: string };
    upstream: object;
    classification: object;
  };
  const { engine, env, owner } = resource;
  const password = (await readFile(join(installation.ready.home, 'secrets/orders-demo'), 'utf8')).trim();
  const body = JSON.stringify({
    resource: { engine, env, owner, labels: { recording: 'required' } },
    upstream: { ...upstream, password },
    classification,
  });
  const added = await fetch(`${url}/${databases.recorded}`, { method: 'PUT', headers, body });
  if (!added.ok) throw new Error(`the recorded database could not be added: ${await added.text()}`);
  await waitFor(
    'the recorded database',
    async () => (await installation.psql('engineer', ['-Atc', 'select 1'], { database: databases.recorded })).status === 0,
    30_000,
  );
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

await main();
