import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalJson, Fault, type FaultCode, limits } from '#model';
import { decided, sessionClosed, sessionOpened, settled } from './testing/drafts.ts';
import { type PowerCutOptions, runPowerCuts } from './testing/power-cuts.ts';
import { sabotaged, sabotages, type SabotageName } from './testing/sabotage.ts';
import { SimulatedDisk } from './testing/simulated-disk.ts';
import { Bench, setting } from './testing/story.ts';
import { verified } from './testing/tamper.ts';

const wal = `${setting.directory}/wal/000000000000.wal`;

function refuses(disk: SimulatedDisk, code: FaultCode, message: RegExp): void {
  assert.throws(
    () => new Bench(disk, { seed: 9 }),
    (thrown) => thrown instanceof Fault && thrown.code === code && message.test(thrown.message),
    code,
  );
}

test('an entry is one canonical line with whole numbers, linked to the entry before', () => {
  const bench = new Bench();
  bench.session('s', 1);
  const lines = bench.log.read(0, 10);
  assert.equal(lines.length, 5);
  for (const [i, line] of lines.entries()) {
    const record: unknown = JSON.parse(line);
    assert.equal(canonicalJson(record), line);
    assert.equal(Object(record).i, i);
  }
  // A fraction that a policy read is kept as text.
  assert.equal(JSON.parse(lines[2] ?? '').decision.reads.risk, '0.5');
});

test('evidence never appears in clear and opens to exactly what was recorded', () => {
  const bench = new Bench();
  const secret = 'select * from cards where number = 4111111111111111';
  bench.commit(sessionOpened('s'));
  const [short = -1] = bench.commit(decided('s', 1, { text: secret }));
  const [long = -1] = bench.commit(decided('s', 2, { text: secret.repeat(500) }));
  bench.log.close();
  for (const path of bench.disk.paths()) assert.equal(bench.disk.read(path)?.includes('4111111111111111'), false, path);
  assert.deepEqual(bench.log.openEvidence(short), { text: secret, parameters: ['7', null] });
  assert.equal(bench.log.openEvidence(long).text, secret.repeat(500));
});

test('erasing the key of a session erases its evidence and nothing else', async () => {
  const bench = new Bench();
  bench.session('s', 1);
  bench.log.close();
  bench.disk.put('/keys/sessions/s/s.key', undefined);
  assert.throws(() => bench.log.openEvidence(2), { code: 'NOT_FOUND' });
  assert.equal((await verified(bench.disk)).status, 'proven');
});

test('a record that does not fit its limit is refused without a trace, and its neighbours are written', async () => {
  const bench = new Bench();
  const [opened] = bench.commit(sessionOpened('s'));
  assert.equal(opened, 1);
  const huge = { ...decided('s', 1), what: { ...decided('s', 1).what, normalized: 'x'.repeat(limits.entryBytesMax) } };
  const results = bench.log.commit([bench.item(huge), bench.item(decided('s', 1)), bench.item({ ...huge, n: 2 })]);
  assert.deepEqual(
    results.map((result) => ('fault' in result ? result.fault.code : result.index)),
    ['LEDGER_ENTRY_TOO_LARGE', 2, 'LEDGER_ENTRY_TOO_LARGE'],
  );
  bench.log.close();
  assert.equal((await verified(bench.disk)).status, 'proven');
});

test('evidence that would not fit beside a large record goes to a blob', () => {
  const bench = new Bench();
  bench.commit(sessionOpened('s'));
  const draft = { ...decided('s', 1, { text: 'x'.repeat(3_500) }), what: { ...decided('s', 1).what, normalized: 'y'.repeat(12_000) } };
  const [index = -1] = bench.commit(draft);
  assert.match(bench.log.read(index, 1)[0] ?? '', /"blob":"/);
  assert.equal(bench.log.openEvidence(index).text.length, 3_500);
});

test('a start records what was left in doubt, and only that', () => {
  const bench = new Bench();
  bench.commit(sessionOpened('s'));
  const [done = -1] = bench.commit(decided('s', 1));
  const [lost = -1] = bench.commit(decided('s', 2));
  bench.commit(decided('s', 3, { verdict: 'deny' }), settled('s', 1, done));
  const again = new Bench(bench.disk.copy(), { seed: 2 });
  assert.deepEqual(again.log.recovery, { torn: 0, inDoubt: [{ session: 's', operation: 'op_s_2', index: lost }] });
  const [recovered, doubt] = again.log.read(bench.log.size, 10).map((line) => JSON.parse(line));
  assert.deepEqual([recovered.kind, recovered.inDoubt], ['log.recovered', [lost]]);
  assert.deepEqual([doubt.kind, doubt.for, doubt.operation], ['operation.indoubt', lost, 'op_s_2']);
  assert.deepEqual(new Bench(again.disk.copy(), { seed: 3 }).log.recovery.inDoubt, []);
});

test('old segments go once their entries are sealed and signed; in-doubt operations before them are still found', async () => {
  const bench = new Bench();
  bench.commit(sessionOpened('old'));
  const [lost = -1] = bench.commit(decided('old', 1));
  bench.commit(sessionOpened('s'));
  const cheap = Array.from({ length: 256 }, () => ({ kind: 'admin.token', by: 'user:admin', action: 'create', object: 'tok_1' }) as const);
  while (bench.log.size < limits.ledgerSegmentEntriesMax * 3) bench.commit(...cheap);
  bench.sign();
  const segments = bench.disk.list(`${setting.directory}/wal`);
  assert.deepEqual(segments.slice(0, 2), ['000000008192.sessions', '000000008192.wal']);
  const copy = bench.disk.copy();
  const again = new Bench(copy, { seed: 2 });
  assert.deepEqual(again.log.recovery.inDoubt, [{ session: 'old', operation: 'op_old_1', index: lost }]);
  assert.equal(JSON.parse(again.log.read(4_000, 1)[0] ?? '').i, 4_000);
  again.log.close();
  assert.equal((await verified(copy)).counts.tampered, 0);
});

test('a log whose segments do not end where bundles end is recovered from tiles and bundles', async () => {
  let disk = new SimulatedDisk();
  for (let start = 1; start <= 4; start += 1) {
    const bench = new Bench(disk, { seed: start, machine: { segmentEntries: 41 }, time: start * 1_000 });
    bench.session(`ses_${start}`, 150);
    bench.sign();
    // What is sealed in full bundles is gone, so the next start has to begin in the middle of a bundle.
    assert.ok(disk.list(`${setting.directory}/wal`).filter((name) => name.endsWith('.wal')).length <= 9);
    disk = disk.copy();
  }
  const report = await verified(disk);
  assert.deepEqual([report.status, report.size], ['proven', 4 * 303], JSON.stringify(report.findings));
});

test('a full disk refuses operations, still takes outcomes, and opens again when there is room', async () => {
  const disk = new SimulatedDisk();
  disk.room = 40 * 1024 * 1024;
  const bench = new Bench(disk, { setting: { reserveBytes: 4 * 1024 * 1024 } });
  bench.commit(sessionOpened('s'));
  const indexes = bench.commit(...Array.from({ length: 200 }, (_, k) => decided('s', k + 1)));
  disk.room = 10_000;
  let refused = 0;
  for (let n = 201; n < 400 && refused === 0; n += 1) {
    const [result] = bench.log.commit([bench.item(decided('s', n))]);
    if (result !== undefined && 'fault' in result) refused = result.fault.code === 'LEDGER_FULL' ? n : -1;
    else indexes.push(n + 1);
  }
  assert.ok(refused > 200);
  for (const [k, index] of indexes.entries()) bench.commit(settled('s', k + 1, index));
  bench.commit(sessionClosed('s', indexes.length));
  bench.sign();
  assert.match(JSON.stringify(bench.log.commit([bench.item(sessionOpened('t'))])), /LEDGER_FULL/);
  disk.room = 40 * 1024 * 1024;
  bench.log.tick();
  bench.session('t', 2);
  bench.log.close();
  assert.equal((await verified(disk)).status, 'proven');
});

test('a short write with room on the disk ends the writer', () => {
  const bench = new Bench();
  const disk = bench.disk;
  const open = disk.open.bind(disk);
  disk.open = (path, how) => ({ ...open(path, how), write: (bytes) => bytes.length - 1 });
  const again = (): unknown => new Bench(disk, { seed: 2 });
  assert.throws(again, /short write/);
});

test('a start refuses a log that is shorter than what was signed', () => {
  const bench = new Bench();
  bench.session('s', 3);
  bench.sign();
  const cut = bench.disk.copy();
  const bytes = cut.read(wal) ?? Buffer.alloc(0);
  cut.put(wal, bytes.subarray(0, bytes.indexOf('"kind":"session.closed"') - 300));
  refuses(cut, 'LEDGER_ROLLBACK', /were signed/);
});

test('a start refuses an old copy of the folder, because the keys remember what they signed', () => {
  const bench = new Bench();
  bench.session('s', 3);
  bench.sign();
  const old = bench.disk.copy();
  bench.session('t', 3);
  bench.sign();
  old.put('/keys/signed', bench.disk.read('/keys/signed'));
  refuses(old, 'LEDGER_ROLLBACK', /the log holds 9 entries, but 17 were signed/);
});

test('a start refuses damage before the end, a changed header, a foreign key and a missing key', () => {
  const bench = new Bench();
  bench.session('s', 3);
  bench.sign();
  const flipped = bench.disk.copy();
  flipped.flip(wal, (flipped.read(wal) ?? Buffer.alloc(0)).indexOf('session.opened') * 8);
  refuses(flipped, 'LEDGER_CORRUPT', /entry 1: the frame at byte \d+ was damaged/);
  const header = bench.disk.copy();
  header.flip(wal, 20);
  refuses(header, 'LEDGER_CORRUPT', /damaged header/);
  const keyless = bench.disk.copy();
  keyless.put('/keys/log.key', undefined);
  refuses(keyless, 'LEDGER_CORRUPT', /put the key back/);
  const foreign = bench.disk.copy();
  foreign.put('/keys/log.key', new Bench(undefined, { seed: 77 }).disk.read('/keys/log.key') ?? Buffer.alloc(0));
  refuses(foreign, 'LEDGER_CORRUPT', /not a checkpoint signed by this log's key/);
});

test('no acknowledged record is lost in any power cut', async () => {
  let cuts = 0;
  for (let seed = 1; seed <= 15; seed += 1) cuts += (await runPowerCuts({ seed, verify: seed % 5 === 0 })).cuts;
  assert.ok(cuts > 30);
});

for (const name of Object.keys(sabotages).filter(isSabotage)) {
  test(`the power cuts notice a sabotaged writer (sabotage: ${name})`, async () => {
    assert.ok(await isNoticed(sabotaged(name)), 'sixty seeds did not notice');
  });
}

function isSabotage(name: string): name is SabotageName {
  return Object.hasOwn(sabotages, name);
}

async function isNoticed(sabotage: Partial<PowerCutOptions>): Promise<boolean> {
  for (let seed = 1; seed <= 60; seed += 1) {
    try {
      await runPowerCuts({ seed, ...sabotage });
    } catch {
      return true;
    }
  }
  return false;
}
