import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { decodeBundle, encodeBundle } from '../bundle.ts';
import { decided, sessionClosed, sessionOpened } from '../testing/drafts.ts';
import type { SimulatedDisk } from '../testing/simulated-disk.ts';
import { Bench, seededCoin, setting } from '../testing/story.ts';
import { finishedLog } from '../testing/tamper.ts';
import { directorySource, exitStatus, nodeCrypto, proveRecord, verifyLedger, verifyProof } from './index.ts';

const script = join(import.meta.dirname, 'verify.py');
const golden = join(import.meta.dirname, '../../../test/corpus/ledger/v1/data/ledger');
const python = spawnSync('python3', ['-c', '']).status === 0;
const skip = python ? false : 'python3 is not installed';

/** One Python process that verifies folder after folder. */
class Second {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #answers: AsyncIterator<string>;

  constructor(plain: boolean) {
    this.#child = spawn('python3', [script, '--stdin'], { env: { ...process.env, WARDER_VERIFY_PLAIN: plain ? '1' : '' } });
    this.#child.stderr.pipe(process.stderr);
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async verify(folder: string): Promise<{ status: string; size: number; findings: unknown[] }> {
    this.#child.stdin.write(`${folder}\n`);
    const { value, done } = await this.#answers.next();
    assert.ok(done !== true, 'the second verifier ended');
    return JSON.parse(value);
  }

  end(): void {
    this.#child.stdin.end();
  }
}

let scratch = '';
let second: Second;
before(() => {
  scratch = mkdtempSync(join(tmpdir(), 'warder-verify-'));
  if (python) second = new Second(false);
});
after(() => {
  if (python) second.end();
  rmSync(scratch, { recursive: true, force: true });
});

/** Puts the log of a simulated disk into a real folder. */
function unpack(disk: SimulatedDisk, name: string): string {
  const folder = join(scratch, name);
  for (const path of disk.paths().filter((one) => one.startsWith(`${setting.directory}/`))) {
    const target = join(folder, path.slice(setting.directory.length));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, disk.read(path) ?? '');
  }
  return folder;
}

async function agree(folder: string, what: string): Promise<string> {
  const first = await verifyLedger(directorySource(folder), { crypto: nodeCrypto });
  const other = await second.verify(folder);
  const told = `${what}\nfirst: ${JSON.stringify(first.findings)}\nsecond: ${JSON.stringify(other.findings)}`;
  assert.deepEqual([other.status, other.size], [first.status, first.size], told);
  return first.status;
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !['lock', 'reserve'].includes(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

test('both verifiers prove the ledger of an earlier release', { skip }, async () => {
  assert.equal(await agree(golden, 'golden'), 'proven');
});

test('both verifiers prove fresh ledgers, and a copy without the write-ahead log', { skip }, async () => {
  for (const records of [1, 30, 300, 600]) {
    const folder = unpack(finishedLog(records, records), `fresh-${records}`);
    assert.equal(await agree(folder, `fresh ${records}`), 'proven');
    rmSync(join(folder, 'wal'), { recursive: true });
    assert.equal(await agree(folder, `published ${records}`), 'proven');
  }
});

test('both verifiers see the same holes', { skip }, async () => {
  const bench = new Bench();
  bench.commit(sessionOpened('s'), decided('s', 1), decided('s', 4, { text: 'x'.repeat(9_000) }));
  bench.sign();
  const again = new Bench(bench.disk.copy(), { seed: 2 });
  again.commit(sessionOpened('t'), sessionClosed('t', 3));
  again.log.commit([{ ...again.item(sessionOpened('u')), mono: 900_000_000 }]);
  again.log.close();
  const folder = unpack(again.disk, 'holes');
  assert.equal(await agree(folder, 'holes'), 'incomplete');
  for (const gone of ['blobs', 'tile/0', 'checkpoint']) {
    cpSync(folder, `${folder}-less`, { recursive: true });
    rmSync(join(`${folder}-less`, gone), { recursive: true });
    assert.equal(await agree(`${folder}-less`, `without ${gone}`), 'incomplete');
    rmSync(`${folder}-less`, { recursive: true });
  }
  assert.equal(await agree(join(scratch, 'nothing'), 'nothing'), 'unreadable');
});

test('both verifiers give the same verdict on 240 damaged ledgers', { skip }, async () => {
  const coin = seededCoin(7);
  const folder = unpack(finishedLog(300, 5), 'damaged');
  const foreign = unpack(finishedLog(300, 6), 'foreign');
  const files = filesOf(folder);
  const verdicts: Record<string, number> = {};
  for (let round = 0; round < 240; round += 1) {
    const file = files[coin(files.length)] ?? '';
    const whole = readFileSync(file);
    const path = file.slice(folder.length);
    const other = existsSync(`${foreign}${path}`) ? readFileSync(`${foreign}${path}`) : Buffer.alloc(whole.length);
    const damaged = damage(path, { whole, other, coin, how: round % 8 });
    if (damaged === undefined) rmSync(file);
    else writeFileSync(file, damaged);
    const verdict = await agree(folder, `round ${round}: ${path}, way ${round % 8}`);
    verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
    writeFileSync(file, whole);
  }
  assert.equal(await agree(folder, 'restored'), 'proven');
  assert.ok((verdicts['tampered'] ?? 0) > 150, JSON.stringify(verdicts));
});

/** The file after one kind of damage; undefined when it is to be removed. */
function damage(
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

test('signatures are checked the same without any package', { skip }, async () => {
  const plain = new Second(true);
  const folder = unpack(finishedLog(12, 9), 'plain');
  assert.equal((await plain.verify(folder)).status, 'proven');
  const file = join(folder, 'checkpoint');
  const note = readFileSync(file);
  const forged = Buffer.from(note);
  // The first character of the signature proper, behind key id and name.
  const at = note.lastIndexOf(' ') + 9;
  forged[at] = (forged[at] ?? 0) === 0x41 ? 0x42 : 0x41;
  writeFileSync(file, forged);
  assert.equal((await plain.verify(folder)).status, 'tampered');
  plain.end();
});

test('the exit status of the command is that of the first verifier', { skip }, async () => {
  const folder = unpack(finishedLog(12, 10), 'command');
  assert.equal(spawnSync('python3', [script, folder]).status, 0);
  rmSync(join(folder, 'checkpoint'));
  assert.equal(spawnSync('python3', [script, folder]).status, exitStatus({ status: 'incomplete' }));
  writeFileSync(join(folder, 'checkpoint'), 'x');
  assert.equal(spawnSync('python3', [script, folder]).status, 1);
  assert.equal(spawnSync('python3', [script, scratch]).status, 3);
});

test('a proof of any record is accepted by both, and no changed one is', { skip }, async () => {
  const folder = unpack(finishedLog(330, 11), 'proofs');
  const source = directorySource(folder);
  const { vkey, size } = await verifyLedger(source, { crypto: nodeCrypto });
  const trust = [{ vkey }];
  const byPython = (text: string): number | null => {
    writeFileSync(join(scratch, 'one.tlog-proof'), text);
    return spawnSync('python3', [script, '--proof', join(scratch, 'one.tlog-proof'), '--key', vkey]).status;
  };
  for (const index of [0, 1, 255, 256, 300, size - 1]) {
    const text = (await proveRecord(source, index, { crypto: nodeCrypto })) ?? '';
    const report = await verifyProof(text, { crypto: nodeCrypto, trust });
    assert.deepEqual([report.status, report.index, report.size], ['proven', index, size], report.problem);
    assert.equal(byPython(text), 0);
  }
  const text = (await proveRecord(source, 77, { crypto: nodeCrypto })) ?? '';
  const changes = [
    text.replace('index 77', 'index 78'),
    text.replace(/extra .*/, (await proveRecord(source, 78, { crypto: nodeCrypto }))?.match(/extra .*/)?.[0] ?? ''),
    text.replace(`\n${size}\n`, `\n${size - 1}\n`),
    text.split('\n').toSpliced(3, 1).join('\n'),
    text
      .split('\n')
      .toSpliced(4, 2, text.split('\n')[5] ?? '', text.split('\n')[4] ?? '')
      .join('\n'),
    text.replace(/\n— .*/, ''),
  ];
  for (const changed of changes) {
    assert.notEqual(changed, text);
    assert.equal((await verifyProof(changed, { crypto: nodeCrypto, trust })).status, 'tampered');
    assert.equal(byPython(changed), 1);
  }
  const stranger = 'ledger.test/one+00000000+AQ==';
  assert.notEqual((await verifyProof(text, { crypto: nodeCrypto, trust: [{ vkey: stranger }] })).status, 'proven');
  assert.equal(await proveRecord(source, size, { crypto: nodeCrypto }), undefined);
});
