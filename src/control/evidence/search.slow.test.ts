import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '#host';
import { TestGateway, ledgerLines } from '../testing/gateway.ts';
import type { TestControl, TestServer } from '../testing/installation.ts';
import { startTestControl, startTestServer, testConfig } from '../testing/installation.ts';
import type { Loose } from '../testing/loose.ts';
import { sessionDrafts } from '../testing/records.ts';

let server: TestServer;
let control: TestControl;
let gateway: Awaited<ReturnType<typeof TestGateway.join>>;

const drafts: Loose[] = [
  ...sessionDrafts('ses_a', {
    subject: 'user:engineer',
    operations: [
      { n: 1, verdict: 'allow' },
      { n: 2, verdict: 'deny' },
      { n: 3, verdict: 'allow' },
    ],
  }),
  ...sessionDrafts('ses_b', { subject: 'agent:bot', onBehalfOf: 'user:engineer', operations: [{ n: 1, verdict: 'allow' }] }),
  ...sessionDrafts('ses_c', { subject: 'user:reviewer', operations: [{ n: 1, verdict: 'deny' }] }),
];
const changed = drafts.find((draft) => draft.session === 'ses_c' && draft.kind === 'operation.decided');
changed.what = { ...changed.what, objects: ['public.customers'], normalized: 'DROP TABLE customers -- 100%_sure' };
changed.decision = { ...changed.decision, rules: ['ddl/no-drop'], matched: [{ rule: 'ddl/no-drop', effect: 'deny', mode: 'enforce' }] };
const lines = ledgerLines(drafts);

before(async () => {
  server = await startTestServer();
  control = await startTestControl(await testConfig(server));
  gateway = await TestGateway.join(control.config);
  await gateway.call('ledger.entries', { origin: gateway.origin, first: 0, entries: lines });
  await indexed();
});

after(async () => {
  await gateway?.end();
  await control?.stop();
  await server?.stop();
});

async function search(query: string, token = control.operatorToken()): Promise<{ status: number; body: Loose }> {
  return control.call('GET', `/audit/records?${query}`, { token });
}

async function indexed(): Promise<void> {
  const done = await until(async () => ((await search('limit=1')).body.behind === 0 ? true : undefined), { deadlineMs: 10_000 });
  assert.ok(done, control.log.lines.join('\n'));
}

async function positions(query: string, token?: string): Promise<string[]> {
  const { status, body } = await search(query, token);
  assert.equal(status, 200, JSON.stringify(body));
  return body.items.map((one: Loose) => one.record.replace('ledger.local/gateway-1#', ''));
}

const decided = (session: string, n: number): string =>
  String(drafts.findIndex((draft) => draft.session === session && draft.n === n && draft.kind === 'operation.decided'));

test('records are found by everything that names them, the newest first', async () => {
  assert.deepEqual(await positions('kind=operation.decided'), [
    decided('ses_c', 1),
    decided('ses_b', 1),
    decided('ses_a', 3),
    decided('ses_a', 2),
    decided('ses_a', 1),
  ]);
  assert.deepEqual(await positions('verdict=deny'), [decided('ses_c', 1), decided('ses_a', 2)]);
  assert.deepEqual(await positions('rule=ddl/no-drop'), [decided('ses_c', 1)]);
  assert.deepEqual(await positions('table=public.customers'), [decided('ses_c', 1)]);
  assert.deepEqual(await positions('table=public.orders&verdict=deny'), [decided('ses_a', 2)]);
  assert.deepEqual(await positions('decision=dec_ses_a_2'), [decided('ses_a', 2)]);
  assert.deepEqual(await positions('resource=pg:orders&verdict=deny&subject=user:reviewer'), [decided('ses_c', 1)]);
  assert.deepEqual(await positions('rule=access/everybody-reads&table=public.orders&verdict=deny'), [decided('ses_a', 2)]);
  assert.deepEqual(await positions('rule=nobody/wrote-this'), []);
});

test('a subject is also found behind the agents that act for it', async () => {
  assert.deepEqual(await positions('subject=user:engineer&kind=operation.decided'), [
    decided('ses_b', 1),
    decided('ses_a', 3),
    decided('ses_a', 2),
    decided('ses_a', 1),
  ]);
});

test('text is found in any case, and its special signs are only signs', async () => {
  assert.deepEqual(await positions('text=drop table'), [decided('ses_c', 1)]);
  assert.deepEqual(await positions(`text=${encodeURIComponent('100%_SURE')}`), [decided('ses_c', 1)]);
  assert.deepEqual(await positions(`text=${encodeURIComponent('100%sure')}`), []);
  assert.deepEqual(await positions('text=select&subject=user:engineer&verdict=deny'), [decided('ses_a', 2)]);
  assert.deepEqual(await positions(`text=${encodeURIComponent("'; drop table record; --")}`), []);
});

test('time limits what is found, from the first moment to before the last', async () => {
  const at = 1_000 + Number(decided('ses_a', 2));
  assert.deepEqual(await positions(`since=${at}&until=${at + 1}`), [decided('ses_a', 2)]);
  assert.deepEqual(await positions(`verdict=deny&since=${at + 1}`), [decided('ses_c', 1)]);
});

test('pages follow each other without a gap and end', async () => {
  const all = (await search('subject=user:engineer&limit=100')).body.items.map((one: Loose) => one.record);
  const paged: string[] = [];
  let after = '';
  for (let pages = 0; pages < 50; pages += 1) {
    const { body } = await search(`subject=user:engineer&limit=2${after}`);
    paged.push(...body.items.map((one: Loose) => one.record));
    if (body.next === undefined) break;
    after = `&after=${body.next}`;
  }
  assert.deepEqual(paged, all);
  assert.equal((await search('after=rubbish')).body.code, 'INVALID_INPUT');
});

test('subjects find their own records and those of their agents, nothing of others', async () => {
  const token = await control.tokenOf('engineer');
  const own = (await search('limit=100', token)).body.items;
  assert.ok(own.length > 5);
  assert.ok(own.every((one: Loose) => [one.subject, one.onBehalfOf].includes('user:engineer')));
  assert.deepEqual(await positions('subject=user:reviewer', token), []);
  assert.deepEqual(await positions('decision=dec_ses_c_1', token), []);
});

test('the index that was thrown away is the same again after a while, and that it was is on record', async () => {
  const before = await positions('limit=100&session=ses_a');
  const { status } = await control.call('POST', '/audit/index/rebuild', { token: control.operatorToken() });
  assert.equal(status, 202);
  await indexed();
  assert.deepEqual(await positions('limit=100&session=ses_a'), before);
  const { body } = await search('kind=admin.configuration');
  assert.deepEqual([body.items[0].verb, body.items[0].objects], ['rebuild', ['search index']]);
});

test('the records of a ledger that was replaced are still found, under a name of their own', async () => {
  const fresh = await TestGateway.connect(control.config);
  const { readFileSync } = await import('node:fs');
  await fresh.hello(readFileSync(control.config.linkSecretFile, 'utf8').trim(), 'key-2');
  const other = ledgerLines(sessionDrafts('ses_z', { subject: 'user:z', operations: [] }));
  await fresh.call('ledger.entries', { origin: fresh.origin, first: 0, entries: other });
  await indexed();
  assert.deepEqual(await positions('subject=user:z'), ['0']);
  const old = (await search('subject=user:engineer&kind=operation.decided')).body.items;
  assert.equal(old.length, 4);
  assert.ok(
    old.every((one: Loose) => /^ledger\.local\/gateway-1@[0-9a-f]{8}#/.test(one.record)),
    JSON.stringify(old),
  );
  await fresh.end();
  gateway = await TestGateway.join(control.config);
  assert.equal(gateway.hello.mirrored, lines.length, 'the old ledger came back and goes on where it was');
  await indexed();
  assert.deepEqual(await positions('subject=user:engineer&verdict=deny'), [decided('ses_a', 2)]);
});
