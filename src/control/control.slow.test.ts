import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { canonicalJson, limits } from '#model';
import type { TestControl, TestServer } from './testing/installation.ts';
import { startTestControl, startTestServer, testBundle, testConfig } from './testing/installation.ts';
import { fakeWorld } from './testing/fake-world.ts';
import { TestGateway, testHold } from './testing/gateway.ts';

let server: TestServer;
let control: TestControl;

before(async () => {
  server = await startTestServer();
  control = await startTestControl(await testConfig(server));
});

after(async () => {
  await control?.stop();
  await server?.stop();
});

const changed = (version: string, rule = 'everybody-reads') => ({
  files: [{ path: testBundle.path, text: testBundle.text.replace('1.0.0', version).replace('everybody-reads', rule) }],
});

test('the operator finds a token in a file that only the owner reads, and is in no group', async () => {
  assert.equal(statSync(control.config.operatorTokenFile).mode & 0o777, 0o600);
  const { body } = await control.call('GET', '/me', { token: control.operatorToken() });
  assert.deepEqual(body.subject.groups, []);
  assert.deepEqual(body.subject.roles, ['administrator', 'policy-author', 'operator', 'auditor']);
});

test('the token of the operator is renewed at half of its life, and no token outlives it', async () => {
  const world = fakeWorld();
  const own = await startTestControl(await testConfig(server), { world });
  const first = own.operatorToken();
  assert.equal((await own.call('GET', '/me', { token: first })).status, 200);
  world.advance(limits.tokenLifetimeMs / 2);
  while (own.operatorToken() === first) await new Promise((resolve) => setImmediate(resolve));
  assert.equal((await own.call('GET', '/me', { token: first })).status, 200, 'the old one is good until it expires');
  world.advance(limits.tokenLifetimeMs / 2);
  const expired = await own.call('GET', '/me', { token: first });
  assert.deepEqual([expired.status, expired.body.detail], [401, 'the bearer token has expired']);
  while ((await own.call('GET', '/me', { token: own.operatorToken() })).status !== 200)
    await new Promise((resolve) => setImmediate(resolve));
  await own.stop();
});

test('errors are problem documents with a stable code and a remedy', async () => {
  const { status, type, body } = await control.call('GET', '/me');
  assert.equal(status, 401);
  assert.match(type, /^application\/problem\+json/);
  assert.equal(body.code, 'UNAUTHENTICATED');
  assert.ok(body.remedy.length > 10);
  const missing = await control.call('GET', '/nothing', { token: control.operatorToken() });
  assert.deepEqual([missing.status, missing.body.code], [404, 'NOT_FOUND']);
  const wrong = await control.call('GET', '/sessions?limit=0', { token: control.operatorToken() });
  assert.deepEqual([wrong.status, wrong.body.code], [400, 'INVALID_INPUT']);
  assert.match(wrong.body.detail, /limit/);
  const extra = await control.call('POST', '/tokens', { token: control.operatorToken(), body: { subject: 'auditor', admin: true } });
  assert.deepEqual([extra.status, extra.body.code], [400, 'INVALID_INPUT']);
});

test('what PostgreSQL cannot store is refused before anything is recorded', async () => {
  const token = control.operatorToken();
  const bodies: readonly (readonly [path: string, body: unknown, where: RegExp])[] = [
    ['/tokens', { subject: 'a\0b' }, /body\.subject has a NUL/],
    ['/requests/req_1/approve', { comment: 'half \ud800' }, /body\.comment has half a surrogate pair/],
    ['/tokens', { deep: [{ 'k\0': 1 }] }, /body\.deep\[0\] has a NUL/],
  ];
  for (const [path, body, where] of bodies) {
    const reviewer = path.startsWith('/requests') ? await control.tokenOf('reviewer') : token;
    const answer = await control.call('POST', path, { token: reviewer, body });
    assert.deepEqual([answer.status, answer.body.code], [400, 'INVALID_INPUT'], JSON.stringify(answer.body));
    assert.match(answer.body.detail, where);
  }
  for (const path of ['/requests/%00', '/sessions?subject=%00', `/decisions/${'a'.repeat(500)}`]) {
    const answer = await control.call('GET', path, { token });
    assert.deepEqual(
      [answer.status, answer.type.split(';')[0], answer.body.code],
      [400, 'application/problem+json', 'INVALID_INPUT'],
      path,
    );
  }
});

test('no response carries a credential of a resource', async () => {
  const { body } = await control.call('GET', '/resources', { token: control.operatorToken() });
  assert.equal(body.items[0].name, 'orders');
  assert.ok(!JSON.stringify(body).includes('upstream-secret'));
});

test('a revoked token is refused at once by the API, and the gateways are told', async () => {
  const gateway = await TestGateway.join(control.config);
  const minted = await control.call('POST', '/tokens', { token: control.operatorToken(), body: { subject: 'engineer' } });
  const { token, id } = minted.body;
  assert.equal((await control.call('GET', '/me', { token })).status, 200);
  const verifiers = await gateway.call('login.verifiers', { name: 'engineer' });
  assert.ok(verifiers.verifiers.some((one) => one.token === id));
  assert.equal((await control.call('DELETE', `/tokens/${id}`, { token })).status, 204);
  assert.equal((await control.call('GET', '/me', { token })).status, 401);
  assert.deepEqual(await gateway.notice('tokens.revoked', (params) => params.tokens.includes(id)), { tokens: [id] });
  assert.ok(!(await gateway.call('login.verifiers', { name: 'engineer' })).verifiers.some((one) => one.token === id));
  await gateway.end();
  const back = await TestGateway.join(control.config);
  await back.notice('tokens.revoked', (params) => params.tokens.includes(id));
  await back.end();
});

test('a token that somebody makes with a token neither outlives it nor survives its revocation', async () => {
  const first = await control.call('POST', '/tokens', {
    token: control.operatorToken(),
    body: { subject: 'engineer', lifetimeMs: 60_000 },
  });
  assert.ok(first.body.expiresAt <= Date.now() + 60_000);
  const second = await control.call('POST', '/tokens', { token: first.body.token });
  assert.equal(second.body.expiresAt, first.body.expiresAt);
  const third = await control.call('POST', '/tokens', { token: second.body.token, body: { lifetimeMs: 30_000 } });
  assert.ok(third.body.expiresAt < first.body.expiresAt);
  assert.equal((await control.call('GET', '/me', { token: third.body.token })).status, 200);
  await control.call('DELETE', `/tokens/${first.body.id}`, { token: control.operatorToken() });
  for (const { body } of [first, second, third]) assert.equal((await control.call('GET', '/me', { token: body.token })).status, 401);
  assert.equal((await control.call('POST', '/tokens', { token: second.body.token })).status, 401);
});

test('however many tokens somebody makes with one, that one stays', async () => {
  const token = await control.tokenOf('engineer');
  for (let made = 0; made < limits.tokensPerSubjectMax + 2; made += 1) {
    assert.equal((await control.call('POST', '/tokens', { token })).status, 201);
  }
  assert.equal((await control.call('GET', '/me', { token })).status, 200);
});

test('a subject has a limited number of live tokens; the oldest give way', async () => {
  const first = await control.tokenOf('auditor');
  for (let minted = 0; minted < limits.tokensPerSubjectMax; minted += 1) await control.tokenOf('auditor');
  assert.equal((await control.call('GET', '/me', { token: first })).status, 401);
  const { body } = await control.call('GET', '/tokens?subject=auditor&limit=500', { token: control.operatorToken() });
  assert.equal(body.items.filter((one: { status: string }) => one.status === 'live').length, limits.tokensPerSubjectMax);
});

test('lists are paged without a gap or a repetition', async () => {
  const token = control.operatorToken();
  const all = await control.call('GET', '/tokens?limit=500', { token });
  const seen: string[] = [];
  let after = '';
  do {
    const { body } = await control.call('GET', `/tokens?limit=3${after === '' ? '' : `&after=${after}`}`, { token });
    seen.push(...body.items.map((one: { id: string }) => one.id));
    after = body.next ?? '';
  } while (after !== '');
  assert.deepEqual(
    seen,
    all.body.items.map((one: { id: string }) => one.id),
  );
});

test('an unknown login name looks like one without tokens, with the same salt every time', async () => {
  const gateway = await TestGateway.join(control.config);
  const first = await gateway.call('login.verifiers', { name: 'nobody' });
  const second = await gateway.call('login.verifiers', { name: 'nobody' });
  assert.equal(first.subject, undefined);
  assert.deepEqual(first, second);
  assert.equal(Buffer.from(first.salt, 'base64').length, 16);
  await gateway.end();
});

test('an approval reaches the gateway as a grant with a signature that its key checks', async () => {
  const gateway = await TestGateway.join(control.config);
  const hold = testHold();
  const { request } = await gateway.call('hold.open', hold);
  const reviewer = await control.tokenOf('reviewer');
  const shown = await control.call('GET', `/requests/${request}`, { token: reviewer });
  assert.deepEqual([shown.body.text, shown.body.mayAnswer], [hold.text, true]);
  const answer = await control.call('POST', `/requests/${request}/approve`, { token: reviewer, body: { comment: 'fine' } });
  assert.equal(answer.body.status, 'approved');
  const { status, by, comment, grants } = await gateway.notice('hold.resolved');
  assert.deepEqual([status, by, comment, grants.length], ['approved', ['user:reviewer'], 'fine', 1]);
  const [signed] = grants;
  assert.ok(signed !== undefined);
  const key = createPublicKey({ key: Buffer.from(gateway.hello.grantKey, 'base64'), format: 'der', type: 'spki' });
  assert.ok(verify(null, Buffer.from(canonicalJson(signed.grant)), key, Buffer.from(signed.signature, 'base64')));
  assert.deepEqual(
    [signed.grant.bound, signed.grant.operation, signed.grant.rule, signed.grant.uses],
    [hold.requirements[0]?.bound, hold.operation, 'writes/approve', 1],
  );
  await gateway.call('hold.used', { request, grant: signed.grant.id });
  await assert.rejects(gateway.call('hold.used', { request, grant: signed.grant.id }), { message: 'CONFLICT' });
  assert.equal((await control.call('GET', `/requests/${request}`, { token: reviewer })).body.status, 'used');
  await gateway.end();
});

test('the requester sees the own request and cannot answer it, whatever groups and roles it has', async () => {
  const gateway = await TestGateway.join(control.config);
  const reviewer = await control.tokenOf('reviewer');
  const own = testHold({ subject: { id: 'user:reviewer', name: 'reviewer', groups: ['dba'] } });
  const agents = testHold({ subject: { id: 'agent:x', name: 'x', groups: [], onBehalfOf: { id: 'user:reviewer', verified: true } } });
  for (const hold of [own, agents]) {
    const { request } = await gateway.call('hold.open', hold);
    assert.equal((await control.call('GET', `/requests/${request}`, { token: reviewer })).body.mayAnswer, false);
    const answer = await control.call('POST', `/requests/${request}/approve`, { token: reviewer });
    assert.deepEqual([answer.status, answer.body.code], [403, 'FORBIDDEN']);
  }
  await gateway.end();
});

test('a request dies with the link that holds it', async () => {
  const gateway = await TestGateway.join(control.config);
  const { request } = await gateway.call('hold.open', testHold());
  await gateway.end();
  const token = await control.tokenOf('reviewer');
  const seen = async () => (await control.call('GET', `/requests/${request}`, { token })).body.status;
  while ((await seen()) === 'waiting') await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await seen(), 'withdrawn');
  assert.equal((await control.call('POST', `/requests/${request}/approve`, { token })).status, 409);
});

test('text that nobody could read cannot be approved', async () => {
  const gateway = await TestGateway.join(control.config);
  const long = testHold({ text: 'x'.repeat(limits.approvalTextBytesMax + 1) });
  await assert.rejects(gateway.call('hold.open', long), { message: 'APPROVAL_TOO_LONG' });
  await assert.rejects(gateway.call('hold.open', testHold({ requirements: [] })), { message: 'INVALID_INPUT' });
  await gateway.end();
});

test('a pushed bundle is in force when its gateways say so, and the same again changes nothing', async () => {
  const gateway = await TestGateway.join(control.config);
  const token = control.operatorToken();
  const push = control.call('POST', '/policy/bundles', { token, body: changed('1.1.0', 'all-may-read') });
  const offer = await gateway.notice('policy.offer');
  const key = createPublicKey({ key: Buffer.from(gateway.hello.grantKey, 'base64'), format: 'der', type: 'spki' });
  assert.ok(verify(null, Buffer.from(offer.ref.digest), key, Buffer.from(offer.signature, 'base64')));
  await gateway.call('policy.inForce', { digest: offer.ref.digest, since: 1 });
  const { status, body } = await push;
  assert.equal(status, 200);
  assert.deepEqual([body.changed, body.version, body.digest], [true, '1.1.0', offer.ref.digest]);
  assert.deepEqual(body.gateways, [{ gateway: 'gateway-1', connected: true, digest: offer.ref.digest, current: true }]);
  const again = await control.call('POST', '/policy/bundles', { token, body: changed('1.1.0', 'all-may-read') });
  assert.deepEqual([again.status, again.body.changed], [200, false]);
  const stored = await control.call('GET', `/policy/bundles/${body.digest}`, { token });
  assert.equal(stored.body.files[0].text, changed('1.1.0', 'all-may-read').files[0]?.text);
  await gateway.end();
});

test('a bundle with a mistake is refused with path and line, and the one in force stays', async () => {
  const token = control.operatorToken();
  const before = (await control.call('GET', '/policy', { token })).body.ref.digest;
  const text = testBundle.text.replace('effect: allow', 'effect: allways');
  const { status, body } = await control.call('POST', '/policy/bundles', { token, body: { files: [{ path: 'a/b.yaml', text }] } });
  assert.deepEqual([status, body.code], [422, 'POLICY_INVALID']);
  assert.equal(body.problems[0].path, 'a/b.yaml');
  assert.ok(body.problems[0].line > 5);
  assert.equal((await control.call('GET', '/policy', { token })).body.ref.digest, before);
});

test('what the baseline in force promises cannot be dropped or weakened, also not by going back', async () => {
  const token = control.operatorToken();
  const inForce = async () => (await control.call('GET', '/policy', { token })).body.ref.digest;
  const push = (text: string) => control.call('POST', '/policy/bundles', { token, body: { files: [{ path: 'b.yaml', text }] } });
  const promised = testBundle.text
    .replace('{ version: 1.0.0 }', '{ version: 3.0.0, baseline: [access/no-drop] }')
    .replace(
      '    - id: everybody-reads',
      '    - { id: no-drop, effect: deny, reason: NO_DROP, match: { sql.effects: ["drop.*"] } }\n    - id: everybody-reads',
    );
  const before = await push(promised);
  assert.equal(before.status, 200, JSON.stringify(before.body));
  const digest = await inForce();
  const weaker = {
    'an older version': testBundle.text,
    'no promise': promised.replace(', baseline: [access/no-drop]', ''),
    'only watched': promised.replace('{ id: no-drop,', '{ id: no-drop, mode: audit,').replace(', baseline: [access/no-drop]', ''),
    'another effect': promised.replace('id: no-drop, effect: deny', 'id: no-drop, effect: allow'),
  };
  for (const [what, text] of Object.entries(weaker)) {
    const { status, body } = await push(text);
    assert.deepEqual([status, body.code, body.problems?.[0]?.code], [422, 'POLICY_INVALID', 'BASELINE'], what);
    assert.match(body.problems[0].message, /access\/no-drop/, what);
    assert.equal(await inForce(), digest, what);
  }
  assert.equal((await push(promised.replace('Reading is allowed.', 'Go on.'))).status, 200);
});

test('a gateway with the wrong secret learns nothing and the link ends', async () => {
  const gateway = await TestGateway.connect(control.config);
  await assert.rejects(gateway.hello('wrong'), { message: 'UNAUTHENTICATED' });
  await gateway.closed;
  const rude = await TestGateway.connect(control.config);
  await assert.rejects(rude.call('login.verifiers', { name: 'engineer' }));
  await rude.closed;
});

test('a newer link of a gateway takes the place of the older one', async () => {
  const older = await TestGateway.join(control.config);
  const newer = await TestGateway.join(control.config);
  await older.closed;
  assert.ok((await newer.call('login.verifiers', { name: 'engineer' })).subject);
  const { body } = await control.call('GET', '/gateways', { token: control.operatorToken() });
  assert.deepEqual([body.items.length, body.items[0].connected], [1, true]);
  await newer.end();
});

test('garbage on the link closes that link and harms nothing else', async () => {
  const good = await TestGateway.join(control.config);
  const secret = readFileSync(control.config.linkSecretFile, 'utf8').trim();
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.uint8Array({ minLength: 1, maxLength: 200 }), async (greeted, bytes) => {
      const bad = await TestGateway.connect(control.config, 'gateway-2');
      if (greeted) await bad.hello(secret);
      bad.write(Buffer.concat([bytes, Buffer.from('\n{"call":1}\n')]));
      await bad.closed;
    }),
    { numRuns: 40 },
  );
  assert.ok((await good.call('login.verifiers', { name: 'engineer' })).subject);
  await good.end();
});

test('wrong parameters are answered with a fault and the link goes on', async () => {
  const gateway = await TestGateway.join(control.config);
  // Deliberately not what the contract says.
  await assert.rejects(gateway.call('hold.withdraw', { request: 7 } as never), { message: 'INVALID_INPUT' });
  await assert.rejects(gateway.call('no.such.call' as never, {} as never), { message: 'PROTOCOL_UNSUPPORTED' });
  assert.ok((await gateway.call('login.verifiers', { name: 'engineer' })).subject);
  await gateway.end();
});

test('the link socket is private', async () => {
  assert.equal(statSync(control.config.linkSocket).mode & 0o777, 0o600);
  const silent = connect(control.config.linkSocket);
  await new Promise((resolve) => silent.once('connect', resolve));
  silent.destroy();
});

test('no token and no literal of a held statement is in the log', () => {
  const text = control.log.lines.join('\n');
  assert.ok(!/wdr_tok/.test(text));
  assert.ok(!text.includes('secret-literal'));
  assert.ok(existsSync(control.config.operatorTokenFile));
});
