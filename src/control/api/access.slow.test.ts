import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { realWorld } from '#host';
import type { Role } from '#model';
import { putSubject } from '../identity/subjects.ts';
import { openStore } from '../store/database.ts';
import { TestGateway, testHold } from '../testing/gateway.ts';
import { matchesGolden, matchesGoldenJson } from '../testing/golden.ts';
import type { TestControl, TestServer } from '../testing/installation.ts';
import { collectingLog, startTestControl, startTestServer, testConfig } from '../testing/installation.ts';
import { sessionLines } from '../testing/records.ts';
import type { ApiDesk } from './desk.ts';
import { buildApi } from './server.ts';

const roles: readonly Role[] = ['reader', 'requester', 'reviewer', 'policy-author', 'operator', 'auditor', 'administrator'];

let server: TestServer;
let control: TestControl;

before(async () => {
  server = await startTestServer();
  const config = await testConfig(server);
  writeFileSync(join(config.home, 'sinks.yaml'), `sinks: [{ name: file, type: file, path: ${join(config.home, 'events.jsonl')} }]\n`);
  control = await startTestControl(config);
});

after(async () => {
  await control?.stop();
  await server?.stop();
});

/** The routes as they are declared; the desk is only touched by handlers. */
async function declared() {
  // No handler runs in these tests.
  const { app, routes } = await buildApi({ log: collectingLog(), store: {} } as unknown as ApiDesk);
  const document = app.swagger();
  await app.close();
  return { routes, document };
}

test('every route says who may use it and what it records', async () => {
  const { routes } = await declared();
  assert.ok(routes.length > 15);
  for (const { method, url, access } of routes) {
    const audited = Array.isArray(access.audit) ? access.audit.length > 0 : 'none' in access.audit && access.audit.none.length > 10;
    assert.ok(audited, `${method} ${url}`);
    if (method !== 'GET') assert.ok(Array.isArray(access.audit), `${method} ${url} changes something, so it records something`);
    if (access.roles === 'public') assert.equal(url, '/api/v1/health');
  }
});

test('the OpenAPI document is the checked-in one', async () => {
  const { document } = await declared();
  matchesGoldenJson(new URL('./openapi.json', import.meta.url), document);
});

const wantedResource = {
  resource: { engine: 'postgres', env: 'dev', owner: 'team:shop' },
  upstream: { host: '/nowhere', port: 5432, database: 'matrix', user: 'app', password: 'matrix-secret', tls: { mode: 'disable' } },
};

/** A call of every route, with objects that exist and belong to the engineer. */
function calls(objects: {
  request: string;
  token: string;
  digest: string;
}): readonly { name: string; method: string; path: string; body?: unknown }[] {
  const file = { path: 'broken.yaml', text: 'kind: [' };
  return [
    { name: 'GET /health', method: 'GET', path: '/health' },
    { name: 'GET /me', method: 'GET', path: '/me' },
    { name: 'GET /resources', method: 'GET', path: '/resources' },
    { name: 'GET /resources/:name', method: 'GET', path: '/resources/orders' },
    { name: 'PUT /resources/:name', method: 'PUT', path: '/resources/matrix', body: wantedResource },
    { name: 'POST /resources/:name/test', method: 'POST', path: '/resources/orders/test' },
    { name: 'POST /resources/:name/proposal', method: 'POST', path: '/resources/orders/proposal' },
    { name: 'DELETE /resources/:name', method: 'DELETE', path: '/resources/matrix' },
    { name: 'GET /accounts', method: 'GET', path: '/accounts' },
    { name: 'PUT /accounts/:name', method: 'PUT', path: '/accounts/newcomer', body: { groups: ['engineering'], roles: ['requester'] } },
    { name: 'DELETE /accounts/:name', method: 'DELETE', path: '/accounts/newcomer' },
    { name: 'GET /gateways', method: 'GET', path: '/gateways' },
    { name: 'GET /ledger/checkpoint', method: 'GET', path: '/ledger/checkpoint' },
    { name: 'POST /tokens own', method: 'POST', path: '/tokens' },
    { name: 'POST /tokens of another', method: 'POST', path: '/tokens', body: { subject: 'auditor' } },
    { name: 'GET /tokens', method: 'GET', path: '/tokens' },
    { name: 'DELETE /tokens/:id of another', method: 'DELETE', path: `/tokens/${objects.token}` },
    { name: 'GET /sessions', method: 'GET', path: '/sessions' },
    { name: 'GET /sessions/:id/timeline', method: 'GET', path: '/sessions/ses_matrix/timeline' },
    { name: 'GET /sessions/:id/recording', method: 'GET', path: '/sessions/ses_matrix/recording' },
    { name: 'GET /sessions/:id/export', method: 'GET', path: '/sessions/ses_matrix/export' },
    { name: 'POST /sessions/:id/terminate', method: 'POST', path: '/sessions/ses_matrix/terminate' },
    { name: 'GET /decisions/:id', method: 'GET', path: '/decisions/dec_ses_matrix_1' },
    { name: 'GET /requests', method: 'GET', path: '/requests' },
    { name: 'GET /requests/:id', method: 'GET', path: `/requests/${objects.request}` },
    { name: 'POST /requests/:id/approve', method: 'POST', path: `/requests/${objects.request}/approve` },
    { name: 'POST /requests/:id/refuse', method: 'POST', path: `/requests/${objects.request}/refuse` },
    { name: 'GET /policy', method: 'GET', path: '/policy' },
    { name: 'GET /policy/schema', method: 'GET', path: '/policy/schema' },
    { name: 'POST /policy/bundles', method: 'POST', path: '/policy/bundles', body: { files: [file] } },
    { name: 'GET /audit/records', method: 'GET', path: '/audit/records' },
    { name: 'POST /audit/index/rebuild', method: 'POST', path: '/audit/index/rebuild' },
    { name: 'GET /sinks', method: 'GET', path: '/sinks' },
    { name: 'POST /sinks/:name/test', method: 'POST', path: '/sinks/file/test' },
    { name: 'GET /sinks/:name/aside', method: 'GET', path: '/sinks/file/aside' },
    { name: 'POST /sinks/:name/aside/retry', method: 'POST', path: '/sinks/file/aside/retry' },
    { name: 'POST /sinks/:name/aside/give-up', method: 'POST', path: '/sinks/file/aside/give-up' },
    { name: 'GET /policy/rollouts', method: 'GET', path: '/policy/rollouts' },
    { name: 'POST /policy/rollouts/:name/:action', method: 'POST', path: '/policy/rollouts/none/hold', body: {} },
    { name: 'GET /policy/bundles/:digest', method: 'GET', path: `/policy/bundles/${objects.digest}` },
  ];
}

test('the matrix of roles and routes is the checked-in one', async () => {
  const store = await openStore(control.config.database, { world: realWorld, log: control.log });
  for (const role of roles) {
    await putSubject(store.db, { id: `user:only-${role}`, name: `only-${role}`, type: 'user', groups: ['dba'], roles: [role] }, realWorld);
  }
  await store.close();
  const gateway = await TestGateway.join(control.config);
  gateway.answers['session.terminate'] = () => ({ found: true });
  gateway.answers['resource.propose'] = () => ({ columns: [], looked: { tables: 0, columns: 0 }, cut: false });
  const lines = sessionLines('ses_matrix', { subject: 'user:engineer', operations: [{ n: 1, verdict: 'allow' }], open: true });
  await gateway.call('ledger.entries', { origin: gateway.origin, first: 0, entries: lines });
  const { request } = await gateway.call('hold.open', testHold());
  const victim = await control.call('POST', '/tokens', { token: control.operatorToken(), body: { subject: 'engineer' } });
  const objects = { request, token: victim.body.id, digest: gateway.hello.bundle.ref.digest };

  const tokens = new Map<string, string | undefined>([['nobody', undefined]]);
  for (const role of roles) tokens.set(role, await control.tokenOf(`only-${role}`));
  const all = calls(objects);
  const { routes } = await declared();
  const covered = new Set(all.map((call) => `${call.method} ${call.name.split(' ')[1] ?? ''}`));
  for (const { method, url } of routes)
    assert.ok(covered.has(`${method} ${url.replace('/api/v1', '')}`), `${method} ${url} is not in the matrix`);

  const table = [['', ...tokens.keys()]];
  for (const { name, method, path, body } of all) {
    const row = [name];
    for (const token of tokens.values()) {
      const { status } = await control.call(method, path, { ...(token === undefined ? {} : { token }), body });
      row.push(String(status));
    }
    table.push(row);
  }
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const text = table
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
  matchesGolden(new URL('./access.golden.txt', import.meta.url), `${text}\n`);
  await gateway.end();
});
