import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { TestControl, TestServer } from '../testing/installation.ts';
import { startTestControl, startTestServer, testConfig } from '../testing/installation.ts';
import { TestGateway, ledgerLines, testHold } from '../testing/gateway.ts';
import { sessionDrafts, sessionLines } from '../testing/records.ts';

let server: TestServer;
let control: TestControl;
let gateway: Awaited<ReturnType<typeof TestGateway.join>>;
let mirrored = 0;

const drafts = [
  ...sessionDrafts('ses_a', {
    subject: 'user:engineer',
    operations: [
      { n: 1, verdict: 'allow' },
      { n: 2, verdict: 'deny' },
      { n: 3, verdict: 'allow', unsettled: true },
    ],
  }),
  ...sessionDrafts('ses_b', { subject: 'agent:bot', onBehalfOf: 'user:engineer', operations: [{ n: 1, verdict: 'allow' }], open: true }),
  ...sessionDrafts('ses_c', { subject: 'user:reviewer', operations: [] }),
  { kind: 'operation.indoubt', session: 'ses_a', operation: 'op_ses_a_3', n: 3, for: 5 },
];
const lines = ledgerLines(drafts);

before(async () => {
  server = await startTestServer();
  control = await startTestControl(await testConfig(server));
  gateway = await TestGateway.join(control.config);
});

after(async () => {
  await gateway?.end();
  await control?.stop();
  await server?.stop();
});

const send = (first: number, entries: readonly string[]) => gateway.call('ledger.entries', { origin: gateway.origin, first, entries });
const read = (path: string, token: string) => control.call('GET', path, { token });

test('entries are taken once, in order, whatever overlaps or is missing', async () => {
  assert.deepEqual(await send(2, lines.slice(2, 4)), { mirrored: 0 });
  assert.deepEqual(await send(0, lines.slice(0, 3)), { mirrored: 3 });
  assert.deepEqual(await send(0, lines.slice(0, 5)), { mirrored: 5 });
  assert.deepEqual(await send(3, []), { mirrored: 5 });
  const all = await Promise.all([send(3, lines.slice(3)), send(0, lines), send(1, lines.slice(1, 2))]);
  assert.deepEqual(all.at(-1), { mirrored: lines.length });
  ({ mirrored } = await TestGateway.join(control.config).then((again) => {
    gateway = again;
    return again.hello;
  }));
  assert.equal(mirrored, lines.length);
});

test('an entry that differs from the mirrored one is noticed, and so is one that does not follow', async () => {
  const forged = (lines[1] ?? '').replace('"allow"', '"deny"');
  await assert.rejects(send(1, [forged]), { message: 'LEDGER_TAMPERED' });
  await assert.rejects(send(lines.length, ledgerLines([{ kind: 'log.heartbeat' }], { i: lines.length, prev: 'f'.repeat(64) })), {
    message: 'LEDGER_TAMPERED',
  });
  await assert.rejects(send(lines.length, ['not json']), { message: 'LEDGER_TAMPERED' });
  assert.ok(control.log.lines.some((line) => line.includes('contradict')));
  await assert.rejects(gateway.call('ledger.entries', { origin: 'ledger.local/other', first: 0, entries: [] }), { message: 'FORBIDDEN' });
});

test('the sessions list counts operations and denials, and shows subjects only their own', async () => {
  const operator = await read('/sessions', control.operatorToken());
  assert.deepEqual(
    operator.body.items.map((one: { id: string; operations: number; denied: number }) => [one.id, one.operations, one.denied]).sort(),
    [
      ['ses_a', 3, 1],
      ['ses_b', 1, 0],
      ['ses_c', 0, 0],
    ],
  );
  const [first] = operator.body.items;
  assert.deepEqual([first.point, first.source, first.client], ['postgres', '127.0.0.1:5000', 'psql']);
  const engineer = await read('/sessions', await control.tokenOf('engineer'));
  assert.deepEqual(engineer.body.items.map((one: { id: string }) => one.id).sort(), ['ses_a', 'ses_b']);
  const open = await read('/sessions?open=true', control.operatorToken());
  assert.deepEqual(
    open.body.items.map((one: { id: string }) => one.id),
    ['ses_b'],
  );
  const one = await read('/sessions?limit=2', control.operatorToken());
  const rest = await read(`/sessions?limit=2&after=${one.body.next}`, control.operatorToken());
  assert.deepEqual([one.body.items.length, rest.body.items.length, rest.body.next], [2, 1, undefined]);
});

test('a timeline shows exact texts to those who may see them, after the reading was recorded', async () => {
  const asked: { indexes: number[] }[] = [];
  gateway.answers['evidence.open'] = (params: { indexes: number[] }) => {
    asked.push(params);
    return {
      texts: params.indexes.filter((index) => index !== 3).map((index) => ({ index, text: `text of ${index}`, parameters: ['1', null] })),
    };
  };
  const auditor = await read('/sessions/ses_a/timeline', await control.tokenOf('auditor'));
  assert.equal(auditor.status, 200, JSON.stringify(auditor.body));
  const [first, second, third] = auditor.body.items;
  assert.deepEqual([first.n, first.text, first.parameters, first.evidence], [1, 'text of 1', ['1', null], 'shown']);
  assert.deepEqual([second.verdict, second.reason, second.evidence, second.text], ['deny', 'DESTRUCTIVE_DDL', 'unavailable', undefined]);
  assert.deepEqual([first.outcome.status, first.outcome.masked, third.outcome.status], ['done', { 'pii.email': 1 }, 'in-doubt']);
  assert.deepEqual(asked[0]?.indexes, [1, 3, 5]);
  const own = await read('/sessions/ses_b/timeline', await control.tokenOf('engineer'));
  assert.equal(own.body.items[0].evidence, 'shown');
  const stranger = await read('/sessions/ses_a/timeline', await control.tokenOf('reviewer'));
  assert.equal(stranger.status, 404);
});

test('without the gateway a timeline shows what is stored in clear', async () => {
  await gateway.end();
  const { status, body } = await read('/sessions/ses_a/timeline?limit=2', control.operatorToken());
  assert.equal(status, 200);
  assert.deepEqual([body.items[0].evidence, body.items[0].normalized, body.next], ['unavailable', 'select $1', '2']);
  const ended = await control.call('POST', '/sessions/ses_b/terminate', { token: control.operatorToken() });
  assert.deepEqual([ended.status, ended.body.code], [503, 'GATEWAY_UNREACHABLE']);
  gateway = await TestGateway.join(control.config);
});

test('a decision is explained with what its rules read', async () => {
  const { status, body } = await read('/decisions/dec_ses_a_2', await control.tokenOf('engineer'));
  assert.equal(status, 200);
  assert.deepEqual([body.verdict, body.reads, body.outcome.status], ['deny', { 'sql.verbs': ['select'] }, 'refused']);
  assert.equal(body.record, 'ledger.local/gateway-1#3');
  assert.equal((await read('/decisions/dec_ses_a_2', await control.tokenOf('reviewer'))).status, 404);
});

test('ending a session goes to the gateway that holds it', async () => {
  const ended: unknown[] = [];
  gateway.answers['session.terminate'] = (params) => {
    ended.push(params);
    return { found: true };
  };
  const { status, body } = await control.call('POST', '/sessions/ses_b/terminate', { token: control.operatorToken() });
  assert.deepEqual([status, body], [200, { session: 'ses_b', found: true }]);
  assert.deepEqual(ended, [{ session: 'ses_b', reason: 'ended by operator' }]);
  const closed = await control.call('POST', '/sessions/ses_a/terminate', { token: control.operatorToken() });
  assert.equal(closed.status, 404);
});

test('the approval of an operation stands in its timeline', async () => {
  const operation = 'op_ses_d_1';
  const { request } = await gateway.call('hold.open', testHold({ operation, session: 'ses_d', decision: 'dec_asked' }));
  await control.call('POST', `/requests/${request}/approve`, { token: await control.tokenOf('reviewer') });
  const base = sessionLines('ses_d', { subject: 'user:engineer', operations: [{ n: 1, verdict: 'allow', operation }] }).map((line) =>
    JSON.parse(line),
  );
  const prev = (await import('./entry.ts')).indexEntry(lines.at(-1) ?? '').leaf;
  await send(
    lines.length,
    ledgerLines(
      base.map(({ i: _i, prev: _prev, ...draft }) => draft),
      { i: lines.length, prev },
    ),
  );
  const { body } = await read('/sessions/ses_d/timeline', control.operatorToken());
  assert.deepEqual(body.items[0].approval, { request, status: 'approved', by: ['user:reviewer'] });
  const asked = await read('/decisions/dec_asked', control.operatorToken());
  assert.deepEqual([asked.body.id, asked.body.operation], ['dec_ses_d_1', operation]);
});

test('a gateway that comes with a new ledger of the same name starts its index again, and that is recorded', async () => {
  const { readFileSync } = await import('node:fs');
  const fresh = await TestGateway.connect(control.config);
  const hello = await fresh.hello(readFileSync(control.config.linkSecretFile, 'utf8').trim(), 'key-2');
  assert.equal(hello.mirrored, 0);
  gateway = Object.assign(fresh, { hello });
  assert.deepEqual(await send(0, lines), { mirrored: lines.length });
});

test('the own ledger is indexed too: changes of the control plane can be found', async () => {
  const { body } = await read('/ledger/checkpoint', control.operatorToken());
  assert.equal(body.origin, 'ledger.local/control');
  assert.ok(body.size > 10);
  assert.deepEqual(
    body.mirrored.map((one: { origin: string }) => one.origin),
    ['ledger.local/gateway-1'],
  );
});
