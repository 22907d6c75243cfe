import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { decided, sessionOpened, settled } from './testing/drafts.ts';
import { hasPython } from './testing/second-verifier.ts';
import { SimulatedDisk } from './testing/simulated-disk.ts';
import { Bench, setting } from './testing/story.ts';
import { verified } from './testing/tamper.ts';
import { directorySource, nodeCrypto, verifyLedger } from './verify/index.ts';

// A ledger of every release, with everything in it that a ledger of that release could hold. Written once, never changed: whatever is released later must
// still verify, open and continue it. `RELEASE=1.2.3` writes the one of a new release.
const releases = join(import.meta.dirname, '../../test/corpus/releases');

/** Several lives: full tiles, recordings, evidence in blobs, a crash with everything that can be open, a change of keys, short segments. */
function everything(): SimulatedDisk {
  const machine = { segmentEntries: 64, aheadBytes: 0 };
  const first = new Bench(undefined, { machine });
  for (let s = 0; s < 40; s += 1) {
    first.session(`ses_${s}`, 2);
    if (s % 10 === 0) first.recorded(`rec_${s}`, ['seen', '.'.repeat(4_200)]);
    if (s % 8 === 0) first.sign();
  }
  first.commit(sessionOpened('ses_doubt'), decided('ses_doubt', 1, { text: 'x'.repeat(5_000) }), sessionOpened('ses_cut'));
  const [index = -1] = first.commit({ ...decided('ses_cut', 1), recording: 'required' });
  first.log.commit([first.chunk('ses_cut', 1, 'seen')]);
  first.commit(settled('ses_cut', 1, index));
  const second = new Bench(first.disk.copy(), { seed: 2, machine, time: 9_000 });
  second.log.rotateKey({ t: setting.stamp.t + 9_500, mono: 9_500_000 });
  second.session('ses_later', 3);
  second.log.close();
  return second.disk.copy();
}

interface Expected {
  readonly status: string;
  readonly size: number;
  readonly root: string;
  readonly vkey: string;
  readonly holes: object;
  readonly evidence: string;
}

const wanted = process.env['RELEASE'];
if (wanted !== undefined) {
  assert.ok(!existsSync(join(releases, wanted)), `${wanted} is there; what was released does not change`);
  const disk = everything();
  for (const path of disk.paths().filter((one) => !one.endsWith('/reserve'))) {
    const target = join(releases, wanted, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, disk.read(path) ?? '');
  }
  const { status, size, root, vkey, holes } = await verified(disk);
  const expected: Expected = { status, size, root, vkey, holes, evidence: 'select * from orders where id = 1' };
  writeFileSync(join(releases, wanted, 'expected.json'), `${JSON.stringify(expected, null, 2)}\n`);
}

for (const release of readdirSync(releases)) {
  const folder = join(releases, release);
  const expected: Expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'));
  const key = readFileSync(join(folder, 'keys/log.vkey'), 'utf8').trim();

  test(`the ledger of release ${release} verifies as it did then, by both verifiers`, async () => {
    const source = directorySource(join(folder, 'data/ledger'));
    // Also by the key that the log began with, which another has followed.
    for (const vkey of [key, expected.vkey]) {
      const report = await verifyLedger(source, { crypto: nodeCrypto, trust: [{ vkey }] });
      assert.deepEqual(
        [report.status, report.size, report.root],
        [expected.status, expected.size, expected.root],
        JSON.stringify(report.findings),
      );
      // What later verifiers count besides may be there.
      for (const [name, count] of Object.entries(expected.holes))
        assert.equal(report.holes[name as keyof typeof report.holes], count, name); // Reason: a name of a report.
    }
    if (!hasPython) return;
    const script = join(import.meta.dirname, 'verify/verify.py');
    const { stdout } = spawnSync('python3', [script, '--json', '--key', key, join(folder, 'data/ledger')], { encoding: 'utf8' });
    assert.deepEqual([JSON.parse(stdout).status, JSON.parse(stdout).root], [expected.status, expected.root]);
  });

  test(`the ledger of release ${release} is opened, its evidence read, and it goes on`, async () => {
    const disk = new SimulatedDisk();
    for (const [path, bytes] of filesBelow(folder)) if (path !== 'expected.json') disk.put(`/${path}`, bytes);
    const bench = new Bench(disk, { seed: 3, time: 20_000 });
    const decision = bench.log.read(0, 10).findIndex((line) => line.includes('"kind":"operation.decided"'));
    assert.equal(bench.log.openEvidence(decision).text, expected.evidence);
    bench.session('ses_new', 2);
    bench.log.close();
    const report = await verified(disk, { trust: [{ vkey: expected.vkey }] });
    assert.equal(report.status, 'proven', JSON.stringify(report.findings));
  });
}

function filesBelow(folder: string): [string, Buffer][] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => [relative(folder, path), readFileSync(path)]);
}
