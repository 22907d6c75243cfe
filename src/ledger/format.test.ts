import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { cosignerOf } from './cosigner.ts';
import { sealEvidence } from './evidence.ts';
import { SessionKeys } from './keys.ts';
import { encodePieces } from './recording/content.ts';
import { RecordingFiles } from './recording/files.ts';
import { leafHash, nodeHash, Tree } from './merkle.ts';
import { decodeSigningKey, encodeSigningKey, signerOf } from './note.ts';
import { decided, sessionOpened, settled } from './testing/drafts.ts';
import { hasPython } from './testing/second-verifier.ts';
import { SimulatedDisk } from './testing/simulated-disk.ts';
import { Bench, seededRandom } from './testing/story.ts';
import { verified } from './testing/tamper.ts';
import { bundlePath, tilePath } from './tile-path.ts';
import { directorySource, nodeCrypto, proveRecord, verifyLedger, verifyProof } from './verify/index.ts';
import { crc32 as verifierCrc32, fromBase64, toBase64 } from './verify/bytes.ts';
import { tilePath as verifierTilePath } from './verify/tree.ts';
import { encodeFrame, encodeHeader } from './wal-format.ts';

// The formats are normative (docs/formats). What these tests compare with was written once and only ever grows; `UPDATE=1` writes
// it anew, and the difference has to be a decision, because every ledger ever written must stay readable.
const corpus = join(import.meta.dirname, '../../test/corpus/ledger');
const update = process.env['UPDATE'] === '1';

function golden(name: string, actual: string): void {
  const path = join(corpus, name);
  if (update) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, actual);
  }
  assert.equal(actual, readFileSync(path, 'utf8'), `${name} changed`);
}

/** What the documents show, computed by the writer. */
function vectors(): object {
  const seed = Buffer.alloc(32, 7);
  const signer = signerOf('ledger.example/one', seed);
  const leaves = ['', 'a', 'b', 'c', 'd', 'e', 'f'].map((text) => leafHash(Buffer.from(text)));
  const tree = new Tree();
  const roots = leaves.map((leaf) => {
    tree.add(leaf);
    return { size: tree.size, root: tree.root().toString('hex') };
  });
  const header = encodeHeader('ledger.example/one', { first: 4096, prev: Buffer.alloc(32, 9), low: 4090 }, crc32);
  const vault = { disk: new SimulatedDisk(), origin: 'ledger.example/one', directory: '/log', random: seededRandom(5) };
  const keys = new SessionKeys({ ...vault, keys: '/keys' });
  const evidence = sealEvidence({ ...vault, keys }, 'ses_1', { text: 'select $1', parameters: ['7', null] });
  const pieces = encodePieces([
    { direction: 'in', at: 1_234_567, bytes: Buffer.from('Q\0\0\0\u000dselect 1\0') },
    { direction: 'out', at: 1_236_000, bytes: Buffer.from([0x5a, 0, 0, 0, 5, 0x49]) },
  ]);
  const recordings = new RecordingFiles({ ...vault, keys });
  const stored = recordings.write('ses_1', 1, pieces);
  // What does not fit a record.
  const more = Buffer.concat([pieces, encodePieces([{ direction: 'out', at: 1_237_000, bytes: Buffer.alloc(4_100, '.') }])]);
  const apart = recordings.write('ses_1', 2, more);
  return {
    leaf: { entry: '{"a":1}', hash: leafHash(Buffer.from('{"a":1}')).toString('hex') },
    node: { left: '00'.repeat(32), right: 'ff'.repeat(32), hash: nodeHash(Buffer.alloc(32), Buffer.alloc(32, 255)).toString('hex') },
    roots: { entries: ['', 'a', 'b', 'c', 'd', 'e', 'f'], empty: new Tree().root().toString('hex'), roots },
    paths: [0, 255, 1000, 1234067, 5_000_000_000].map((number) => ({
      number,
      tile: tilePath(0, number),
      bundle: bundlePath(number),
      partial: tilePath(2, number, 17),
    })),
    key: {
      name: 'ledger.example/one',
      seed: seed.toString('hex'),
      private: encodeSigningKey('ledger.example/one', seed).trim(),
      vkey: signer.vkey,
    },
    checkpoint: signer.sign(`ledger.example/one\n7\n${tree.root().toString('base64')}\n`),
    cosignature: {
      name: 'witness.example/one',
      seed: seed.toString('hex'),
      vkey: cosignerOf('witness.example/one', seed).vkey,
      time: 1_700_000_000,
      line: cosignerOf('witness.example/one', seed).cosign(`ledger.example/one\n7\n${tree.root().toString('base64')}\n`, 1_700_000_000),
    },
    segment: { origin: 'ledger.example/one', first: 4096, prev: '09'.repeat(32), low: 4090, header: header.toString('hex') },
    frame: { entry: '{"a":1}', ahead: 3, frame: encodeFrame(Buffer.from('{"a":1}'), 3, crc32).toString('hex') },
    evidence: {
      organisationKey: Buffer.from(vault.disk.read('/keys/org.key') ?? [])
        .toString()
        .trim(),
      session: 'ses_1',
      keyFile: Buffer.from(vault.disk.read('/keys/sessions/_1/ses_1.key') ?? [])
        .toString()
        .trim(),
      raw: '{"parameters":["7",null],"text":"select $1"}',
      evidence,
    },
    recording: {
      session: 'ses_1',
      chunk: 1,
      content: pieces.toString('hex'),
      stored,
      second: {
        chunk: 2,
        content: more.toString('hex'),
        path: 'recordings/_1/ses_1.recording',
        file: Buffer.from(vault.disk.read('/log/recordings/_1/ses_1.recording') ?? []).toString('hex'),
        stored: apart,
      },
    },
  };
}

test('the formats are what the documents say', () => {
  golden('vectors.json', `${JSON.stringify(vectors(), null, 2)}\n`);
});

test('the proof of a record is what the document says, and both ends of the log can be proven', async () => {
  const source = directorySource(join(corpus, 'v1/data/ledger'));
  const { vkey } = await verifyLedger(source, { crypto: nodeCrypto });
  for (const index of [0, 7, 33]) {
    const text = (await proveRecord(source, index, { crypto: nodeCrypto, trust: [{ vkey }] })) ?? '';
    golden(`v1-entry-${index}.tlog-proof`, text);
    assert.deepEqual((await verifyProof(text, { crypto: nodeCrypto, trust: [{ vkey }] })).status, 'proven');
  }
});

test('keys are those of golang.org/x/mod/sumdb/note', () => {
  // From that package's documentation.
  const signer = decodeSigningKey('PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz', 'PeterNeumann');
  assert.equal(signer.vkey, 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW');
});

test('the same records give the same files, byte for byte', () => {
  const bench = new Bench();
  for (let s = 0; s < 4; s += 1) {
    bench.session(`ses_${s}`, 3);
    bench.sign();
  }
  bench.commit(sessionOpened('ses_open'));
  bench.log.close();
  sameFiles(bench.disk.copy(), 'v1');
});

function sameFiles(files: SimulatedDisk, name: string): void {
  for (const path of files.paths()) {
    if (path.endsWith('/reserve')) continue;
    const stored = join(corpus, name, path);
    const bytes = files.read(path) ?? Buffer.alloc(0);
    if (update) {
      mkdirSync(dirname(stored), { recursive: true });
      writeFileSync(stored, bytes);
    }
    assert.deepEqual(bytes, readFileSync(stored), path);
  }
}

test('the same crash gives the same files after it, byte for byte, and both verifiers prove them', async () => {
  const machine = { segmentEntries: 5, aheadBytes: 0 };
  const before = new Bench(undefined, { machine });
  before.session('ses_whole', 1);
  before.commit(sessionOpened('ses_doubt'), decided('ses_doubt', 1), sessionOpened('ses_recorded'));
  const [index = -1] = before.commit({ ...decided('ses_recorded', 1), recording: 'required' });
  before.log.commit([before.chunk('ses_recorded', 1, 'seen'), before.chunk('ses_recorded', 2, '.'.repeat(4_100))]);
  before.commit(settled('ses_recorded', 1, index));
  const after = new Bench(before.disk.copy(), { seed: 2, machine, time: 5_000 });
  after.log.close();
  sameFiles(after.disk.copy(), 'after-crash');
  const folder = join(corpus, 'after-crash/data/ledger');
  const report = await verifyLedger(directorySource(folder), { crypto: nodeCrypto });
  assert.deepEqual([report.status, report.holes.lostSessions, report.holes.inDoubt, report.holes.recordings], ['proven', 2, 1, 1]);
  if (!hasPython) return;
  const { stdout } = spawnSync('python3', [join(import.meta.dirname, 'verify/verify.py'), '--json', folder], { encoding: 'utf8' });
  assert.deepEqual([JSON.parse(stdout).status, JSON.parse(stdout).counts], ['proven', report.counts]);
});

test('ledgers of every version are proven', async () => {
  for (const version of readdirSync(corpus).filter((name) => /^v\d+$/.test(name))) {
    const report = await verifyLedger(directorySource(join(corpus, version, 'data/ledger')), { crypto: nodeCrypto });
    assert.deepEqual([report.status, report.size], ['proven', 34], version);
  }
});

test('a ledger of an earlier version is opened, read and continued', async () => {
  for (const version of readdirSync(corpus).filter((name) => /^v\d+$/.test(name))) {
    const disk = new SimulatedDisk();
    for (const [path, bytes] of filesBelow(join(corpus, version))) disk.put(`/${path}`, bytes);
    const bench = new Bench(disk, { seed: 3 });
    assert.equal(bench.log.openEvidence(2).text, 'select * from orders where id = 1');
    bench.session('ses_new', 2);
    bench.log.close();
    assert.equal((await verified(disk, { trust: [{ vkey: bench.log.signing.vkey }] })).counts.tampered, 0);
  }
});

test('writer and verifier, which share no code, agree on checksums, paths and base64', () => {
  for (let length = 0; length < 300; length += 7) {
    const bytes = Buffer.from(seededRandom(length)(length));
    assert.equal(verifierCrc32(bytes), crc32(bytes));
    assert.equal(verifierCrc32(bytes.subarray(5), verifierCrc32(bytes.subarray(0, 5))), crc32(bytes));
    assert.equal(toBase64(bytes), bytes.toString('base64'));
    assert.deepEqual(Buffer.from(fromBase64(toBase64(bytes)) ?? []), bytes);
  }
  for (const number of [0, 1, 255, 999, 1000, 123_456, 5_000_000_000]) {
    assert.equal(verifierTilePath(3, number), tilePath(3, number));
    assert.equal(verifierTilePath('entries', number), bundlePath(number));
  }
});

test('base64 with other spare bits or padding is not accepted', () => {
  for (const text of ['QR==', 'QQ=', 'QQ', 'QQ==\n', 'Q-==', 'QUI=QUI=']) assert.equal(fromBase64(text), undefined, text);
});

function filesBelow(folder: string): [string, Buffer][] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => [relative(folder, path), readFileSync(path)]);
}
