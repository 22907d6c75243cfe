import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { until } from '#host';
import { indexEntry } from '../evidence/entry.ts';
import { TestGateway, ledgerLines } from '../testing/gateway.ts';
import type { TestControl, TestServer } from '../testing/installation.ts';
import { startTestControl, startTestServer } from '../testing/installation.ts';
import type { Loose } from '../testing/loose.ts';
import { arrives, configured, events, session } from './testing/file-sink.ts';
import type { Receiver } from './testing/receiver.ts';
import { answer, startReceiver } from './testing/receiver.ts';

let server: TestServer;
let receiver: Receiver;

before(async () => {
  process.env['WARDER_TEST_WEBHOOK'] = 'a-secret-of-more-than-16-bytes';
  server = await startTestServer();
  receiver = await startReceiver(answer(200));
});

after(async () => {
  await receiver?.stop();
  await server?.stop();
});

async function states(control: TestControl): Promise<Loose> {
  const { body } = await control.call('GET', '/sinks', { token: control.operatorToken() });
  return body;
}

async function becomes(control: TestControl, condition: (body: Loose) => boolean): Promise<void> {
  const found = await until(async () => (condition(await states(control)) ? true : undefined), { deadlineMs: 20_000 });
  assert.ok(found, `${JSON.stringify(await states(control))}\n${control.log.lines.join('\n')}`);
}

/** The records of one kind in the control plane's own ledger, by what they are about. */
async function recordsOf(control: TestControl, kind: string, wanted: { count: number; verb?: string }): Promise<Loose[]> {
  const look = async (): Promise<Loose[]> => {
    const { body } = await control.call('GET', `/audit/records?kind=${kind}&limit=100`, { token: control.operatorToken() });
    return body.items.filter(({ verb }: Loose) => wanted.verb === undefined || verb === wanted.verb);
  };
  const found = await until(async () => ((await look()).length >= wanted.count ? await look() : undefined), { deadlineMs: 10_000 });
  return found ?? (await look());
}

test('a change of sinks.yaml is taken over while everything runs; a wrong one is said and changes nothing', async () => {
  const config = await configured(server, (home) => `sinks:\n  - { name: one, type: file, path: ${home}/one.jsonl }\n`);
  const file = join(config.home, 'sinks.yaml');
  const control = await startTestControl(config);
  const gateway = await TestGateway.join(config);
  const lines = ledgerLines(session('ses_a', 50));
  await gateway.call('ledger.entries', { origin: gateway.origin, first: 0, entries: lines.slice(0, 40) });
  const of = (name: string): Loose[] =>
    existsSync(join(config.home, name)) ? events(config.home, name).filter((event) => event.metadata.log_name === gateway.origin) : [];
  await arrives(control, () => of('one.jsonl').length === 40);

  writeFileSync(file, `sinks:\n  - { name: one, type: file, path: relative }\n`);
  await becomes(control, ({ problem }) => /sinks\.yaml:2: .*absolute path/.test(problem ?? ''));
  await gateway.call('ledger.entries', { origin: gateway.origin, first: 40, entries: lines.slice(40, 60) });
  await arrives(control, () => of('one.jsonl').length === 60);

  const { home } = config;
  writeFileSync(file, `sinks:\n  - { name: one, type: otlp, url: "https://localhost:1/", ca: ${home}/ca.pem }\n`);
  await becomes(control, ({ problem }) => /ca\.pem cannot be read/.test(problem ?? ''));
  writeFileSync(
    file,
    `sinks:\n  - { name: one, type: file, path: ${home}/moved.jsonl }\n  - { name: two, type: file, path: ${home}/two.jsonl }\n`,
  );
  await becomes(control, ({ items, problem }) => items.length === 2 && problem === undefined);
  await gateway.call('ledger.entries', { origin: gateway.origin, first: 60, entries: lines.slice(60) });
  await arrives(control, () => of('two.jsonl').length === lines.length && of('moved.jsonl').length === lines.length - 60);
  assert.deepEqual(
    [...of('one.jsonl'), ...of('moved.jsonl')].map((event) => event.metadata.sequence),
    lines.map((_, i) => i),
    'the sink goes on where it was',
  );
  assert.ok([...of('one.jsonl'), ...of('moved.jsonl')].every((event) => event.unmapped.duplicate === undefined));

  writeFileSync(file, 'sinks: []\n');
  await becomes(control, ({ items }) => items.length === 0);
  const changes = await recordsOf(control, 'admin.configuration', { count: 2, verb: 'read again' });
  assert.deepEqual([changes.length, changes.every(({ objects }) => /^sinks\.yaml sha256:[0-9a-f]{64}$/.test(objects[0]))], [2, true]);
  await gateway.end();
  await control.stop();
});

test('a record that a receiver refuses is set aside with an alarm, and delivered or given up when somebody says so', {
  timeout: 90_000,
}, async () => {
  const refused = { yes: true };
  const poison = 'ses_poison';
  const taken = new Map<string, Loose>();
  receiver.answers = [
    (request, response) => {
      const batch = JSON.parse(request.body.toString('utf8')) as Loose[];
      if (refused.yes && batch.some(({ data }) => data.metadata.correlation_uid === poison)) return answer(400)(request, response);
      for (const event of batch) taken.set(event.dedupekey, event);
      answer(204, '')(request, response);
    },
  ];
  const config = await configured(
    server,
    () =>
      `sinks: [{ name: hook, type: webhook, url: '${receiver.url.href}', secret: 'env:WARDER_TEST_WEBHOOK', kinds: [session.opened, alarm.*] }]\n`,
  );
  const control = await startTestControl(config);
  const gateway = await TestGateway.join(config);
  const lines = ledgerLines([...session('ses_a', 3), ...session(poison, 1), ...session('ses_b', 3)]);
  await gateway.call('ledger.entries', { origin: gateway.origin, first: 0, entries: lines });
  await becomes(control, ({ items }) => items[0].aside === 1 && items[0].lag === 0);
  const sessions = [...taken.values()]
    .filter(({ source }) => source.endsWith(gateway.origin))
    .map(({ data }) => data.metadata.correlation_uid);
  assert.deepEqual(sessions, ['ses_a', 'ses_b']);
  const token = control.operatorToken();
  const { body } = await control.call('GET', '/sinks/hook/aside', { token });
  assert.deepEqual(
    body.items.map(({ record, kind, why }: Loose) => [record, kind, why]),
    [[`${gateway.origin}#8`, 'session.opened', 'the receiver answered with status 400']],
  );
  assert.deepEqual(
    (await recordsOf(control, 'alarm.raised', { count: 1 })).map(({ objects }) => objects[0]),
    [`hook ${gateway.origin}#8`],
  );

  const still = await control.call('POST', '/sinks/hook/aside/retry', { token });
  assert.deepEqual(still.body, { name: 'hook', taken: 0, refused: 1, why: 'the receiver answered with status 400' });
  refused.yes = false;
  const again = await control.call('POST', '/sinks/hook/aside/retry', { token });
  assert.deepEqual(again.body, { name: 'hook', taken: 1, refused: 0 });
  assert.equal(taken.get(`${gateway.origin}#8`)?.duplicate, 'possible', 'what comes later says that it may have come before');
  assert.equal((await recordsOf(control, 'alarm.cleared', { count: 1 })).length, 1);
  refused.yes = true;
  const more = ledgerLines(session(poison, 0), { i: lines.length, prev: indexEntry(lines.at(-1) ?? '').leaf });
  await gateway.call('ledger.entries', { origin: gateway.origin, first: lines.length, entries: more });
  await becomes(control, ({ items }) => items[0].aside === 1);
  assert.deepEqual((await control.call('POST', '/sinks/hook/aside/give-up', { token })).body, { name: 'hook', dropped: 1 });
  await becomes(control, ({ items }) => items[0].aside === 0);
  const given = await recordsOf(control, 'admin.configuration', { count: 1, verb: 'give up what was set aside' });
  assert.deepEqual(
    given.map(({ objects }) => objects),
    [['sink hook']],
  );
  await gateway.end();
  await control.stop();
});
