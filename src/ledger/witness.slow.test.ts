import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { Fault, limits } from '#model';
import { FileAudit, growthProof, type Ledger, openLedger, Witness } from './index.ts';
import { CompactTree } from './compact-tree.ts';
import { isConsistent, proveConsistency } from './consistency.ts';
import { cosignedAt, cosignerOf, openCosigner, readCheckpoint } from './cosigner.ts';
import { leafHash, Tree } from './merkle.ts';
import { decided, realWorld, sessionOpened } from './testing/drafts.ts';
import { SimulatedDisk } from './testing/simulated-disk.ts';
import { Bench, seededRandom, setting } from './testing/story.ts';
import { finishedLog } from './testing/tamper.ts';
import { HandWorld } from './testing/world.ts';
import { directorySource, nodeCrypto, verifyLedger } from './verify/index.ts';

const scratch = mkdtempSync(join(tmpdir(), 'warder-witness-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

function rootAt(leaves: readonly Buffer[], size: number): Buffer {
  const tree = new Tree();
  for (const leaf of leaves.slice(0, size)) tree.add(leaf);
  return tree.root();
}

test('a compact tree has the root of the whole one at every size, also after it was put away', () => {
  const leaves = Array.from({ length: 300 }, (_, i) => leafHash(Buffer.from(String(i))));
  let tree = new CompactTree();
  for (const [i, leaf] of leaves.entries()) {
    assert.deepEqual(tree.root(), rootAt(leaves, i));
    tree.add(leaf);
    tree = new CompactTree(tree.size, tree.peaks);
  }
});

test('the growth of a log is proven from any size to any other, and nothing else is', () => {
  const disk = finishedLog(700, 3);
  const size = Number(disk.read(`${setting.directory}/checkpoint`)?.toString().split('\n')[1]);
  const leaves = Array.from({ length: Math.ceil(size / 256) }, (_, number) => {
    const folder = `${setting.directory}/tile/0/00${number}`;
    const bytes = disk.read(folder) ?? disk.read(`${folder}.p/${size % 256}`) ?? Buffer.alloc(0);
    return Array.from({ length: bytes.length / 32 }, (_unused, k) => bytes.subarray(k * 32, k * 32 + 32));
  }).flat();
  const to = { size, root: rootAt(leaves, size) };
  fc.assert(
    fc.property(fc.nat(size), fc.nat(), (from, damage) => {
      const growth = { from: { size: from, root: rootAt(leaves, from) }, to };
      const proof = proveConsistency(disk, setting.directory, { from, to: size });
      assert.ok(isConsistent(growth, proof), `from ${from}`);
      if (from === 0 || from === size) return;
      const broken = proof.map((node, k) => (k === damage % proof.length ? leafHash(node) : node));
      assert.ok(!isConsistent(growth, broken));
      assert.ok(!isConsistent(growth, proof.slice(1)));
      assert.ok(!isConsistent({ ...growth, from: { size: from, root: rootAt(leaves, from - 1) } }, proof));
    }),
    { numRuns: 60 },
  );
});

test('a cosignature is one that verifiers of the specification accept', () => {
  // The example key of RFC 8032 §7.1, test 1.
  const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
  const cosigner = cosignerOf('witness.example/w', seed);
  const text = 'log.example/one\n7\nsojztiiwXZuA7zintkPFu2nkohMb1ntn/lRooKk406E=\n';
  const line = cosigner.cosign(text, 1_679_315_147);
  assert.equal(cosignedAt(text, line, cosigner.vkey), 1_679_315_147);
  assert.equal(cosignedAt(text.replace('7', '8'), line, cosigner.vkey), undefined);
  assert.equal(cosignedAt(text, line, cosignerOf('witness.example/x', seed).vkey), undefined);
});

/** A log that grows, on a real folder, with a witness elsewhere. */
function pair(name: string): { bench: Bench; disk: SimulatedDisk; witness: Witness; vkey: string; note: () => string } {
  const bench = new Bench();
  const keys = join(scratch, name);
  const cosigner = openCosigner({ keys, name: 'ledger.test/w/witness', world: realWorld });
  const note = (): string => bench.disk.read(`${setting.directory}/checkpoint`)?.toString() ?? '';
  return { bench, disk: bench.disk, witness: new Witness({ keys, cosigner, world: realWorld }), vkey: bench.log.signing.vkey, note };
}

function proofFrom(disk: SimulatedDisk, from: number, note: string): string[] {
  const to = Number(note.split('\n')[1]);
  return proveConsistency(disk, setting.directory, { from, to }).map((node) => node.toString('base64'));
}

test('a witness signs a log that grows, and names its size when the proof begins elsewhere', () => {
  const { bench, disk, witness, vkey, note } = pair('grows');
  const first = witness.consider({ vkey, old: 0, note: note(), proof: [] });
  assert.ok(first.cosignature !== undefined && cosignedAt(readCheckpoint(note(), vkey).text, first.cosignature, witness.vkey));
  bench.session('s', 4);
  bench.sign();
  assert.deepEqual(witness.consider({ vkey, old: 0, note: note(), proof: [] }), { size: first.size });
  const second = witness.consider({ vkey, old: first.size, note: note(), proof: proofFrom(disk, first.size, note()) });
  assert.ok(second.cosignature !== undefined && second.size > first.size);
});

test('a witness shows the log its own signature when it comes back shorter or another', () => {
  const { bench, disk, witness, vkey, note } = pair('rollback');
  const early = note();
  const fork = new Bench(disk.copy(), { seed: 8 });
  bench.session('s', 2);
  bench.sign();
  const late = note();
  witness.consider({ vkey, old: 0, note: late, proof: [] });
  assert.deepEqual(witness.consider({ vkey, old: 0, note: early, proof: [] }).note, late);
  // The same key, the same size, another history.
  const size = Number(late.split('\n')[1]);
  fork.commit(...Array.from({ length: size - fork.log.size }, (_, i) => sessionOpened(`f${i}`)));
  fork.sign();
  const forked = fork.disk.read(`${setting.directory}/checkpoint`)?.toString() ?? '';
  assert.equal(forked.split('\n')[1], String(size));
  assert.deepEqual(witness.consider({ vkey, old: size, note: forked, proof: [] }).note, late);
});

test('a witness refuses a history that does not contain what it signed, another key, and a forged note', () => {
  const { bench, disk, witness, vkey, note } = pair('forged');
  const fork = new Bench(disk.copy(), { seed: 9 });
  bench.session('s', 2);
  bench.sign();
  const { size } = witness.consider({ vkey, old: 0, note: note(), proof: [] });
  fork.session('t', 9);
  fork.sign();
  const forked = fork.disk.read(`${setting.directory}/checkpoint`)?.toString() ?? '';
  const tampered = (fault: unknown): boolean => fault instanceof Fault && fault.code === 'LEDGER_TAMPERED';
  assert.throws(() => witness.consider({ vkey, old: size, note: forked, proof: proofFrom(fork.disk, size, forked) }), tampered);
  const other = new Bench(undefined, { seed: 77 });
  other.session('t', 9);
  other.sign();
  const stranger = other.disk.read(`${setting.directory}/checkpoint`)?.toString() ?? '';
  assert.throws(() => witness.consider({ vkey: other.log.signing.vkey, old: size, note: stranger, proof: [] }), tampered);
  assert.throws(() => witness.consider({ vkey, old: size, note: note().replace(`\n${size}\n`, `\n${size + 1}\n`), proof: [] }), tampered);
});

async function open(name: string, more: Partial<Parameters<typeof openLedger>[0]> = {}): Promise<{ ledger: Ledger; directory: string }> {
  const directory = join(scratch, name, 'ledger');
  const ledger = await openLedger({
    directory,
    keys: join(scratch, name, 'keys'),
    origin: 'ledger.test/real',
    world: new HandWorld(),
    build: 'test',
    inline: true,
    reserveBytes: 0,
    onFatal: (fault) => assert.fail(fault),
    ...more,
  });
  return { ledger, directory };
}

const unwitnessed = { code: 'LEDGER_UNWITNESSED' };

test('a permit that needs a witness is made only when the signed root covers its record', async () => {
  const world = new HandWorld();
  const { ledger } = await open('levels', { world });
  await assert.rejects(ledger.decide(decided('s', 1), { level: 'witnessed' }), unwitnessed);
  assert.equal(ledger.size, 1, 'nothing is recorded when there is no hope');
  ledger.reach.link(true);
  let released = '';
  const mirrored = ledger.decide(decided('s', 1), { level: 'mirrored' }).then(() => (released += 'm'));
  const witnessed = ledger.decide(decided('s', 2), { level: 'witnessed' }).then(() => (released += 'w'));
  await world.pass(0);
  assert.deepEqual([released, ledger.size, ledger.reach.wanted('witnessed')], ['', 3, true]);
  ledger.reach.advance('mirrored', 3);
  await mirrored;
  assert.equal(released, 'm');
  ledger.reach.advance('witnessed', 2);
  await world.pass(0);
  assert.equal(released, 'm');
  ledger.reach.advance('witnessed', 3);
  await witnessed;
  const lost = ledger.decide(decided('s', 3), { level: 'mirrored' });
  await Promise.all([world.pass(limits.ledgerReachMs), assert.rejects(lost, unwitnessed)]);
  const cut = ledger.decide(decided('s', 4), { level: 'mirrored' });
  await world.pass(0);
  ledger.reach.link(false);
  await assert.rejects(cut, unwitnessed);
  await world.pass(0);
  const last = (await ledger.read(3, 10)).map((line) => JSON.parse(line));
  const settled = last.filter(({ kind }) => kind === 'operation.settled').map(({ n, outcome }) => [n, outcome.status]);
  assert.deepEqual(settled, [
    [3, 'refused'],
    [4, 'refused'],
  ]);
  await ledger.close();
});

test('a log that somebody else knows better is not opened, and nothing is written to it', async () => {
  const { ledger, directory } = await open('refused');
  await ledger.append(sessionOpened('s'));
  await ledger.close();
  const before = readFileSync(join(directory, 'checkpoint'), 'utf8');
  const seen: unknown[] = [];
  for (const inline of [true, false]) {
    await assert.rejects(
      open('refused', {
        inline,
        confirm: async (found) => {
          seen.push([found.size, await found.leafOf(1), await found.leafOf(9)]);
          throw new Fault('LEDGER_ROLLBACK', 'the mirror has more');
        },
      }),
      { code: 'LEDGER_ROLLBACK' },
    );
  }
  assert.deepEqual(seen[0], seen[1]);
  assert.match(JSON.stringify(seen[0]), /^\[2,"[0-9a-f]{64}",null\]$/);
  assert.equal(readFileSync(join(directory, 'checkpoint'), 'utf8'), before);
  const again = await open('refused', { confirm: () => Promise.resolve() });
  // The start, and the session that it found open.
  assert.equal(again.ledger.size, 4);
  await again.ledger.close();
});

test('a note that a witness has signed is kept beside the checkpoint, and verifiers tell who signed', async () => {
  const { ledger, directory } = await open('kept');
  const cosigner = cosignerOf('ledger.test/mirror', seededRandom(4)(32));
  const note = ledger.checkpoint ?? '';
  ledger.keepCosigned(`${note}${cosigner.cosign(readCheckpoint(note, ledger.vkey).text, 1_700_000_000)}`);
  await ledger.append(sessionOpened('s'));
  await ledger.close();
  const trust = [{ vkey: ledger.vkey }, { vkey: cosigner.vkey }];
  const report = await verifyLedger(directorySource(directory), { crypto: nodeCrypto, trust });
  assert.deepEqual([report.status, report.witnesses], ['proven', { 'ledger.test/mirror': 1_700_000_000 }], JSON.stringify(report.findings));
  const path = join(directory, 'cosigned');
  const bytes = readFileSync(path);
  for (let at = 0; at < bytes.length; at += 1) {
    bytes[at] = (bytes[at] ?? 0) ^ 4;
    writeFileSync(path, bytes);
    assert.equal((await verifyLedger(directorySource(directory), { crypto: nodeCrypto, trust })).status, 'tampered', `byte ${at}`);
    bytes[at] = (bytes[at] ?? 0) ^ 4;
  }
});

test('the audit of a live log shows what is new and what was changed, and nothing else', async () => {
  const { ledger, directory } = await open('audit');
  await Promise.all(Array.from({ length: 300 }, (_, i) => ledger.append(sessionOpened(`s${i}`))));
  await ledger.close();
  const audit = new FileAudit(directory);
  const first = await audit.look(301);
  assert.ok(first.length >= 4);
  assert.equal(new Set(first.filter(({ count }) => count === 256).map(({ digest }) => digest)).size, 1, 'bundle and tile give one digest');
  for (const file of first) await audit.good(file);
  assert.deepEqual(await audit.look(301), []);
  const bundle = join(directory, 'tile/entries/000');
  const bytes = readFileSync(bundle);
  bytes[700] = (bytes[700] ?? 0) ^ 1;
  writeFileSync(bundle, bytes);
  appendFileSync(join(directory, 'tile/0/000'), 'x');
  const changed = await audit.look(301);
  assert.deepEqual(
    changed.map(({ path, digest }) => [path, digest === undefined, digest === first[0]?.digest]),
    [
      ['tile/0/000', true, false],
      ['tile/entries/000', false, false],
    ],
  );
  for (const file of changed) await audit.told(file);
  rmSync(join(directory, 'tile/0/000'));
  assert.deepEqual(await audit.look(301), []);
  const fresh = new FileAudit(directory);
  for (const file of await fresh.look(301)) await fresh.good(file);
  rmSync(bundle);
  assert.deepEqual(
    (await fresh.look(301)).map(({ path, digest }) => [path, digest]),
    [['tile/entries/000', undefined]],
  );
});

test('growth is proven from the folder of a log that goes on', async () => {
  const { ledger, directory } = await open('folder');
  const { size } = readCheckpoint(ledger.checkpoint ?? '', ledger.vkey);
  assert.deepEqual(growthProof(directory, { from: size, to: size }), []);
  await ledger.close();
});
