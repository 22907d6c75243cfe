import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { openLedger } from '../index.ts';
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

export function startWriter(directory: string, prefix: readonly string[] = [], more: readonly string[] = []): ChildProcess {
  const [command = process.execPath, ...rest] = [
    ...prefix,
    process.execPath,
    new URL('./child-writer.ts', import.meta.url).pathname,
    directory,
    ...more,
  ];
  return spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
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
      if (leaf !== undefined) acknowledged.set(Number(index), leaf);
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

/** Opens the log and compares; returns its size. */
export async function checkAcknowledged(directory: string, acknowledged: ReadonlyMap<number, string>): Promise<number> {
  const ledger = await openLedger({
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
  const { size } = ledger;
  try {
    for (let first = 0; first < size; ) {
      const lines = await ledger.read(first, 1_000);
      for (const [k, line] of lines.entries()) {
        const leaf = acknowledged.get(first + k);
        if (leaf !== undefined)
          assert.equal(leafHash(Buffer.from(line)).toString('hex'), leaf, `acknowledged entry ${first + k} was changed`);
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
