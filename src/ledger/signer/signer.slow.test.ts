import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Fault, limits } from '#model';
import { checkpointText } from '../checkpoint.ts';
import { openLedger, repairLedger, rotateLedgerKey, type RunningSigner, serveSigner, signerAt } from '../index.ts';
import type { Ledger } from '../contract.ts';
import type { Disk } from '../disk.ts';
import { leafHash, nodeHash } from '../merkle.ts';
import { bothSignMs } from '../signing-keys.ts';
import { decided, realWorld, sessionClosed, sessionOpened, settled } from '../testing/drafts.ts';
import { sabotages } from '../testing/sabotage.ts';
import { PowerCut, SimulatedDisk } from '../testing/simulated-disk.ts';
import { seededCoin, seededRandom } from '../testing/story.ts';
import { HandWorld } from '../testing/world.ts';
import { directorySource, nodeCrypto, verifyLedger } from '../verify/index.ts';
import type { LedgerSigner } from './signer-client.ts';
import { Courier } from './courier.ts';
import { type SignAnswer, StatefulSigner } from './stateful-signer.ts';

const origin = 'ledger.test/signed';
const [a, b, c] = ['a', 'b', 'c'].map((text) => leafHash(Buffer.from(text)));
assert.ok(a !== undefined && b !== undefined && c !== undefined);
const text = (size: number, root: Buffer): string => checkpointText(origin, { size, root });
const two = nodeHash(a, b);
const three = nodeHash(two, c);

let scratch = '';
before(() => {
  scratch = mkdtempSync(join(tmpdir(), 'warder-signer-'));
});
after(() => rmSync(scratch, { recursive: true, force: true }));

let wall = 1_700_000_000_000;
let signers = 0;

function memorySigner(disk: Disk = new SimulatedDisk()): StatefulSigner {
  signers += 1;
  return new StatefulSigner({ disk, keys: '/signer', origin, random: seededRandom(signers), now: () => wall });
}

test('a signer signs what grew from what it signed before, and nothing else', () => {
  const disk = new SimulatedDisk();
  const signer = memorySigner(disk);
  assert.ok(signer.sign({ text: text(2, two), old: 0, proof: [] }).line);
  assert.deepEqual(signer.sign({ text: text(3, three), old: 0, proof: [] }), { size: 2 }, 'it says where the proof has to begin');
  const proof = [c.toString('base64')];
  assert.throws(() => signer.sign({ text: text(3, two), old: 2, proof }), { code: 'LEDGER_ROLLBACK' });
  assert.throws(() => signer.sign({ text: text(3, three), old: 2, proof: [] }), { code: 'LEDGER_ROLLBACK' });
  const first = signer.sign({ text: text(3, three), old: 2, proof });
  assert.ok(first.line?.startsWith(`\u2014 ${origin} `));
  assert.deepEqual(signer.sign({ text: text(3, three), old: 3, proof: [] }), first, 'the same may be signed again');
  // After a restart it knows as much as before.
  const again = memorySigner(disk.copy());
  assert.equal(again.vkey, signer.vkey);
  for (const [size, root] of [
    [2, two],
    [3, two],
  ] as const)
    assert.throws(() => again.sign({ text: text(size, root), old: size, proof: [] }), { code: 'LEDGER_ROLLBACK' });
});

test('a signer signs checkpoints of its log only, and does not begin anew when its key is gone', () => {
  const disk = new SimulatedDisk();
  const signer = memorySigner(disk);
  const good = text(2, two);
  for (const bad of [good.replace(origin, 'ledger.test/other'), `${good}extension\n`, good.trimEnd(), good.replace('\n2\n', '\n02\n'), ''])
    assert.throws(() => signer.sign({ text: bad, old: 0, proof: [] }), { code: 'INVALID_INPUT' });
  signer.sign({ text: good, old: 0, proof: [] });
  disk.remove('/signer/log.key');
  assert.throws(() => memorySigner(disk), { code: 'CONFIG_INVALID' });
});

/** Signs twice on a disk whose power goes after so many calls; throws when the signer that is opened then knows less than was signed. */
function cutAfter(fuse: number, wrap: (disk: Disk) => Disk = (disk) => disk): void {
  const disk = new SimulatedDisk();
  disk.fuse = fuse;
  let signed = 0;
  try {
    const signer = memorySigner(wrap(disk));
    if (signer.sign({ text: text(2, two), old: 0, proof: [] }).line !== undefined) signed = 2;
    if (signer.sign({ text: text(3, three), old: 2, proof: [c?.toString('base64') ?? ''] }).line !== undefined) signed = 3;
  } catch (error) {
    if (!(error instanceof PowerCut)) throw error;
  }
  const after = memorySigner(disk.afterPowerCut((sides) => fuse % sides));
  assert.ok(after.size >= signed, `fuse ${fuse}: it signed ${signed} and remembers ${after.size}`);
}

test('wherever the power goes, a signer never forgets what it signed', () => {
  for (let fuse = 1; fuse < 60; fuse += 1) cutAfter(fuse);
});

test('that a signer forgets is noticed (sabotage: nosync, no-dir-fsync)', () => {
  for (const name of ['nosync', 'no-dir-fsync'] as const) {
    const noticed = Array.from({ length: 59 }, (_, k) => k + 1).filter((fuse) => {
      try {
        cutAfter(fuse, sabotages[name].wrap);
        return false;
      } catch {
        return true;
      }
    });
    assert.ok(noticed.length > 0, name);
  }
});

interface Place {
  readonly home: string;
  readonly world: HandWorld;
  readonly fatal: Fault[];
  readonly serve: () => Promise<RunningSigner>;
  readonly open: (refuseAfterMs?: number) => Promise<Ledger>;
}

function place(name: string): Place {
  const home = join(scratch, name);
  const world = new HandWorld();
  const fatal: Fault[] = [];
  const socket = join(scratch, `${name}.sock`);
  return {
    home,
    world,
    fatal,
    serve: () => serveSigner({ socket, keys: join(home, 'signer'), origin, world: realWorld, onRefused: () => undefined }),
    open: (refuseAfterMs = 900_000) =>
      openLedger({
        directory: join(home, 'ledger'),
        keys: join(home, 'keys'),
        origin,
        world,
        build: 'test',
        inline: true,
        reserveBytes: 0,
        // The answers come over a real socket, so its patience is real too.
        signer: { signer: signerAt(socket, realWorld), refuseAfterMs },
        onFatal: (fault) => fatal.push(fault),
      }),
  };
}

/** Lets seconds pass until it holds. */
async function until(world: HandWorld, holds: () => boolean, what: string): Promise<void> {
  for (let tries = 0; tries < 400 && !holds(); tries += 1) {
    await world.pass(1_000);
    await new Promise((resolve) => connect(join(scratch, 'nobody')).on('error', () => resolve(undefined)));
  }
  assert.ok(holds(), what);
}

const signedSize = (ledger: Ledger): number => Number(ledger.checkpoint?.split('\n')[1] ?? 0);

async function closed(ledger: Ledger, world: HandWorld): Promise<void> {
  const state = { done: false };
  const closing = ledger.close().then(() => {
    state.done = true;
  });
  await until(world, () => state.done, 'it closes');
  await closing;
}

test('a log whose key is held by another process is signed by it and proven', async () => {
  const { home, world, serve, open, fatal } = place('whole');
  const signer = await serve();
  const ledger = await open();
  assert.equal(ledger.vkey, signer.vkey);
  for (let s = 0; s < 30; s += 1) {
    await ledger.append(sessionOpened(`s${s}`));
    for (let n = 1; n <= 5; n += 1) await ledger.append(settled(`s${s}`, n, (await ledger.decide(decided(`s${s}`, n))).receipt.index));
    await ledger.append(sessionClosed(`s${s}`, 5));
    if (s % 10 === 0) await until(world, () => signedSize(ledger) === ledger.size, 'it is signed');
  }
  await until(world, () => signedSize(ledger) === ledger.size, 'it is signed');
  await closed(ledger, world);
  await signer.stop();
  assert.ok(!existsSync(join(home, 'keys', 'log.key')), 'the writer has no key');
  const report = await verifyLedger(directorySource(join(home, 'ledger')), { crypto: nodeCrypto, trust: [{ vkey: signer.vkey }] });
  assert.deepEqual([report.status, report.unsigned], ['proven', 0], JSON.stringify(report.findings));
  assert.ok(!existsSync(join(home, 'ledger/tile/0/000.p')), 'narrower tiles are gone once the full one is signed');
  assert.deepEqual(fatal, []);
});

test('a signer that is gone stops nothing at first, is an alarm, and bounds what is unsigned', async () => {
  const { world, serve, open, fatal } = place('gone');
  const signer = await serve();
  const ledger = await open(500_000);
  await until(world, () => signedSize(ledger) === ledger.size, 'it is signed');
  await signer.stop();
  await ledger.append(sessionOpened('s'));
  const permit = await ledger.decide(decided('s', 1));
  const raised = async (kind: string): Promise<boolean> => (await ledger.read(0, 1_000)).some((line) => line.includes(kind));
  let alarmed = false;
  await until(world, () => (void raised('alarm.raised').then((is) => (alarmed ||= is)), alarmed), 'an alarm is raised');
  await ledger.append(sessionOpened('t'));
  await world.pass(501_000);
  await assert.rejects(ledger.append(sessionOpened('u')), { code: 'LEDGER_UNSIGNED' });
  await assert.rejects(ledger.decide(decided('s', 2)), { code: 'LEDGER_UNSIGNED' });
  await ledger.append(settled('s', 1, permit.receipt.index));
  const back = await serve();
  await until(world, () => signedSize(ledger) === ledger.size, 'it is signed again');
  await ledger.append(sessionOpened('u'));
  assert.ok(await raised('alarm.cleared'));
  await closed(ledger, world);
  await back.stop();
  assert.deepEqual(fatal, []);
});

test('a log begins without its signer once the key is known, and not before', async () => {
  const { world, serve, open } = place('later');
  await assert.rejects(open(), { code: 'LEDGER_UNSIGNED' });
  const signer = await serve();
  await closed(await open(), world);
  await signer.stop();
  const ledger = await open();
  assert.equal(ledger.vkey, signer.vkey);
  await ledger.append(sessionOpened('s'));
  await closed(ledger, world);
});

test('an old copy of a log and its keys is refused by the signer, and the process has to end', async () => {
  const { home, world, serve, open, fatal } = place('rollback');
  const signer = await serve();
  const first = await open();
  await until(world, () => signedSize(first) === first.size, 'it is signed');
  for (const folder of ['ledger', 'keys']) cpSync(join(home, folder), join(home, `${folder}.old`), { recursive: true });
  for (let n = 0; n < 20; n += 1) await first.append(sessionOpened(`s${n}`));
  await until(world, () => signedSize(first) === first.size, 'it is signed');
  await closed(first, world);
  for (const folder of ['ledger', 'keys']) {
    rmSync(join(home, folder), { recursive: true });
    cpSync(join(home, `${folder}.old`), join(home, folder), { recursive: true });
  }
  const second = await open();
  await until(world, () => fatal.length > 0, 'the signer refuses');
  assert.deepEqual([fatal[0]?.code, fatal[0]?.exit], ['LEDGER_ROLLBACK', 78]);
  await assert.rejects(second.append(sessionOpened('x')), { code: 'LEDGER_FAILED' });
  await second.close();
  await signer.stop();
});

test('a new log in the place of a signed one needs a new key of the signer', async () => {
  const { home, world, serve, open } = place('repair');
  const signer = await serve();
  await closed(await open(), world);
  const keyHolder = signerAt(join(scratch, 'repair.sock'), realWorld);
  const stopped = { directory: join(home, 'ledger'), keys: join(home, 'keys'), origin, world: realWorld, build: 'test', keyHolder };
  await assert.rejects(repairLedger(stopped, 'test'), { code: 'CONFIG_INVALID' });
  await signer.stop();
  rmSync(join(home, 'signer'), { recursive: true });
  const next = await serve();
  const { vkey, old } = await repairLedger(stopped, 'test');
  assert.equal(vkey, next.vkey);
  assert.notEqual(vkey, signer.vkey);
  const report = await verifyLedger(directorySource(join(home, 'ledger')), { crypto: nodeCrypto, trust: [{ vkey }] });
  assert.deepEqual([report.status, report.size], ['proven', 1], JSON.stringify(report.findings));
  assert.match(readFileSync(join(old, 'checkpoint'), 'utf8'), new RegExp(`^${origin}\n`));
  keyHolder.close();
  await next.stop();
});

test('`warder signer` holds the key for a writer with a thread of its own, and may die at any moment', async () => {
  const home = join(scratch, 'process');
  const socket = join(scratch, 'process.sock');
  const start = async (): Promise<ChildProcess> => {
    const main = join(import.meta.dirname, '../../main.ts');
    const child = spawn(process.execPath, [main, 'signer', '--socket', socket, '--keys', join(home, 'signer'), '--origin', origin]);
    await once(child.stdout, 'data');
    return child;
  };
  let signer = await start();
  const ledger = await openLedger({
    directory: join(home, 'ledger'),
    keys: join(home, 'keys'),
    origin,
    world: realWorld,
    build: 'test',
    reserveBytes: 0,
    signer: { signer: signerAt(socket, realWorld), refuseAfterMs: 60_000 },
    onFatal: (fault) => assert.fail(fault),
  });
  const signed = async (): Promise<void> => {
    const size = ledger.size;
    while (signedSize(ledger) < size) await new Promise<void>((done) => void realWorld.after(50, done));
  };
  for (let round = 0; round < 3; round += 1) {
    for (let n = 0; n < 200; n += 1) await ledger.append(sessionOpened(`s${round}-${n}`));
    if (round === 1) await signed();
    signer.kill('SIGKILL');
    await once(signer, 'close');
    await ledger.append(sessionOpened(`without-${round}`));
    signer = await start();
  }
  await signed();
  await ledger.close();
  signer.kill('SIGTERM');
  await once(signer, 'close');
  const report = await verifyLedger(directorySource(join(home, 'ledger')), { crypto: nodeCrypto, trust: [{ vkey: ledger.vkey }] });
  assert.deepEqual([report.status, report.unsigned], ['proven', 0], JSON.stringify(report.findings));
});

test('a key that lies with the writer and a socket of a stranger are refused', async () => {
  const { home, world, serve, open } = place('strange');
  const signer = await serve();
  await closed(await open(), world);
  writeFileSync(join(home, 'keys', 'log.key'), readFileSync(join(home, 'signer', 'log.key')));
  await assert.rejects(open(), { code: 'CONFIG_INVALID' });
  await signer.stop();
  await assert.rejects(serveSigner({ ...strangePlace(home), origin: 'ledger.test/other' }), { code: 'CONFIG_INVALID' });
});

function strangePlace(home: string) {
  return { socket: join(scratch, 'y.sock'), keys: join(home, 'signer'), origin, world: realWorld, onRefused: () => undefined };
}

/** A signer whose k-th answer does not arrive; `before`: it did not even hear the question. */
function losing(signer: LedgerSigner, k: number, before: boolean): LedgerSigner {
  let calls = 0;
  const lossy = async <T>(ask: () => Promise<T>): Promise<T> => {
    calls += 1;
    const lost = new Fault('LEDGER_UNSIGNED', `answer ${k} is lost`);
    if (calls === k && before) throw lost;
    const answer = await ask();
    if (calls === k) throw lost;
    return answer;
  };
  return {
    key: () => lossy(() => signer.key()),
    prepare: () => lossy(() => signer.prepare()),
    adopt: (vkey) => lossy(() => signer.adopt(vkey)),
    sign: (request) => lossy(() => signer.sign(request)),
    close: () => signer.close(),
  };
}

test('the key that a signer holds is changed, and a change that was interrupted anywhere is finished by the next start or by doing it again', async () => {
  let interrupted = 0;
  for (let k = 1; k < 20; k += 1) {
    for (const before of [true, false]) {
      const { home, world, serve, open, fatal } = place(`rotated-${k}-${before}`);
      const signer = await serve();
      const first = await open();
      await first.append(sessionOpened('s'));
      await first.append(sessionClosed('s', 0));
      await closed(first, world);
      const pinned = first.vkey;
      const keyHolder = signerAt(join(scratch, `rotated-${k}-${before}.sock`), realWorld);
      const stopped = { directory: join(home, 'ledger'), keys: join(home, 'keys'), origin, world: realWorld, build: 'test' };
      const cut = await rotateLedgerKey({ ...stopped, keyHolder: losing(keyHolder, k, before) }).catch((fault: Fault) => fault.code);
      if (cut === 'LEDGER_UNSIGNED') interrupted += 1;
      else assert.notEqual(cut, pinned);
      // All that was lost then is the news of it, so doing it again changes the key again.
      const adopted = (await keyHolder.key()).vkey !== pinned;
      // Half of them go on at once, the others are changed again first.
      if (cut === 'LEDGER_UNSIGNED' && k % 2 === 0) await rotateLedgerKey({ ...stopped, keyHolder });
      const second = await open();
      await second.append(sessionOpened('t'));
      await second.append(sessionClosed('t', 0));
      await until(world, () => signedSize(second) === second.size, 'it is signed');
      const lines = await second.read(0, 1_000);
      const changes = lines.filter((line) => line.includes('"kind":"key.rotated"')).length;
      await closed(second, world);
      assert.equal((await keyHolder.key()).vkey, second.vkey, 'log and signer mean the same key');
      assert.equal(second.vkey === pinned, changes === 0, `${k}: ${changes} changes are recorded`);
      assert.ok(changes <= (adopted && k % 2 === 0 ? 2 : 1), 'a change is recorded once');
      for (const vkey of [pinned, second.vkey]) {
        const report = await verifyLedger(directorySource(join(home, 'ledger')), { crypto: nodeCrypto, trust: [{ vkey }] });
        assert.deepEqual([report.status, report.unsigned], ['proven', 0], JSON.stringify(report.findings));
      }
      keyHolder.close();
      await signer.stop();
      assert.deepEqual(fatal, []);
      if (cut !== 'LEDGER_UNSIGNED') return assert.ok(interrupted >= 8, `${interrupted} interruptions`);
    }
  }
});

/** A signer whose power goes after so many calls while its key is changed; throws when it has forgotten a change that it said it had made. */
function cutWhileChanging(fuse: number, wrap: (disk: Disk) => Disk = (disk) => disk): void {
  const disk = new SimulatedDisk();
  const old = memorySigner(disk).vkey;
  disk.fuse = fuse;
  let prepared: string | undefined;
  let done = false;
  try {
    const signer = memorySigner(wrap(disk));
    prepared = signer.prepare().vkey;
    signer.adopt(prepared);
    done = true;
  } catch (error) {
    if (!(error instanceof PowerCut)) throw error;
  }
  const after = memorySigner(disk.afterPowerCut(seededCoin(fuse)));
  assert.ok(done ? after.vkey === prepared : [old, prepared].includes(after.vkey), `fuse ${fuse}: another key`);
  if (after.vkey === old && prepared !== undefined) after.adopt(after.prepare().vkey);
  const { line = '' } = after.sign({ text: text(2, two), old: 0, proof: [] });
  if (after.vkey !== old) assert.equal(line.trimEnd().split('\n').length, 2, 'both sign');
  wall += bothSignMs + 1;
  const { line: later = '' } = after.sign({ text: text(3, three), old: 2, proof: [c?.toString('base64') ?? ''] });
  assert.equal(later.trimEnd().split('\n').length, 1, 'only the new one signs');
}

test('wherever the power goes while a signer changes its key, it has the old one or the new one, and both sign for a week', () => {
  for (let fuse = 1; fuse < 80; fuse += 1) cutWhileChanging(fuse);
});

test('that a signer forgets a change of its key is noticed (sabotage: nosync, no-dir-fsync)', () => {
  for (const name of ['nosync', 'no-dir-fsync'] as const)
    assert.throws(() => {
      for (let fuse = 1; fuse < 80; fuse += 1) cutWhileChanging(fuse, sabotages[name].wrap);
    }, name);
});

test('what is unsigned is bounded in number too, and a signature opens the log again', async () => {
  const away = new Fault('LEDGER_UNSIGNED', 'nobody is there');
  let answer = (): Promise<SignAnswer> => Promise.reject(away);
  const signer = { key: async () => ({ vkey: 'k' }), sign: () => answer(), close: () => undefined } as unknown as LedgerSigner; // Reason: only these are asked.
  const parts = { signer, refuseAfterMs: 900_000, origin, vkey: 'k', size: 5_000, directory: '/nowhere', world: realWorld };
  const courier = new Courier({ ...parts, deliver: () => undefined, onContradiction: assert.fail, record: async () => undefined });
  courier.ask({ text: '', size: 5_000 + limits.signerUnsignedEntriesMax });
  await courier.idle();
  assert.equal(courier.refusal(), undefined);
  courier.ask({ text: '', size: 5_001 + limits.signerUnsignedEntriesMax });
  await courier.idle();
  assert.equal(courier.refusal()?.code, 'LEDGER_UNSIGNED');
  answer = async () => ({ size: 0, line: 'signed' });
  courier.ask({ text: '', size: 5_002 + limits.signerUnsignedEntriesMax });
  await courier.idle();
  assert.equal(courier.refusal(), undefined);
});

test('a signer adopts nothing that it has not prepared', () => {
  const signer = memorySigner();
  assert.throws(
    () => signer.adopt(new StatefulSigner({ disk: new SimulatedDisk(), keys: '/x', origin, random: seededRandom(9), now: () => 0 }).vkey),
    {
      code: 'CONFLICT',
    },
  );
  assert.equal(signer.prepare().vkey, signer.prepare().vkey);
});
