import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { decodeBundle, encodeBundle } from '../bundle.ts';
import { directorySource, nodeCrypto, verifyLedger } from '../verify/index.ts';
import type { SimulatedDisk } from './simulated-disk.ts';
import { setting } from './story.ts';

export const secondVerifier = join(import.meta.dirname, '../verify/verify.py');
export const hasPython = spawnSync('python3', ['-c', '']).status === 0;

interface SecondReport {
  readonly status: string;
  readonly size: number;
  readonly findings: readonly { readonly severity: string; readonly index?: number }[];
}

/** One Python process that verifies folder after folder. */
export class Second {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #answers: AsyncIterator<string>;

  constructor(plain: boolean) {
    this.#child = spawn('python3', [secondVerifier, '--stdin'], { env: { ...process.env, WARDER_VERIFY_PLAIN: plain ? '1' : '' } });
    this.#child.stderr.pipe(process.stderr);
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async verify(folder: string): Promise<SecondReport> {
    this.#child.stdin.write(`${folder}\n`);
    const { value, done } = await this.#answers.next();
    assert.ok(done !== true, 'the second verifier ended');
    return JSON.parse(value);
  }

  end(): void {
    this.#child.stdin.end();
  }
}

/** Puts the log of a simulated disk into a real folder. */
export function unpack(disk: SimulatedDisk, folder: string): string {
  for (const path of disk.paths().filter((one) => one.startsWith(`${setting.directory}/`))) {
    const target = join(folder, path.slice(setting.directory.length));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, disk.read(path) ?? '');
  }
  return folder;
}

/** The files that carry evidence. */
export function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !['lock', 'reserve'].includes(entry.name) && !entry.name.endsWith('.sessions'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/**
 * Asks both verifiers about a log. Throws when they differ in verdict or size, or name different entries as the first that is wrong although
 * both name one. Returns the verdict.
 */
export async function agree(second: Second, folder: string, what: string): Promise<string> {
  const first = await verifyLedger(directorySource(folder), { crypto: nodeCrypto });
  const other = await second.verify(folder);
  const told = `${what}\nfirst: ${JSON.stringify(first.findings)}\nsecond: ${JSON.stringify(other.findings)}`;
  assert.deepEqual([other.status, other.size], [first.status, first.size], told);
  const named = [first, other].map((report) => lowest(report.findings));
  if (named.every((index) => index !== undefined)) assert.equal(named[1], named[0], told);
  return first.status;
}

function lowest(findings: SecondReport['findings']): number | undefined {
  const indexes = findings.flatMap(({ severity, index }) => (severity === 'tampered' && index !== undefined ? [index] : []));
  return indexes.length === 0 ? undefined : Math.min(...indexes);
}

/**
 * Damages one random file of the log in one random way, asks both, and mends it again. `foreign` is another log, to splice from. Returns the
 * verdict.
 */
export async function damagedRound(
  second: Second,
  logs: { readonly folder: string; readonly foreign: string; readonly files: readonly string[] },
  how: { readonly coin: (sides: number) => number; readonly round: number },
): Promise<string> {
  const { folder, foreign, files } = logs;
  const file = files[how.coin(files.length)] ?? '';
  const whole = readFileSync(file);
  const path = file.slice(folder.length);
  const other = existsSync(`${foreign}${path}`) ? readFileSync(`${foreign}${path}`) : Buffer.alloc(whole.length);
  const damaged = damage(path, { whole, other, coin: how.coin, how: how.round % 8 });
  if (damaged === undefined) rmSync(file);
  else writeFileSync(file, damaged);
  try {
    return await agree(second, folder, `round ${how.round}: ${path}, way ${how.round % 8}`);
  } finally {
    writeFileSync(file, whole);
  }
}

/** The file after one kind of damage; undefined when it is to be removed. */
export function damage(
  path: string,
  { whole, other, coin, how }: { whole: Buffer; other: Buffer; coin: (sides: number) => number; how: number },
): Buffer | undefined {
  const [a = 0, b = 0] = [coin(whole.length), coin(whole.length)].sort((x, y) => x - y);
  const entries = path.includes('/entries/') ? decodeBundle(whole) : undefined;
  if (entries !== undefined && entries.length > 1 && how < 3) {
    const at = coin(entries.length - 1);
    const swapped = entries.with(at, entries[at + 1] ?? whole).with(at + 1, entries[at] ?? whole);
    return encodeBundle([entries.toSpliced(at, 1), swapped, entries.slice(0, at)][how] ?? entries);
  }
  switch (how) {
    case 3:
      return whole.subarray(0, a);
    case 4:
      return Buffer.concat([whole.subarray(0, a), other.subarray(a)]);
    case 5:
      return Buffer.concat([whole.subarray(0, a), whole.subarray(b)]);
    case 6:
      return undefined;
    default: {
      const flipped = Buffer.from(whole);
      flipped.writeUInt8(flipped.readUInt8(a) ^ (1 << coin(8)), a);
      return flipped;
    }
  }
}
