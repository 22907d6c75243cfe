import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { until } from '#host';
import { indexEntry } from '../evidence/entry.ts';
import { TestGateway, ledgerLines } from '../testing/gateway.ts';
import type { TestControl, TestServer } from '../testing/installation.ts';
import { startTestControl, startTestServer, testConfig } from '../testing/installation.ts';
import type { Loose } from '../testing/loose.ts';
import { arrives, configured, events, session } from './testing/file-sink.ts';
import type { Receiver } from './testing/receiver.ts';
import { answer, startReceiver } from './testing/receiver.ts';

let server: TestServer;
let receiver: Receiver;

before(async () => {
  server = await startTestServer();
  receiver = await startReceiver(answer(503));
});

after(async () => {
  await receiver?.stop();
  await server?.stop();
});

async function sinks(control: TestControl): Promise<Record<string, Loose>> {
  const { body } = await control.call('GET', '/sinks', { token: control.operatorToken() });
  return Object.fromEntries(body.items.map((one: Loose) => [one.name, one]));
}

test('every record of every ledger reaches each sink once, whatever the others do', async () => {
  process.env['WARDER_TEST_WEBHOOK'] = 'a-secret-of-more-than-16-bytes';
  const config = await configured(
    server,
    (home) => `
sinks:
  - { name: all, type: file, path: ${home}/events.jsonl }
  - { name: broken, type: webhook, url: '${receiver.url.href}', secret: 'env:WARDER_TEST_WEBHOOK' }
  - { name: few, type: file, path: ${home}/few.jsonl, kinds: [session.*], format: facts, privacy: { people: hash, client: keep } }
`,
  );
  let control = await startTestControl(config);
  let gateway = await TestGateway.join(config);
  const lines = ledgerLines(session('ses_a', 700));
  await gateway.call('ledger.entries', { origin: gateway.origin, first: 0, entries: lines });
  const ofGateway = (): Loose[] => events(config.home).filter((event) => event.metadata.log_name === gateway.origin);
  await arrives(control, () => existsSync(join(config.home, 'events.jsonl')) && ofGateway().length === lines.length);
  assert.deepEqual(
    ofGateway().map((event) => event.metadata.sequence),
    lines.map((_, i) => i),
  );
  assert.ok(ofGateway().every((event) => event.unmapped.duplicate === undefined));
  assert.equal(ofGateway()[2]?.database.uid, 'pg:orders', 'an outcome says what it was about');
  assert.ok(
    events(config.home).some((event) => event.metadata.log_name === 'ledger.local/control'),
    'the own ledger is delivered too',
  );

  await arrives(control, () => events(config.home, 'few.jsonl').length === 2);
  const [opened] = events(config.home, 'few.jsonl');
  assert.match(opened.subject, /^hmac:[0-9a-f]{32}$/);
  assert.equal(opened.client, 'psql');

  await until(async () => ((await sinks(control))['broken']?.error === undefined ? undefined : true), { deadlineMs: 5_000 });
  const { all, broken } = await sinks(control);
  assert.deepEqual([all.type, all.target, all.error], ['file', join(config.home, 'events.jsonl'), undefined]);
  assert.ok(all.delivered >= lines.length && all.marked === 0);
  assert.deepEqual([broken.error, broken.delivered, broken.oldest !== undefined], ['the receiver answered with status 503', 0, true]);
  assert.ok(broken.lag >= lines.length);
  assert.ok(!JSON.stringify([all, broken]).includes('a-secret'));
  await gateway.end();
  await control.stop();

  control = await startTestControl(config);
  gateway = await TestGateway.join(config);
  const prev = lines.length;
  const more = ledgerLines([{ kind: 'log.heartbeat' }], { i: prev, prev: indexEntry(lines.at(-1) ?? '').leaf });
  await gateway.call('ledger.entries', { origin: gateway.origin, first: prev, entries: more });
  await arrives(control, () => ofGateway().length === lines.length + 1);
  assert.equal(ofGateway().at(-1)?.metadata.event_code, 'log.heartbeat');

  const tested = await control.call('POST', '/sinks/all/test', { token: control.operatorToken() });
  assert.deepEqual([tested.status, tested.body], [200, { name: 'all', ok: true }]);
  assert.ok(events(config.home).some((event) => event.metadata.event_code === 'sink.test'));
  const failing = await control.call('POST', '/sinks/broken/test', { token: control.operatorToken() });
  assert.deepEqual(failing.body, { name: 'broken', ok: false, why: 'the receiver answered with status 503' });
  assert.equal((await control.call('POST', '/sinks/nothing/test', { token: control.operatorToken() })).status, 404);
  await gateway.end();
  await control.stop();
});

test('what was not delivered of a ledger that was replaced is delivered all the same', async () => {
  const config = await configured(
    server,
    (home) => `sinks: [{ name: all, type: file, path: ${home}/none/events.jsonl, kinds: [session.*] }]\n`,
  );
  const control = await startTestControl(config);
  const gateway = await TestGateway.join(config);
  await gateway.call('ledger.entries', { origin: gateway.origin, first: 0, entries: ledgerLines(session('ses_a', 3)) });
  const again = await TestGateway.connect(config);
  await again.hello(readFileSync(config.linkSecretFile, 'utf8').trim(), 'another-key');
  await again.call('ledger.entries', { origin: again.origin, first: 0, entries: ledgerLines(session('ses_b', 1)) });
  mkdirSync(join(config.home, 'none'));
  const folder = join(config.home, 'none');
  await arrives(control, () => existsSync(join(folder, 'events.jsonl')) && events(folder).length >= 4);
  assert.deepEqual([...new Set(events(folder).map((event) => event.metadata.correlation_uid))].sort(), ['ses_a', 'ses_b']);
  await again.end();
  await gateway.end();
  await control.stop();
});

test('a mistake in the file stops the start with its line', async () => {
  const wrong: [string, RegExp][] = [
    ['sinks:\n  - name: a\n    type: file\n    path: relative.jsonl\n', /sinks\.yaml:4: sinks\.0\.path: write an absolute path/],
    ['sinks:\n  - { name: a, type: file, path: /x, pth: /y }\n', /sinks\.yaml:2: .*pth/],
    ['sinks:\n  - { name: a, type: file, path: /x }\n  - { name: a, type: file, path: /y }\n', /sinks\.yaml:3: .*two sinks/],
    ['sinks:\n  - { name: a, type: carrier-pigeon }\n', /sinks\.yaml:2:/],
    ['sinks:\n  - { name: a, type: webhook, url: "http://example.org/", secret: "env:X" }\n', /write https/],
    ['sinks:\n  - { name: a, type: webhook, url: "https://u:p@example.org/", secret: "env:X" }\n', /holds no password/],
    ['sinks:\n  - { name: a, type: webhook, url: "https://example.org/", secret: geheim }\n', /by reference/],
    ['sinks: [\n', /sinks\.yaml:/],
    ['sinks:\n  - { name: a, type: otlp, url: "https://example.org/", ca: /does/not/exist.pem }\n', /cannot be read/],
  ];
  const config = await testConfig(server);
  for (const [text, message] of wrong) {
    writeFileSync(join(config.home, 'sinks.yaml'), text);
    await assert.rejects(startTestControl(config), (error: Loose) => {
      assert.equal(error.code, 'CONFIG_INVALID');
      assert.match(error.message, message);
      assert.ok(!error.message.includes('geheim'));
      return true;
    });
  }
});
