import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { realWorld } from '#host';
import { cosignedAt, openLedger, rotateLedgerKey, type Ledger } from '#ledger';
import type { ControlConfig } from '#host';
import { TestGateway } from '../testing/gateway.ts';
import type { TestControl, TestServer } from '../testing/installation.ts';
import { startTestControl, startTestServer, testConfig } from '../testing/installation.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(async () => {
  await server?.stop();
});

const place = (home: string) => ({
  directory: join(home, 'gateway', 'ledger'),
  keys: join(home, 'gateway', 'keys'),
  origin: 'ledger.local/gateway-1',
  world: realWorld,
  build: 'test',
});

function openGatewayLedger(home: string): Promise<Ledger> {
  const onFatal = (fault: Error): never => assert.fail(fault);
  return openLedger({ ...place(home), inline: true, reserveBytes: 0, onFatal });
}

async function joinWith(config: ControlConfig, ledger: Ledger): Promise<TestGateway> {
  const gateway = await TestGateway.connect(config);
  await gateway.hello(readFileSync(config.linkSecretFile, 'utf8').trim(), ledger.vkey);
  return gateway;
}

/** Note and lines of a ledger that has some records, closed so that all of it is signed. */
async function writtenLedger(home: string): Promise<{ ledger: Ledger; note: string; lines: readonly string[] }> {
  const first = await openGatewayLedger(home);
  for (let i = 0; i < 300; i += 1) await first.append({ kind: 'policy.rejected', by: 'user:a', problems: i, first: 'p' });
  await first.close();
  const ledger = await openGatewayLedger(home);
  const lines = [...(await ledger.read(0, 256)), ...(await ledger.read(256, 256))].slice(0, ledger.size);
  return { ledger, note: ledger.checkpoint ?? '', lines };
}

async function kindsOf(control: TestControl): Promise<string[]> {
  const folder = join(control.config.ledger, 'wal', '000000000000.wal');
  return [...readFileSync(folder, 'latin1').matchAll(/"kind":"([a-z.]+)"/g)].map(([, kind = '']) => kind);
}

test('the mirror signs what its own copy of the entries gives, and nothing else', async () => {
  const control = await startTestControl(await testConfig(server));
  const { ledger, note, lines } = await writtenLedger(control.config.home);
  const gateway = await joinWith(control.config, ledger);
  const { origin } = ledger;
  const ask = (signed: string) => gateway.call('ledger.checkpoint', { origin, note: signed });
  await assert.rejects(ask(note), { message: 'CONFLICT' }, 'entries are missing');
  await gateway.call('ledger.entries', { origin, first: 0, entries: lines });
  const { cosignature } = await ask(note);
  const witness = control.ready.witness?.vkey ?? '';
  assert.ok((cosignedAt(note.slice(0, note.indexOf('\n\n') + 1), cosignature, witness) ?? 0) > 1_700_000_000);
  assert.ok((await kindsOf(control)).includes('log.witnessed'));
  await assert.rejects(ask(note.replace(/\n\d+\n/, '\n7\n')), { message: 'LEDGER_TAMPERED' });

  const digest = (from: number, count: number, change = (line: string) => line): string => {
    const leaves = lines.slice(from, from + count).map((line) =>
      createHash('sha256')
        .update(`\0${change(line)}`)
        .digest(),
    );
    return createHash('sha256').update(Buffer.concat(leaves)).digest('hex');
  };
  const compare = (first: number, count: number, wanted: string) =>
    gateway.call('ledger.compare', { origin, first, count, digest: wanted });
  assert.deepEqual(await compare(0, 256, digest(0, 256)), { same: true });
  assert.deepEqual(
    await compare(
      256,
      20,
      digest(256, 20, (line) => line.replace('"p"', '"q"')),
    ),
    { same: false },
  );
  assert.ok((await kindsOf(control)).includes('alarm.raised'));
  await assert.rejects(compare(256, 200, digest(256, 200)), { message: 'CONFLICT' });
  await ledger.close();
  await gateway.end();
  await control.stop();
});

test('a gateway whose log has another key goes on when the old key has signed the new one', async () => {
  const control = await startTestControl(await testConfig(server));
  const { ledger, lines } = await writtenLedger(control.config.home);
  const gateway = await joinWith(control.config, ledger);
  await gateway.call('ledger.entries', { origin: ledger.origin, first: 0, entries: lines });
  await gateway.end();
  await ledger.close();
  const vkey = await rotateLedgerKey(place(control.config.home));
  const rotations = readFileSync(join(place(control.config.home).directory, 'rotations'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const secret = readFileSync(control.config.linkSecretFile, 'utf8').trim();
  const back = await TestGateway.connect(control.config);
  const hello = await back.call('hello', { node: 'gateway-1', version: '1', secret, ledger: { origin: ledger.origin, vkey, rotations } });
  assert.equal(hello.mirrored, lines.length);
  await back.end();
  const stranger = await TestGateway.connect(control.config);
  const fresh = await stranger.hello(secret, 'ledger.local/gateway-1+00000000+AQ==');
  assert.equal(fresh.mirrored, 0);
  await stranger.end();
  await control.stop();
});

test('an old copy of the control plane’s log is refused: by its store, and by the anchor when the store is old too', async () => {
  const config = await testConfig(server);
  const anchor = join(config.home, 'elsewhere', 'anchor');
  writeFileSync(join(config.home, 'ledger.yaml'), `anchor: { file: ${anchor} }\n`);
  await (await startTestControl(config)).stop();
  for (const part of ['ledger', 'keys']) cpSync(join(config.home, part), join(config.home, `${part}-old`), { recursive: true });
  await (await startTestControl(config)).stop();
  assert.ok(existsSync(anchor));
  for (const part of ['ledger', 'keys']) {
    rmSync(join(config.home, part), { recursive: true });
    cpSync(join(config.home, `${part}-old`), join(config.home, part), { recursive: true });
  }
  await assert.rejects(startTestControl({ ...config, database: await server.database() }), {
    code: 'LEDGER_ROLLBACK',
    message: /anchored/,
  });
  rmSync(join(config.home, 'ledger.yaml'));
  await assert.rejects(startTestControl(config), { code: 'LEDGER_ROLLBACK', message: /the store has/ });
});

test('a mistake in ledger.yaml is said at the start', async () => {
  const config = await testConfig(server);
  writeFileSync(join(config.home, 'ledger.yaml'), 'anchor: { file: relative }\n');
  await assert.rejects(startTestControl(config), { code: 'CONFIG_INVALID', message: /ledger\.yaml: anchor\.file: write an absolute path/ });
});
