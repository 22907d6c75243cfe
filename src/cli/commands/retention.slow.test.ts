import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { homeAt, writeDelivered } from '#host';
import { openCosigner, openLedger } from '#ledger';
import { decided, sessionClosed, sessionOpened, settled } from '../../ledger/testing/drafts.ts';
import { HandWorld } from '../../ledger/testing/world.ts';

const main = fileURLToPath(new URL('../../main.ts', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'warder-retention-'));
const home = homeAt(root);
const origin = 'ledger.local/gateway-1';
const world = new HandWorld();
let vkey: string;

function warder(...args: string[]): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args, '--home', root], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], TZ: 'UTC' },
  });
  return { status, out: stdout, err: stderr };
}

/** An old gateway's ledger: 34 bundles, in the third a session that somebody will hold. */
before(async () => {
  const { ledger: directory, keys } = home.gateway;
  const setting = {
    directory,
    keys,
    origin,
    world,
    build: 'test',
    inline: true,
    reserveBytes: 0,
    onFatal: (fault: Error) => assert.fail(fault),
  };
  const ledger = await openLedger(setting);
  for (let at = 0; at < 34; at += 1) {
    const session = `ses_${at}`;
    await ledger.append(sessionOpened(session));
    const { index } = await ledger.append(decided(session, 1, { text: 'x'.repeat(5_000) }));
    await ledger.append(settled(session, 1, index));
    await Promise.all(
      Array.from({ length: at === 0 ? 251 : 252 }, () => ledger.append({ kind: 'policy.rejected', by: 'user:a', problems: 1, first: 'p' })),
    );
    await ledger.append(sessionClosed(session, 1));
  }
  ({ vkey } = ledger);
  await ledger.close();
  // The next start lets go of what it has sealed; it keeps what the open segment of its write-ahead log and the one before hold.
  const again = await openLedger(setting);
  await again.append({ kind: 'policy.rejected', by: 'user:a', problems: 1, first: 'p' });
  await again.close();
});

after(() => rmSync(root, { recursive: true, force: true }));

test('without rules nothing goes, and a mistake in them is said', () => {
  assert.match(warder('retention', 'plan').err, /there is no .*retention\.yaml, so nothing goes/);
  writeFileSync(home.retention, 'keep: 400\n');
  assert.match(warder('retention', 'apply').err, /retention\.yaml: keep: .*CONFIG_INVALID|CONFIG_INVALID/s);
  writeFileSync(home.retention, 'keep: 30d\nholds: [{ sessions: [ses_2], reason: case 7 }]\n');
});

test('the plan says what would go, what stays and why, and what it waits for; it changes nothing', () => {
  const before = warder('retention', 'plan', '--json');
  const [{ plan: waiting, waitsFor }] = JSON.parse(before.out);
  assert.deepEqual([waiting.goes.bundles, waiting.undelivered], [0, 15]);
  assert.match(waitsFor, /control plane/);
  writeDelivered(home.delivered, { at: 1, ledgers: { [origin]: { vkey, mirrored: 8_800, sinks: { siem: 3_700 } } } });
  const [{ plan }] = JSON.parse(warder('retention', 'plan', '--json').out);
  // Bundles 1 to 13 without the second; two are not at the sink yet, and what the log may still need stays.
  assert.deepEqual([plan.goes.from, plan.goes.to, plan.goes.bundles, plan.goes.records], [256, 14 * 256, 12, 12 * 256]);
  assert.deepEqual([plan.kept.hold, plan.kept.class, plan.undelivered], [1, 0, 2]);
  assert.ok(plan.goes.size.evidence > 12 * 5_000 && plan.goes.size.entries > 0 && plan.size.evidence > plan.goes.size.evidence);
  const { out } = warder('retention', 'plan');
  assert.match(out, /may go +3072 /);
  assert.match(out, /old enough, but stays: 1 bundles because of a hold/);
  assert.match(out, /2 bundles are old enough and wait for the sink siem/);
});

test('applying the rules records first, waits for a witness, and then removes', () => {
  const recorded = JSON.parse(warder('retention', 'apply', '--log', 'gateway', '--json').out);
  assert.deepEqual([recorded.status, recorded.from, recorded.to], ['recorded', 256, 14 * 256]);
  assert.match(warder('retention', 'apply', '--log', 'gateway').out, /may go when the record of that is witnessed/);
  const cosigner = openCosigner({ keys: join(root, 'witness'), name: 'ledger.local/control/mirror', world });
  const note = readFileSync(join(home.gateway.ledger, 'checkpoint'), 'utf8');
  const text = note.slice(0, note.indexOf('\n\n') + 1);
  writeFileSync(join(home.gateway.ledger, 'cosigned'), note + cosigner.cosign(text, 1));
  writeFileSync(home.trust, JSON.stringify({ ledgers: [{ origin, vkey }], witnesses: [{ origin: cosigner.name, vkey: cosigner.vkey }] }));
  const bundle = (number: number): boolean => existsSync(join(home.gateway.ledger, 'tile/entries', String(number).padStart(3, '0')));
  assert.deepEqual([bundle(2), bundle(3)], [true, true]);
  assert.match(warder('retention', 'apply', '--log', 'gateway').out, /records 256 to 3583 are removed: 12 bundles; 1 stay/);
  assert.deepEqual([bundle(1), bundle(2), bundle(3), bundle(13), bundle(14)], [false, true, false, false, true]);
  assert.equal(warder('ledger', 'verify', home.gateway.ledger).status, 0);
});

test('while the ledger is written, its writer is asked', async () => {
  const { ledger: directory, keys } = home.gateway;
  const onFatal = (fault: Error): never => assert.fail(fault);
  const ledger = await openLedger({ directory, keys, origin, world, build: 'test', inline: true, reserveBytes: 0, onFatal });
  writeDelivered(home.delivered, { at: 2, ledgers: { [origin]: { vkey, mirrored: 8_800, sinks: { siem: 4_200 } } } });
  const child = spawn(process.execPath, [main, 'retention', 'apply', '--log', 'gateway', '--json', '--home', root], {
    env: { PATH: process.env['PATH'], TZ: 'UTC' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString()));
  const [status] = await once(child, 'close');
  assert.equal(status, 0);
  const recorded = JSON.parse(out);
  assert.deepEqual([recorded.status, recorded.from, recorded.to], ['recorded', 14 * 256, 16 * 256]);
  const lines = await ledger.read(ledger.size - 5, 5);
  assert.ok(
    lines.some((line) => line.includes('"kind":"log.pruned"')),
    'the one who writes has recorded it',
  );
  await ledger.close();
});
