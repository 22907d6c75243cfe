import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Fault } from '#model';
import { type Ledger, openLedger, spendPermit } from './index.ts';
import { decided, realWorld, sessionClosed, sessionOpened, settled } from './testing/drafts.ts';
import { runKills } from './testing/kills.ts';
import { HandWorld } from './testing/world.ts';
import { directorySource, nodeCrypto, verifyLedger } from './verify/index.ts';

function folder(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'warder-ledger-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

interface Opening {
  readonly commands?: { readonly verify: string; readonly repair: string };
  readonly inline?: boolean;
  readonly world?: HandWorld;
  readonly fatal?: Fault[];
}

function open(directory: string, { inline = true, world, fatal, commands }: Opening = {}): Promise<Ledger> {
  return openLedger({
    directory: join(directory, 'ledger'),
    origin: 'ledger.test/real',
    ...(commands === undefined ? {} : { commands }),
    keys: join(directory, 'keys'),
    world: world ?? realWorld,
    build: '0.1.0+test',
    inline,
    reserveBytes: 64 * 1024,
    onFatal: (fault) => {
      if (fatal === undefined) throw fault;
      fatal.push(fault);
    },
  });
}

for (const inline of [true, false]) {
  test(`a session is recorded, released, read back and proven, writer ${inline ? 'inline' : 'in its thread'}`, async (t) => {
    const directory = folder(t);
    const ledger = await open(directory, { inline });
    assert.deepEqual([ledger.origin, ledger.size, ledger.recovery], ['ledger.test/real', 1, { torn: 0, inDoubt: [] }]);
    await ledger.append(sessionOpened('s'));
    const permit = await ledger.decide(decided('s', 1, { text: 'select 1' }));
    assert.deepEqual([permit.receipt.origin, permit.receipt.index, permit.decision], ['ledger.test/real', 2, 'dec_s_1']);
    spendPermit(permit, 'op_s_1');
    await ledger.append(settled('s', 1, permit.receipt.index));
    await ledger.append(sessionClosed('s', 1));
    assert.deepEqual(
      (await ledger.read(1, 100)).map((line) => JSON.parse(line).kind),
      ['session.opened', 'operation.decided', 'operation.settled', 'session.closed'],
    );
    assert.deepEqual(await ledger.read(5, 100), []);
    assert.deepEqual(await ledger.openEvidence(2), { text: 'select 1', parameters: ['7', null] });
    await assert.rejects(ledger.openEvidence(1), { code: 'NOT_FOUND' });
    await assert.rejects(ledger.openEvidence(99), { code: 'NOT_FOUND' });
    await ledger.close();
    await assert.rejects(ledger.append(sessionOpened('t')), { code: 'LEDGER_FAILED' });
    const report = await verifyLedger(directorySource(join(directory, 'ledger')), { crypto: nodeCrypto, trust: [{ vkey: ledger.vkey }] });
    assert.deepEqual([report.status, report.size, report.origin], ['proven', 5, 'ledger.test/real'], JSON.stringify(report.findings));
  });
}

test('a second process cannot open the folder, and can once the first has let it go', async (t) => {
  const directory = folder(t);
  const first = await open(directory);
  await assert.rejects(open(directory), { code: 'LEDGER_LOCKED', message: new RegExp(`by process ${process.pid}`) });
  await first.close();
  await (await open(directory)).close();
});

test('a lock file that a killed process left behind does not matter', async (t) => {
  const directory = folder(t);
  await (await open(directory)).close();
  writeFileSync(join(directory, 'ledger', 'lock'), '{"pid":1,"boot":"x","token":"y"}');
  await (await open(directory)).close();
});

test('who loses the folder to another process stops within a second', async (t) => {
  const directory = folder(t);
  const fatal: Fault[] = [];
  const world = new HandWorld();
  const ledger = await open(directory, { world, fatal });
  writeFileSync(join(directory, 'ledger', 'lock'), '{"pid":1,"boot":"x","token":"stolen"}');
  await world.pass(1_000);
  await world.pass(0);
  assert.deepEqual(
    fatal.map(({ code, exit }) => [code, exit]),
    [['LEDGER_LOCKED', 78]],
  );
  await assert.rejects(ledger.append(sessionOpened('s')), { code: 'LEDGER_FAILED' });
  await ledger.close();
});

test('keys and log are readable by this user only', async (t) => {
  const directory = folder(t);
  const ledger = await open(directory);
  await ledger.append(sessionOpened('s'));
  await ledger.decide(decided('s', 1));
  await ledger.close();
  for (const path of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    assert.equal(statSync(join(path.parentPath, path.name)).mode & 0o077, 0, path.name);
  }
});

test('a log that is refused says what to run next', async (t) => {
  const directory = folder(t);
  const ledger = await open(directory);
  await ledger.append(sessionOpened('s'));
  await ledger.close();
  const commands = { verify: 'warder ledger verify /home/ledger', repair: 'warder ledger repair --log gateway --home /home' };
  const wal = join(directory, 'ledger', 'wal', '000000000000.wal');
  const whole = readFileSync(wal);
  writeFileSync(wal, whole.subarray(0, 92));
  await assert.rejects(open(directory, { commands }), {
    code: 'LEDGER_ROLLBACK',
    message: /; next: .* with `warder ledger repair --log gateway --home \/home`$/,
  });
  writeFileSync(wal, Buffer.from(whole).fill(1, 100, 101));
  await assert.rejects(open(directory, { commands }), { code: /LEDGER_(CORRUPT|ROLLBACK)/, message: /next: .*`warder ledger/ });
});

test('the log is signed and sealed a second after it has grown', async (t) => {
  const directory = folder(t);
  const world = new HandWorld();
  const ledger = await open(directory, { world });
  const appended = ledger.append(sessionOpened('s'));
  await world.pass(0);
  await appended;
  await world.pass(1_000);
  const report = await verifyLedger(directorySource(join(directory, 'ledger')), { crypto: nodeCrypto });
  assert.deepEqual([report.size, report.unsigned, report.status], [2, 0, 'proven']);
  const closed = ledger.close();
  await world.pass(0);
  await closed;
});

test('no acknowledged record is lost when the process is killed', { timeout: 60_000 }, async (t) => {
  const { acknowledged, size } = await runKills(folder(t), { kills: 4, after: (round) => 10 + round * 47 });
  assert.ok(acknowledged > 50);
  assert.ok(size >= acknowledged);
});
