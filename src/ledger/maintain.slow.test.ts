import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { keyFollows, ledgerRotations, openLedger, type StoppedLog, repairLedger, rotateLedgerKey } from './index.ts';
import { sessionClosed, sessionOpened } from './testing/drafts.ts';
import { PowerCut } from './testing/simulated-disk.ts';
import { Bench, setting } from './testing/story.ts';
import { verified } from './testing/tamper.ts';
import { HandWorld } from './testing/world.ts';
import { bothSignMs } from './signing-keys.ts';
import { directorySource, nodeCrypto, type Report, verifyLedger } from './verify/index.ts';

const scratch = mkdtempSync(join(tmpdir(), 'warder-maintain-'));
after(() => rmSync(scratch, { recursive: true, force: true }));
const python = spawnSync('python3', ['-c', '']).status === 0;

function place(name: string, world = new HandWorld()): StoppedLog & { world: HandWorld } {
  return { directory: join(scratch, name, 'ledger'), keys: join(scratch, name, 'keys'), origin: 'ledger.test/kept', world, build: 'test' };
}

async function write(at: StoppedLog, session: string): Promise<string> {
  const ledger = await openLedger({ ...at, inline: true, reserveBytes: 0, onFatal: (fault) => assert.fail(fault) });
  await ledger.append(sessionOpened(session));
  await ledger.append(sessionClosed(session, 0));
  await ledger.close();
  return ledger.vkey;
}

async function verify(directory: string, ...vkeys: string[]): Promise<Report> {
  const trust = vkeys.length === 0 ? {} : { trust: vkeys.map((vkey) => ({ vkey })) };
  const report = await verifyLedger(directorySource(directory), { crypto: nodeCrypto, ...trust });
  if (python) {
    const script = join(import.meta.dirname, 'verify/verify.py');
    const { stdout } = spawnSync('python3', [script, '--json', ...vkeys.flatMap((vkey) => ['--key', vkey]), directory]);
    const second = JSON.parse(stdout.toString());
    assert.deepEqual([second.status, second.size], [report.status, report.size], JSON.stringify([report.findings, second.findings]));
  }
  return report;
}

test('a log with changed keys is proven to whoever knows any of them, long after', async () => {
  const at = place('rotated');
  const first = await write(at, 'a');
  const second = await rotateLedgerKey(at);
  assert.equal(readFileSync(join(at.directory, 'checkpoint'), 'utf8').split('\n— ').length, 3, 'both keys sign');
  await write(at, 'b');
  at.world.wall += bothSignMs + 1;
  assert.equal(await write(at, 'c'), second);
  assert.equal(readFileSync(join(at.directory, 'checkpoint'), 'utf8').split('\n— ').length, 2, 'the new key signs alone');
  assert.ok(!existsSync(join(at.keys, 'log.previous.key')));
  const third = await rotateLedgerKey(at);
  at.world.wall += bothSignMs + 1;
  await write(at, 'd');
  for (const vkey of [first, second, third]) {
    const report = await verify(at.directory, vkey);
    assert.equal(report.status, 'proven', JSON.stringify(report.findings));
  }
  const rotations = ledgerRotations(at.directory);
  assert.ok(keyFollows(at.origin, { from: first, to: third }, rotations));
  assert.ok(!keyFollows(at.origin, { from: third, to: first }, rotations));
  assert.ok(!keyFollows(at.origin, { from: first, to: third }, rotations.slice(1)));
  assert.ok(!keyFollows('ledger.test/other', { from: first, to: third }, rotations));
});

test('a change of keys that somebody else made is noticed', async () => {
  const at = place('forged');
  const first = await write(at, 'a');
  await rotateLedgerKey(at);
  await write(at, 'b');
  const path = join(at.directory, 'rotations');
  const whole = readFileSync(path, 'utf8');
  const rotation = JSON.parse(whole);
  rmSync(path);
  assert.equal((await verify(at.directory, first)).status, 'tampered', 'without the file the record is not followed');
  writeFileSync(path, `${JSON.stringify({ ...rotation, signature: rotation.accepted })}\n`);
  assert.equal((await verify(at.directory, first)).status, 'tampered');
  writeFileSync(path, whole);
  assert.equal((await verify(at.directory, first)).status, 'proven');
});

test('wherever the power goes during a change of keys, the log opens and is proven', async () => {
  for (let fuse = 1; fuse < 60; fuse += 1) {
    const bench = new Bench(undefined, { seed: fuse });
    bench.session('s', 1);
    bench.disk.fuse = fuse;
    let cut = false;
    try {
      bench.log.rotateKey({ t: setting.stamp.t + 100, mono: setting.stamp.mono + 100_000 });
    } catch (error) {
      assert.ok(error instanceof PowerCut);
      cut = true;
    }
    bench.disk.fuse = Number.POSITIVE_INFINITY;
    const after_ = cut ? bench.disk.afterPowerCut((sides) => fuse % sides) : bench.disk;
    if (!cut) bench.log.close();
    const again = new Bench(after_, { seed: fuse + 100, time: 200 });
    again.session('t', 1);
    again.log.close();
    const report = await verified(again.disk);
    assert.ok(['proven', 'incomplete'].includes(report.status), `fuse ${fuse}: ${JSON.stringify(report.findings)}`);
    if (!cut) return;
  }
  assert.fail('the change of keys never ended');
});

test('a damaged log is moved aside unchanged, and a new one quotes its checkpoint', async () => {
  const at = place('repaired');
  const first = await write(at, 'a');
  const wal = join(at.directory, 'wal/000000000000.wal');
  const bytes = readFileSync(wal);
  bytes[200] = (bytes[200] ?? 0) ^ 1;
  writeFileSync(wal, bytes);
  await assert.rejects(write(at, 'b'), { code: 'LEDGER_CORRUPT' });
  const before = readFileSync(join(at.directory, 'checkpoint'), 'utf8');
  const repaired = await repairLedger(at, 'a test');
  assert.deepEqual([repaired.sealed, repaired.checkpoint], [false, before]);
  assert.deepEqual(readFileSync(join(repaired.old, 'wal/000000000000.wal')), bytes);
  assert.equal(await write(at, 'b'), repaired.vkey);
  assert.notEqual(repaired.vkey, first);
  const report = await verify(at.directory, repaired.vkey);
  assert.equal(report.status, 'proven', JSON.stringify(report.findings));
  const opened = readFileSync(join(at.directory, 'tile/entries/000.p/1')).subarray(2).toString();
  assert.deepEqual([JSON.parse(opened).continues, JSON.parse(opened).reason], [before, 'a test']);
  assert.equal((await verify(repaired.old, first)).status, 'tampered');
  assert.ok(readdirSync(at.keys).includes('org.key'), 'the evidence of the old log can still be opened');
});

test('a log that can be opened is sealed before it is replaced, and takes nothing any more', async () => {
  const at = place('sealed');
  const first = await write(at, 'a');
  const { old, sealed } = await repairLedger(at, 'moving on');
  assert.equal(sealed, true);
  const report = await verify(old, first);
  assert.equal(report.status, 'proven', JSON.stringify(report.findings));
  const bench = new Bench();
  bench.log.seal(setting.stamp, { by: 'operator', reason: 'r' });
  bench.session('s', 1);
  bench.log.close();
  assert.equal(
    (await verified(bench.disk)).findings.find(({ severity }) => severity === 'tampered')?.message,
    'the log was sealed at entry 1',
  );
  const sealedBench = new Bench();
  sealedBench.log.seal(setting.stamp, { by: 'operator', reason: 'r' });
  sealedBench.log.close();
  assert.throws(() => new Bench(sealedBench.disk), { code: 'LEDGER_SEALED' });
});
