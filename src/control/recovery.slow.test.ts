import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { directorySource, nodeCrypto, verifyLedger } from '#ledger/verify';
import type { ControlConfig, ControlReady } from '#host';
import { limits } from '#model';
import type { TestServer } from './testing/installation.ts';
import { startTestControl, startTestServer, testBundle, testConfig } from './testing/installation.ts';
import { TestGateway, testHold } from './testing/gateway.ts';

let server: TestServer;

before(async () => {
  server = await startTestServer();
});

after(async () => {
  await server?.stop();
});

test('a restart has all state: bundle, tokens, resources, requests; what waited is withdrawn', async () => {
  const config = await testConfig(server);
  let control = await startTestControl(config);
  const token = await control.tokenOf('reviewer');
  const pushed = { path: testBundle.path, text: testBundle.text.replace('1.0.0', '2.0.0').replace('everybody-reads', 'all') };
  const { body } = await control.call('POST', '/policy/bundles', { token, body: { files: [pushed] } });
  const gateway = await TestGateway.join(config);
  const waiting = (await gateway.call('hold.open', testHold())).request;
  const approved = (await gateway.call('hold.open', testHold())).request;
  await control.call('POST', `/requests/${approved}/approve`, { token });
  const key = gateway.hello.grantKey;
  const operator = control.operatorToken();
  await control.stop();
  await gateway.closed;

  control = await startTestControl({ ...config, resources: [] });
  const inForce = await control.call('GET', '/policy', { token });
  assert.equal(inForce.body.ref.digest, body.digest);
  assert.equal(control.operatorToken(), operator, 'a token with most of its life left is kept');
  const items = (await control.call('GET', '/requests', { token })).body.items.map((one: { id: string; status: string }) => [
    one.id,
    one.status,
  ]);
  assert.deepEqual(Object.fromEntries(items), { [waiting]: 'withdrawn', [approved]: 'approved' });
  const back = await TestGateway.join(config);
  assert.equal(back.hello.grantKey, key);
  assert.equal(back.hello.resources[0]?.upstream.password, 'upstream-secret');
  assert.equal(back.hello.bundle.ref.version, '2.0.0');
  await back.end();
  await control.stop();
});

test('when the database dies, requests are answered with 503 and the control plane goes on when it is back', async () => {
  const control = await startTestControl(await testConfig(server));
  const gateway = await TestGateway.join(control.config);
  const reviewer = await control.tokenOf('reviewer');
  const { request } = await gateway.call('hold.open', testHold());
  await server.postgres.stop('immediate');
  const health = await control.call('GET', '/health');
  assert.deepEqual([health.status, health.body.status], [503, 'degraded']);
  const answer = await control.call('POST', `/requests/${request}/approve`, { token: reviewer });
  assert.deepEqual([answer.status, answer.body.code], [503, 'STORE_UNREACHABLE']);
  await assert.rejects(gateway.call('login.verifiers', { name: 'engineer' }), { message: 'STORE_UNREACHABLE' });
  await server.restart();
  assert.equal((await control.call('GET', '/health')).status, 200);
  const again = await control.call('POST', `/requests/${request}/approve`, { token: reviewer });
  assert.deepEqual([again.status, again.body.status], [200, 'approved'], control.log.lines.join('\n'));
  assert.equal((await gateway.notice('hold.resolved')).grants.length, 1);
  await gateway.end();
  await control.stop();
});

test('a socket path that no system takes is said so', async () => {
  const config = await testConfig(server);
  await assert.rejects(startTestControl({ ...config, linkSocket: `/tmp/${'x'.repeat(120)}` }), { code: 'HOME_UNUSABLE' });
});

test('policies that do not compile stop the first start with path and line', async () => {
  const config = await testConfig(server);
  writeFileSync(join(config.policies, 'broken.yaml'), 'kind: Policy\n');
  await assert.rejects(startTestControl(config), /broken\.yaml:1/);
});

interface Child {
  readonly process: ChildProcess;
  readonly ready: ControlReady;
  readonly ended: Promise<void>;
}

async function spawnControl(config: ControlConfig): Promise<Child> {
  const program = fileURLToPath(new URL('./testing/child.ts', import.meta.url));
  const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'ignore'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.stdin.end(JSON.stringify(config));
  const line = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once('line', resolve);
    void ended.then(() => reject(new Error('the control plane did not start')));
  });
  return { process: child, ready: JSON.parse(line), ended };
}

/** A nightly run asks for more. */
const killRounds = Number(process.env['CONTROL_KILL_ROUNDS'] ?? 2);

test('killed at any moment, it starts again with a whole ledger and never two grants for one operation', async () => {
  const config = await testConfig(server);
  for (let round = 0; round < killRounds; round += 1) {
    const child = await spawnControl(config);
    const base = `http://127.0.0.1:${child.ready.api.port}/api/v1`;
    const call = (path: string, token: string, body?: unknown): Promise<Response> =>
      fetch(`${base}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body ?? {}),
      });
    const operator = readFileSync(config.operatorTokenFile, 'utf8').trim();
    // What comes out of JSON in a test.
    const reviewer = ((await (await call('/tokens', operator, { subject: 'reviewer' })).json()) as { token: string }).token;
    const gateway = await TestGateway.join(config);
    let answered = 0;
    const work = Array.from({ length: 8 }, async () => {
      for (;;) {
        const { request } = await gateway.call('hold.open', testHold());
        await Promise.all([call(`/requests/${request}/approve`, reviewer), call(`/requests/${request}/approve`, reviewer)]);
        answered += 1;
        // In the middle of everything: some of the eight have asked, some are being answered.
        if (answered >= 5 + (round % 5) * 7) child.process.kill('SIGKILL');
      }
    });
    await Promise.allSettled(work);
    await child.ended;
    await gateway.closed;
  }
  const control = await startTestControl(config);
  const rows = (await control.call('GET', `/requests?limit=${limits.apiPageItemsMax}`, { token: control.operatorToken() })).body.items;
  assert.ok(rows.length >= 5 * killRounds);
  assert.deepEqual(
    [...new Set(rows.map((one: { status: string }) => one.status))].sort().filter((status) => status === 'waiting'),
    [],
  );
  await control.stop();
  const report = await verifyLedger(directorySource(config.ledger), { crypto: nodeCrypto, trust: [{ vkey: control.ready.ledger.vkey }] });
  assert.equal(report.status, 'proven', JSON.stringify(report.findings));
});
