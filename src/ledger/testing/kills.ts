import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { limits } from '#model';
import { type Ledger, openLedger } from '../index.ts';
import { leafHash } from '../merkle.ts';
import { directorySource, nodeCrypto, verifyLedger } from '../verify/index.ts';
import { realWorld } from './drafts.ts';

/**
 * Starts a writing process again and again in the same folder and kills it with SIGKILL when it has acknowledged some records. Then opens
 * the log once more and checks that every acknowledged record is there, unchanged.
 */
export async function runKills(
  directory: string,
  options: { kills: number; after: (round: number) => number },
): Promise<{ acknowledged: number; size: number }> {
  const acknowledged = new Map<number, string>();
  for (let round = 0; round < options.kills; round += 1) {
    const child = startWriter(directory);
    const enough = acknowledged.size + options.after(round);
    await collect(child, acknowledged, () => acknowledged.size >= enough && child.kill('SIGKILL'));
    assert.equal(child.signalCode, 'SIGKILL', `the writer ended by itself with ${child.exitCode}`);
  }
  return { acknowledged: acknowledged.size, size: await checkAcknowledged(directory, acknowledged) };
}

/**
 * The same with operations that run ahead of their records: after each kill no more released operations may be without a record than the log
 * said beforehand. Returns how many were released, and the most that one kill took.
 */
export async function runKillsAhead(
  directory: string,
  options: { kills: number; after: (round: number) => number },
): Promise<{ released: number; lost: number }> {
  let [released, lost] = [0, 0];
  for (let round = 0; round < options.kills; round += 1) {
    const acknowledged = new Map<number, string>();
    const operations = new Set<string>();
    const child = startWriter(directory, { more: ['buffered'] });
    child.stdout?.on('data', () => acknowledged.size >= options.after(round) && child.kill('SIGKILL'));
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await collect(child, acknowledged);
    for (const [, operation = ''] of text.matchAll(/^released (\S+)$/gm)) operations.add(operation);
    released += operations.size;
    const missing = await withoutRecord(directory, operations);
    assert.ok(missing <= limits.ledgerAheadOperationsMax, `${missing} released operations have no record`);
    lost = Math.max(lost, missing);
    await checkAcknowledged(directory, acknowledged);
  }
  return { released, lost };
}

/** How many of these operations are not in the log. */
async function withoutRecord(directory: string, operations: ReadonlySet<string>): Promise<number> {
  const missing = new Set(operations);
  const ledger = await reopened(directory);
  for (let first = 0; first < ledger.size; ) {
    const lines = await ledger.read(first, 1_000);
    for (const line of lines) missing.delete(/"operation":"([^"]+)"/.exec(line)?.[1] ?? '');
    first += lines.length;
  }
  await ledger.close();
  return missing.size;
}

interface Start {
  /** What runs the process, such as strace with its options. */
  readonly prefix?: readonly string[];
  readonly more?: readonly string[];
  /** For a process that is to fail: nobody has to read why. */
  readonly quiet?: boolean;
}

export function startWriter(directory: string, { prefix = [], more = [], quiet = false }: Start = {}): ChildProcess {
  const [command = process.execPath, ...rest] = [
    ...prefix,
    process.execPath,
    new URL('./child-writer.ts', import.meta.url).pathname,
    directory,
    ...more,
  ];
  return spawn(command, rest, { stdio: ['ignore', 'pipe', quiet ? 'ignore' : 'inherit'] });
}

/** Collects what the child acknowledges; resolves with its exit when all its output is read. */
export function collect(
  child: ChildProcess,
  acknowledged: Map<number, string>,
  onMore: () => void = () => undefined,
): Promise<number | null> {
  let rest = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const [index, leaf] = line.split(' ');
      if (leaf !== undefined && index !== 'released') acknowledged.set(Number(index), leaf);
    }
    onMore();
  });
  return new Promise((resolve) => child.on('close', (code) => resolve(code)));
}

export function readiness(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stdout?.once('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`the writer ended with ${code} before it was ready`)));
  });
}

function reopened(directory: string): Promise<Ledger> {
  return openLedger({
    directory: `${directory}/ledger`,
    origin: 'ledger.test/child',
    keys: `${directory}/keys`,
    world: realWorld,
    build: 'test',
    inline: true,
    reserveBytes: 0,
    onFatal: (fault) => {
      throw fault;
    },
  });
}

/** Opens the log and compares; returns its size. */
export async function checkAcknowledged(directory: string, acknowledged: ReadonlyMap<number, string>): Promise<number> {
  const ledger = await reopened(directory);
  const { size } = ledger;
  try {
    for (let first = 0; first < size; ) {
      const lines = await ledger.read(first, 1_000);
      for (const [k, line] of lines.entries()) {
        const leaf = acknowledged.get(first + k);
        if (leaf !== undefined)
          assert.equal(leafHash(Buffer.from(line)).toString('hex'), leaf, `acknowledged entry ${first + k} was changed`);
        if (leaf !== undefined && line.includes('"kind":"recording.chunk"')) await ledger.disclose(first + k);
      }
      first += lines.length;
    }
    for (const index of acknowledged.keys()) assert.ok(index < size, `acknowledged entry ${index} is gone`);
  } finally {
    await ledger.close();
  }
  const report = await verifyLedger(directorySource(`${directory}/ledger`), { crypto: nodeCrypto, trust: [{ vkey: ledger.vkey }] });
  assert.equal(report.counts.tampered, 0, JSON.stringify(report.findings));
  assert.equal(report.size, size);
  return size;
}
