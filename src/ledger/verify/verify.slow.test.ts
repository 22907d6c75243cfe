import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalJson } from '#model';
import { encodeBundle, decodeBundle } from '../bundle.ts';
import { checkpointText } from '../checkpoint.ts';
import { leafHash, Tree } from '../merkle.ts';
import { signerOf } from '../note.ts';
import type { SimulatedDisk } from '../testing/simulated-disk.ts';
import { Bench, seededRandom, setting } from '../testing/story.ts';
import { evidenceFiles, finishedLog, unnoticedFlips, verified } from '../testing/tamper.ts';
import { bundlePath, tilePath } from '../tile-path.ts';
import { sabotages } from '../testing/sabotage.ts';
import { exitStatus, nodeCrypto, verifyLedger, type LedgerSource, type Report } from './index.ts';

const whole = finishedLog(330);
const small = finishedLog(12);
const folder = setting.directory;

function tamperedAt(report: Report): (number | undefined)[] {
  return report.findings.filter(({ severity }) => severity === 'tampered').map(({ index }) => index);
}

function entriesOf(disk: SimulatedDisk, path: string): Uint8Array[] {
  return decodeBundle(disk.read(`${folder}/${path}`) ?? new Uint8Array()) ?? [];
}

test('a log that nobody touched is proven, with and without a pinned key', async () => {
  const report = await verified(whole);
  assert.equal(report.status, 'proven', JSON.stringify(report.findings));
  assert.equal(exitStatus(report), 0);
  assert.equal(report.pinned, false);
  assert.ok(report.checkpoints > 5);
  const pinned = await verified(whole, { trust: [{ vkey: report.vkey }] });
  assert.deepEqual([pinned.status, pinned.pinned], ['proven', true]);
});

test('a published copy without the write-ahead log is proven too', async () => {
  const copy = whole.copy();
  for (const path of copy.paths()) if (path.includes('/wal/')) copy.put(path, undefined);
  assert.equal((await verified(copy)).status, 'proven');
});

test('a log that grows and is signed while it is read is proven, whichever file is read just then', async () => {
  for (let grownAt = 0, reads = 1; grownAt < reads; grownAt += 1) {
    const bench = new Bench(undefined, { seed: 3 });
    for (let s = 0; bench.log.size < 300; s += 1) bench.session(`ses_${s}`, 9);
    bench.sign();
    bench.session('unsigned', 2);
    const source = bench.disk.source(folder);
    reads = 0;
    const grow = (): void => {
      if (reads === grownAt) {
        bench.session('meanwhile', 5);
        bench.sign();
      }
      reads += 1;
    };
    const growing: LedgerSource = {
      read: (path, range) => {
        grow();
        return source.read(path, range);
      },
      list: (path) => {
        grow();
        return source.list(path);
      },
    };
    const { status, findings } = await verifyLedger(growing, { crypto: nodeCrypto });
    assert.equal(status, 'proven', `grown at read ${grownAt}: ${JSON.stringify(findings)}`);
    bench.log.close();
  }
});

test('every flipped bit of every file is noticed', async () => {
  // A prime step walks over every bit position of a byte; the exhaustive run is part of the torture tests.
  const { flips, unnoticed } = await unnoticedFlips(small, 1_009);
  assert.ok(flips > 100);
  assert.deepEqual(unnoticed, []);
});

test('every flipped bit of the checkpoint and of its signature is noticed', async () => {
  const disk = small.copy();
  const path = `${folder}/checkpoint`;
  for (let bit = 0; bit < (disk.size(path) ?? 0) * 8; bit += 5) {
    disk.flip(path, bit);
    assert.equal((await verified(disk)).status, 'tampered', `bit ${bit}`);
    disk.flip(path, bit);
  }
});

test('the report names the entry whose bytes were changed, wherever they were changed', async () => {
  const bundle = `${folder}/${bundlePath(0)}`;
  const entries = entriesOf(whole, bundlePath(0));
  await fc.assert(
    fc.asyncProperty(fc.nat(255), fc.nat(), fc.constantFrom('bundle', 'tile', 'wal'), async (index, bit, where) => {
      const disk = whole.copy();
      const entry = Buffer.from(entries[index] ?? []);
      const inEntry = bit % (entry.length * 8);
      if (where === 'tile') disk.flip(`${folder}/${tilePath(0, 0)}`, index * 256 + (bit % 256));
      else {
        const path = where === 'bundle' ? bundle : `${folder}/wal/000000000000.wal`;
        const at = (disk.read(path) ?? Buffer.alloc(0)).indexOf(entry);
        disk.flip(path, at * 8 + inEntry);
      }
      const report = await verified(disk);
      assert.equal(report.status, 'tampered');
      assert.ok(tamperedAt(report).includes(index), `${where} of ${index}: ${JSON.stringify(report.findings)}`);
    }),
    { numRuns: 40 },
  );
});

test('a record that was taken out of a bundle is named', async () => {
  const disk = whole.copy();
  const entries = entriesOf(disk, bundlePath(0));
  disk.put(`${folder}/${bundlePath(0)}`, encodeBundle(entries.filter((_, i) => i !== 100)));
  assert.equal(tamperedAt(await verified(disk))[0], 100);
});

test('two records that changed places are named', async () => {
  const disk = whole.copy();
  const entries = entriesOf(disk, bundlePath(0));
  const [a, b] = [entries[40], entries[41]];
  entries.splice(40, 2, b ?? Buffer.alloc(0), a ?? Buffer.alloc(0));
  disk.put(`${folder}/${bundlePath(0)}`, encodeBundle(entries));
  assert.equal(tamperedAt(await verified(disk))[0], 40);
});

test('a cut below the signed size is noticed, in bundles and in the write-ahead log', async () => {
  const { size } = await verified(whole);
  const disk = whole.copy();
  const last = bundlePath(1, size - 256);
  disk.put(`${folder}/${last}`, encodeBundle(entriesOf(disk, last).slice(0, 20)));
  assert.equal(tamperedAt(await verified(disk))[0], 256 + 20);
  const missing = whole.copy();
  missing.put(`${folder}/${last}`, undefined);
  assert.equal(tamperedAt(await verified(missing))[0], 256);
  const wal = whole.copy();
  const bytes = wal.read(`${folder}/wal/000000000000.wal`) ?? Buffer.alloc(0);
  const entry = Buffer.from(entriesOf(wal, bundlePath(0))[200] ?? []);
  wal.put(`${folder}/wal/000000000000.wal`, bytes.subarray(0, bytes.indexOf(entry) - 12));
  assert.deepEqual(tamperedAt(await verified(wal)), [200]);
});

test('a log that was written anew with its own key contradicts the checkpoints signed before', async () => {
  // The forger has the log's key, drops record 50, and recomputes everything but cannot change the checkpoint an auditor kept.
  const kept = whole.read(`${folder}/checkpoint`)?.toString() ?? '';
  const forged = forge(whole, (entries) => entries.filter((_, i) => i !== 50).map((entry, i, all) => relink(entry, i, all)));
  assert.equal((await verified(forged, { since: [kept] })).status, 'tampered');
});

test('a fork that was signed once is found in checkpoints.log, wherever it stands', async () => {
  const signer = signerOf(setting.origin, seededRandom(1)(32));
  const path = `${folder}/checkpoints.log`;
  const lines = whole.read(path)?.toString().split('\n') ?? [];
  for (const [size, at] of [
    [5, 1],
    [200, 3],
    [9_999, 2],
  ] as const) {
    const disk = whole.copy();
    const fork = JSON.stringify(signer.sign(checkpointText(setting.origin, { size, root: Buffer.alloc(32, 1) })));
    disk.put(path, Buffer.from(lines.toSpliced(at, 0, fork).join('\n')));
    assert.equal((await verified(disk)).status, 'tampered', `size ${size} in line ${at}`);
  }
});

test('several keys may be trusted; the report names the one that signed', async () => {
  const { vkey } = await verified(whole);
  const other = (await verified(finishedLog(5, 2))).vkey;
  const report = await verified(whole, { trust: [{ vkey: other }, { vkey }] });
  assert.deepEqual([report.status, report.vkey, report.pinned], ['proven', vkey, true]);
});

test('a log signed with another key is not trusted', async () => {
  const { vkey } = await verified(whole);
  const report = await verified(finishedLog(330, 2), { trust: [{ vkey }] });
  assert.equal(report.status, 'tampered');
  assert.match(JSON.stringify(report.findings), /not trusted|not signed by a key that is trusted/);
});

test('entries of another log cannot be spliced in', async () => {
  const disk = whole.copy();
  const other = finishedLog(330, 2);
  disk.put(`${folder}/${bundlePath(0)}`, other.read(`${folder}/${bundlePath(0)}`));
  disk.put(`${folder}/${tilePath(0, 0)}`, other.read(`${folder}/${tilePath(0, 0)}`));
  const report = await verified(disk);
  assert.equal(report.status, 'tampered');
  // Entry 0 differs already: the other log has another key.
  assert.equal(Math.min(...tamperedAt(report).map((index) => index ?? 0)), 0);
});

test('an old copy of the whole folder is noticed by whoever kept a later checkpoint', async () => {
  const bench = new Bench();
  bench.session('ses_1', 3);
  bench.sign();
  const old = bench.disk.copy();
  bench.session('ses_2', 3);
  bench.log.close();
  const since = bench.disk.read(`${folder}/checkpoint`)?.toString() ?? '';
  assert.equal((await verified(old)).status, 'proven');
  assert.equal((await verified(old, { since: [since] })).status, 'tampered');
  assert.equal((await verified(bench.disk, { since: [since] })).status, 'proven');
});

test('the check of links notices a writer that forgets them (sabotage: skip-prev)', async () => {
  const bench = new Bench(undefined, { machine: sabotages['skip-prev'].machine });
  bench.session('ses_1', 3);
  bench.log.close();
  const report = await verified(bench.disk);
  assert.equal(report.status, 'tampered');
  assert.ok(tamperedAt(report).includes(1));
});

test('a write torn by a crash is a hole, damage before it is not', async () => {
  const bench = new Bench();
  bench.session('ses_1', 3);
  bench.sign();
  bench.commit({ kind: 'admin.token', by: 'user:admin', action: 'create', object: 'tok_1' });
  const torn = bench.disk.copy();
  const path = `${folder}/wal/000000000000.wal`;
  const bytes = torn.read(path) ?? Buffer.alloc(0);
  const at = bytes.indexOf('admin.token');
  bytes.fill(0, at, at + 10);
  torn.put(path, bytes);
  const report = await verified(torn);
  assert.deepEqual([report.status, exitStatus(report)], ['incomplete', 2]);
  bench.commit({ kind: 'admin.token', by: 'user:admin', action: 'create', object: 'tok_2' });
  const damaged = bench.disk.copy();
  damaged.flip(path, at * 8);
  assert.equal((await verified(damaged)).status, 'tampered');
});

test('a folder that is no ledger cannot be read', async () => {
  const disk = whole.copy();
  for (const path of disk.paths()) disk.put(path, undefined);
  const report = await verified(disk);
  assert.deepEqual([report.status, exitStatus(report)], ['unreadable', 3]);
});

test('random edits of any file are noticed', async () => {
  const paths = evidenceFiles(small);
  await fc.assert(
    fc.asyncProperty(
      fc.nat(paths.length - 1),
      fc.nat(),
      fc.uint8Array({ minLength: 1, maxLength: 8 }),
      fc.constantFrom('write', 'cut', 'add', 'delete'),
      async (file, where, bytes, how) => {
        const disk = small.copy();
        const path = paths[file] ?? '';
        const before = disk.read(path) ?? Buffer.alloc(0);
        const at = where % before.length;
        const end = how === 'write' ? at + bytes.length : at;
        const after = Buffer.concat([
          before.subarray(0, at),
          how === 'cut' ? Buffer.alloc(0) : bytes,
          how === 'cut' ? before.subarray(at + bytes.length) : before.subarray(end),
        ]);
        disk.put(path, how === 'delete' ? undefined : after);
        if (how !== 'delete' && after.equals(before)) return;
        // Narrower tiles are kept for readers of older checkpoints; without them nothing is lost.
        const optional = /\.p\/\d+$/.test(path) && !path.endsWith(`/${(await verified(small)).size}`);
        if (how === 'delete' && (optional || path.includes('/wal/'))) return;
        assert.notEqual((await verified(disk)).status, 'proven', `${how} ${path} at ${at}`);
      },
    ),
    { numRuns: 200 },
  );
});

/** A log with the same origin and key but other entries, consistent in itself. */
function forge(disk: SimulatedDisk, change: (entries: Uint8Array[]) => Uint8Array[]): SimulatedDisk {
  const size = Number(disk.read(`${folder}/checkpoint`)?.toString().split('\n')[1]);
  const all = [...entriesOf(disk, bundlePath(0)), ...entriesOf(disk, bundlePath(1, size - 256))];
  const forged = disk.copy();
  for (const path of evidenceFiles(disk)) forged.put(path, undefined);
  const entries = change(all);
  const tree = new Tree();
  for (const entry of entries) for (const tile of tree.add(leafHash(entry))) forged.put(`${folder}/${tile.path}`, tile.bytes);
  for (const tile of tree.partial()) forged.put(`${folder}/${tile.path}`, tile.bytes);
  forged.put(`${folder}/${bundlePath(0)}`, encodeBundle(entries.slice(0, 256)));
  forged.put(`${folder}/${bundlePath(1, entries.length - 256)}`, encodeBundle(entries.slice(256)));
  // The simulated key is the first thing the seeded randomness gave.
  const signer = signerOf(setting.origin, seededRandom(1)(32));
  const note = signer.sign(checkpointText(setting.origin, { size: entries.length, root: tree.root() }));
  forged.put(`${folder}/checkpoint`, Buffer.from(note));
  forged.put(`${folder}/checkpoints.log`, Buffer.from(`${JSON.stringify(note)}\n`));
  return forged;
}

let previous = '0'.repeat(64);
function relink(entry: Uint8Array, i: number, _all: unknown): Uint8Array {
  if (i === 0) previous = '0'.repeat(64);
  const line = Buffer.from(canonicalJson({ ...Object(JSON.parse(Buffer.from(entry).toString())), i, prev: previous }));
  previous = leafHash(line).toString('hex');
  return line;
}

test('a history of many pieces is read whole; a line that a power cut tore is a hole at its end, and damage before', async () => {
  const disk = finishedLog(60, 4);
  const path = `${setting.directory}/checkpoints.log`;
  const whole = disk.read(path) ?? Buffer.alloc(0);
  const last = whole.subarray(whole.lastIndexOf(0x0a, whole.length - 2) + 1);
  const { checkpoints } = await verified(disk);
  // More than one piece of a mebibyte; the same size may be signed again.
  const more = Math.ceil((1.1 * 1024 * 1024) / last.length);
  const long = Buffer.concat([whole, ...Array.from({ length: more }, () => last)]);
  disk.put(path, long);
  const report = await verified(disk);
  assert.deepEqual([report.status, report.checkpoints], ['proven', checkpoints + more]);
  const torn = Buffer.from(last);
  torn.fill(0, 20, 60);
  disk.put(path, Buffer.concat([long, torn]));
  assert.equal((await verified(disk)).status, 'incomplete');
  disk.put(path, Buffer.concat([long, torn, last]));
  assert.equal((await verified(disk)).status, 'tampered');
  // It had been published, so it had been whole.
  disk.put(path, Buffer.concat([whole.subarray(0, whole.length - last.length), torn]));
  assert.equal((await verified(disk)).status, 'tampered');
});
