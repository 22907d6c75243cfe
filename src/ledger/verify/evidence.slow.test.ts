import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { testEvidence, type TestEvidence } from '../testing/evidence.ts';
import { seededCoin } from '../testing/story.ts';
import { nodeCrypto, verifyEvidence, type EvidenceReport } from './index.ts';
import { readTar } from './tar.ts';

const python = spawnSync('python3', ['-c', '']).status === 0;
let scratch = '';
let evidence: TestEvidence;
before(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'warder-evidence-'));
  evidence = await testEvidence(join(scratch, 'whole'));
});
after(() => rmSync(scratch, { recursive: true, force: true }));

let folders = 0;

/** What both verifiers say of files in a folder; they must say the same. */
async function told(files: ReadonlyMap<string, Uint8Array>, keys?: readonly string[]): Promise<EvidenceReport> {
  const report = await verifyEvidence(files, {
    crypto: nodeCrypto,
    ...(keys === undefined ? {} : { trust: keys.map((vkey) => ({ vkey })) }),
  });
  if (!python) return report;
  const folder = join(scratch, `files-${(folders += 1)}`);
  for (const [path, content] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  const args = ['--evidence', folder, '--json', ...(keys ?? []).flatMap((vkey) => ['--key', vkey])];
  const { stdout, stderr } = spawnSync('python3', [join(import.meta.dirname, 'verify.py'), ...args], { encoding: 'utf8' });
  const second = stdout === '' ? { status: 'unreadable', pinned: false } : JSON.parse(stdout);
  assert.deepEqual(
    [second.status, second.pinned],
    [report.status, report.pinned],
    `${JSON.stringify(report.findings)}\n${stdout}${stderr}`,
  );
  return report;
}

function flipped(content: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(content);
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

test('whole evidence is proven, and says whose keys that rests on', async () => {
  const alone = await told(evidence.files);
  assert.deepEqual(
    [alone.status, alone.pinned, alone.operations, alone.chunks, alone.records],
    ['proven', false, 2, 2, 8],
    JSON.stringify(alone),
  );
  const pinned = await told(evidence.files, evidence.keys);
  assert.deepEqual([pinned.status, pinned.pinned], ['proven', true]);
});

test('every flipped bit of every file is noticed', async () => {
  let flips = 0;
  for (const [path, content] of evidence.files) {
    for (let bit = flips % 61; bit < content.length * 8; bit += 61) {
      const files = new Map(evidence.files).set(path, flipped(content, bit));
      const { status } = await verifyEvidence(files, { crypto: nodeCrypto });
      assert.notEqual(status, 'proven', `${path} bit ${bit}`);
      flips += 1;
    }
  }
  assert.ok(flips > 500);
});

test('both verifiers say the same of damaged evidence', async () => {
  const coin = seededCoin(7);
  const paths = [...evidence.files.keys()];
  for (let round = 0; round < 40; round += 1) {
    const files = new Map(evidence.files);
    const path = paths[coin(paths.length)] ?? '';
    const other = paths[coin(paths.length)] ?? '';
    const content = files.get(path) ?? new Uint8Array();
    const damage = coin(4);
    if (damage === 0) files.set(path, flipped(content, coin(content.length * 8)));
    else if (damage === 1) files.delete(path);
    else if (damage === 2) files.set(`${path}x`, content);
    else if (other !== path) files.set(path, files.get(other) ?? content).set(other, content);
    else continue;
    const { status } = await told(files);
    assert.notEqual(status, 'proven', `round ${round}: ${path}`);
  }
});

test('what was left out before the list was made is a hole, what was put in its place is tampering', async () => {
  const cases: [string, (files: Map<string, Uint8Array>) => void, string, RegExp][] = [
    ['an erased chunk', (files) => files.delete('recording/gateway-1/000000000003'), 'incomplete', /erased/],
    ['a record of a chunk', (files) => files.delete('records/gateway-1/000000000003.tlog-proof'), 'incomplete', /chunk 1 of the recording/],
    [
      'the denied operation',
      (files) => files.delete('records/gateway-1/000000000006.tlog-proof'),
      'incomplete',
      /2 operations, 1 are here/,
    ],
    ['the end', (files) => files.delete('records/gateway-1/000000000008.tlog-proof'), 'incomplete', /was open|cut off/],
    [
      'another text',
      (files) => files.set('evidence/gateway-1/000000000002', Buffer.from('0123456789abcdef{"parameters":[],"text":"select 2"}')),
      'tampered',
      /not what the record committed to/,
    ],
    [
      'a record under the name of another',
      (files) => {
        const proof = files.get('records/gateway-1/000000000004.tlog-proof');
        if (proof) files.set('records/gateway-1/000000000003.tlog-proof', proof);
      },
      'tampered',
      /the record is entry 4/,
    ],
  ];
  for (const [what, change, status, message] of cases) {
    const { files, keys } = await testEvidence(join(scratch, `case-${what.replaceAll(' ', '-')}`), change);
    const report = await told(files, keys);
    assert.equal(report.status, status, `${what}: ${JSON.stringify(report.findings)}`);
    assert.ok(
      report.findings.some((finding) => message.test(finding.message)),
      `${what}: ${JSON.stringify(report.findings)}`,
    );
  }
});

test('evidence that somebody made with keys of their own agrees with itself and with nobody else', async () => {
  const forged = await testEvidence(join(scratch, 'forged'));
  assert.deepEqual([(await told(forged.files)).status, (await told(forged.files)).pinned], ['proven', false]);
  assert.equal((await told(forged.files, evidence.keys)).status, 'tampered');
});

test('one known key is not enough to call the evidence pinned', async () => {
  const { status, pinned } = await told(evidence.files, evidence.keys.slice(0, 1));
  assert.deepEqual([status, pinned], ['proven', false]);
});

test('what is no evidence is unreadable, and the reader of archives takes one form only', async () => {
  assert.equal((await told(new Map([['a', new Uint8Array(3)]]))).status, 'unreadable');
  assert.equal(readTar(new Uint8Array(1_000)), undefined);
  assert.equal(readTar(new Uint8Array(1_536)), undefined);
  assert.deepEqual(readTar(new Uint8Array(1_024)), new Map());
});
