import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { decided, sessionClosed, sessionOpened } from '../testing/drafts.ts';
import type { SimulatedDisk } from '../testing/simulated-disk.ts';
import { forgedLog } from '../testing/forged-log.ts';
import { agree, damagedRound, filesOf, hasPython, Second, secondVerifier, unpack } from '../testing/second-verifier.ts';
import { Bench, seededCoin } from '../testing/story.ts';
import { finishedLog } from '../testing/tamper.ts';
import { directorySource, exitStatus, nodeCrypto, proveRecord, verifyLedger, verifyProof } from './index.ts';

const golden = join(import.meta.dirname, '../../../test/corpus/ledger/v1/data/ledger');
const skip = hasPython ? false : 'python3 is not installed';

let scratch = '';
let second: Second;
function unpackAs(disk: SimulatedDisk, name: string): string {
  return unpack(disk, join(scratch, name));
}

before(() => {
  scratch = mkdtempSync(join(tmpdir(), 'warder-verify-'));
  if (hasPython) second = new Second(false);
});
after(() => {
  if (hasPython) second.end();
  rmSync(scratch, { recursive: true, force: true });
});

test('both verifiers prove the ledger of an earlier release', { skip }, async () => {
  assert.equal(await agree(second, golden, 'golden'), 'proven');
});

test('both verifiers prove fresh ledgers, and a copy without the write-ahead log', { skip }, async () => {
  for (const records of [1, 30, 300, 600]) {
    const folder = unpackAs(finishedLog(records, records), `fresh-${records}`);
    assert.equal(await agree(second, folder, `fresh ${records}`), 'proven');
    rmSync(join(folder, 'wal'), { recursive: true });
    assert.equal(await agree(second, folder, `published ${records}`), 'proven');
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
  const folder = unpackAs(again.disk, 'holes');
  assert.equal(await agree(second, folder, 'holes'), 'incomplete');
  for (const gone of ['blobs', 'tile/0', 'checkpoint']) {
    cpSync(folder, `${folder}-less`, { recursive: true });
    rmSync(join(`${folder}-less`, gone), { recursive: true });
    assert.equal(await agree(second, `${folder}-less`, `without ${gone}`), 'incomplete');
    rmSync(`${folder}-less`, { recursive: true });
  }
  assert.equal(await agree(second, join(scratch, 'nothing'), 'nothing'), 'unreadable');
});

test('both verifiers give the same verdict on 240 damaged ledgers, and name the same entry', { skip }, async () => {
  const coin = seededCoin(7);
  const folder = unpackAs(finishedLog(300, 5), 'damaged');
  const foreign = unpackAs(finishedLog(300, 6), 'foreign');
  const logs = { folder, foreign, files: filesOf(folder) };
  const verdicts: Record<string, number> = {};
  for (let round = 0; round < 240; round += 1) {
    const verdict = await damagedRound(second, logs, { coin, round });
    verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
  }
  assert.equal(await agree(second, folder, 'restored'), 'proven');
  assert.ok((verdicts['tampered'] ?? 0) > 150, JSON.stringify(verdicts));
});

test('both verifiers give the same verdict on logs whose writer lies, and name the same entry', { skip }, async () => {
  const verdicts: Record<string, number> = {};
  for (let seed = 1; seed <= 60; seed += 1) {
    const folder = unpackAs(forgedLog(seed), 'forged');
    const verdict = await agree(second, folder, `seed ${seed}`);
    verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
    rmSync(folder, { recursive: true });
  }
  assert.ok((verdicts['tampered'] ?? 0) > 30, JSON.stringify(verdicts));
});

test('signatures are checked the same without any package', { skip }, async () => {
  const plain = new Second(true);
  const folder = unpackAs(finishedLog(12, 9), 'plain');
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
  const folder = unpackAs(finishedLog(12, 10), 'command');
  assert.equal(spawnSync('python3', [secondVerifier, folder]).status, 0);
  rmSync(join(folder, 'checkpoint'));
  assert.equal(spawnSync('python3', [secondVerifier, folder]).status, exitStatus({ status: 'incomplete' }));
  writeFileSync(join(folder, 'checkpoint'), 'x');
  assert.equal(spawnSync('python3', [secondVerifier, folder]).status, 1);
  assert.equal(spawnSync('python3', [secondVerifier, scratch]).status, 3);
});

test('a proof of any record is accepted by both, and no changed one is', { skip }, async () => {
  const folder = unpackAs(finishedLog(330, 11), 'proofs');
  const source = directorySource(folder);
  const { vkey, size } = await verifyLedger(source, { crypto: nodeCrypto });
  const trust = [{ vkey }];
  const byPython = (text: string): number | null => {
    writeFileSync(join(scratch, 'one.tlog-proof'), text);
    return spawnSync('python3', [secondVerifier, '--proof', join(scratch, 'one.tlog-proof'), '--key', vkey]).status;
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
