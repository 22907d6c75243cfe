import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { encodePieces } from '#ledger';
import type { TestControl, TestServer } from '../testing/installation.ts';
import { startTestControl, startTestServer, testConfig } from '../testing/installation.ts';
import { TestGateway, ledgerLines } from '../testing/gateway.ts';
import { sessionDrafts } from '../testing/records.ts';

const policy = `
apiVersion: warder/v1
kind: Policy
metadata: { name: reading }
spec:
  owner: team:security
  tier: org
  risk: { class: medium, categories: [access] }
  review: { last: 2026-11-20, every: P90D, by: user:sam }
  target: warder
  mode: enforce
  rules:
    - id: auditors-read
      effect: allow
      match: { warder.action: [recording.read], warder.roles: [auditor] }
      reason: AUDITOR
    - id: operators-do-not
      effect: deny
      match: { warder.action: [evidence.read], warder.roles: [operator] }
      reason: OPERATOR
      message: "Who operates reads no texts."
    - id: own
      effect: deny
      match: { warder.action: [recording.read], warder.own: [true] }
      reason: OWN_SESSION
      message: "Nobody looks at their own recording."
---
apiVersion: warder/v1
kind: Policy
metadata: { name: shown }
spec:
  owner: team:security
  tier: org
  risk: { class: medium, categories: [access] }
  review: { last: 2026-11-20, every: P90D, by: user:sam }
  target: warder
  phase: response
  mode: enforce
  rules:
    - id: no-mail
      effect: transform
      match: { warder.action: [evidence.read], warder.own: [false] }
      obligations:
        - { type: redact, select: { text: { detectors: [email] } } }
---
apiVersion: warder/v1
kind: PolicyTest
metadata: { name: reading }
spec:
  policies: [reading]
  now: 2026-11-20T10:00:00Z
  defaults: { target: warder, subject: { id: "user:ada" }, resource: { id: "ses_1" } }
  cases:
    - name: read
      attributes: { warder: { action: recording.read, roles: [auditor], own: false } }
      expect: { verdict: allow, fired: [reading/auditors-read] }
    - name: own
      attributes: { warder: { action: recording.read, roles: [auditor], own: true } }
      expect: { verdict: deny, fired: [reading/own] }
`;

let server: TestServer;
let control: TestControl;
let gateway: Awaited<ReturnType<typeof TestGateway.join>>;

const stored = { at: 0, bytes: 600_000, hash: 'ab'.repeat(32), commit: 'cd'.repeat(32) };
const chunk = (session: string, n: number) => ({
  kind: 'recording.chunk',
  session,
  chunk: n,
  from: n * 1_000,
  to: n * 1_000,
  in: 4,
  out: 0,
  stored,
  mono: n * 1_000,
});

/** Session a: opened at 500 µs, three chunks, ended. Session b: cut off. Session c: not recorded. */
const drafts = [
  ...sessionDrafts('ses_a', { subject: 'user:engineer', operations: [{ n: 1, verdict: 'allow' }], open: true }),
  chunk('ses_a', 1),
  chunk('ses_a', 2),
  chunk('ses_a', 3),
  { kind: 'recording.closed', session: 'ses_a', status: 'whole', chunks: 3, bytes: 3 },
  ...sessionDrafts('ses_b', { subject: 'user:auditor', operations: [], open: true }),
  chunk('ses_b', 1),
  { kind: 'session.closed', session: 'ses_b', reason: 'x', operations: 0, bytesUp: 0, bytesDown: 0 },
  ...sessionDrafts('ses_c', { subject: 'user:engineer', operations: [] }),
].map((draft) => ({ mono: 500, ...draft }));
const lines = ledgerLines(drafts);

before(async () => {
  server = await startTestServer();
  const config = await testConfig(server);
  writeFileSync(join(config.policies, 'reading.yaml'), policy);
  control = await startTestControl(config);
  gateway = await TestGateway.join(control.config);
  gateway.answers['evidence.sealed'] = ({ wanted }: { wanted: unknown[] }) => ({ items: wanted.map(() => null) });
  await gateway.call('ledger.entries', { origin: gateway.origin, first: 0, entries: lines });
});
after(async () => {
  await gateway?.end();
  await control?.stop();
  await server?.stop();
});

const read = (path: string, token: string) => control.call('GET', path, { token });

/** The gateway gives a chunk with its index in it. */
function answering(): number[][] {
  const asked: number[][] = [];
  gateway.answers['evidence.disclose'] = ({ indexes }: { indexes: number[] }) => {
    asked.push(indexes);
    const content = (index: number): string =>
      encodePieces([{ direction: 'in', at: 1_500, bytes: Buffer.from(`at ${index}`) }]).toString('base64');
    return { items: indexes.map((index) => ({ index, salt: '', content: content(index) })) };
  };
  return asked;
}

/** Readings recorded so far; the search that finds them is a moment behind. */
let recorded = 0;
async function settled(): Promise<void> {
  const deadline = performance.now() + 20_000;
  while ((await readings()).length < recorded && performance.now() < deadline) await new Promise(setImmediate);
}

async function readings(): Promise<{ verb: string; verdict: string }[]> {
  const found = await read('/audit/records?kind=recording.read&limit=100', await control.tokenOf('auditor'));
  return found.body.items;
}

test('a recording comes in pages, with its clock at the beginning of the session and decisions as marks', async () => {
  const asked = answering();
  const token = await control.tokenOf('auditor');
  const first = await read('/sessions/ses_a/recording', token);
  assert.equal(first.status, 200, JSON.stringify(first.body));
  assert.deepEqual([first.body.status, first.body.chunks, first.body.next], ['whole', 3, '3']);
  assert.deepEqual(
    first.body.marks.map(({ us, n, verdict }: { us: number; n: number; verdict: string }) => [us, n, verdict]),
    [[0, 1, 'allow']],
  );
  const [piece] = first.body.items[0].pieces;
  assert.deepEqual([piece.direction, piece.us, Buffer.from(piece.data, 'base64').toString()], ['in', 1_000, 'at 3']);
  const second = await read('/sessions/ses_a/recording?after=3', token);
  const third = await read('/sessions/ses_a/recording?after=4', token);
  assert.deepEqual([second.body.next, second.body.marks, third.body.next], ['4', undefined, undefined]);
  assert.deepEqual(asked, [[3], [4], [5]]);
  recorded += 3;
  await settled();
});

test('the policies decide who reads, whatever the role, and every answer is recorded before it is given', async () => {
  answering();
  const before = recorded;
  const auditor = await control.tokenOf('auditor');
  assert.equal((await read('/sessions/ses_a/recording', auditor)).status, 200);
  const own = await read('/sessions/ses_b/recording', auditor);
  assert.deepEqual([own.status, own.body.code], [403, 'DENIED']);
  assert.match(own.body.detail, /Nobody looks at their own recording. \(OWN_SESSION, dec_/);
  const engineer = await read('/sessions/ses_a/recording', await control.tokenOf('engineer'));
  assert.deepEqual([engineer.status, engineer.body.code], [403, 'DENIED']);
  // Another action, for which there is no rule.
  const taken = await read('/sessions/ses_a/export', auditor);
  assert.deepEqual([taken.status, taken.body.code], [403, 'DENIED']);
  assert.equal((await read('/sessions/ses_a/recording', await control.tokenOf('reviewer'))).status, 404);
  recorded += 4;
  await settled();
  assert.equal((await readings()).length - before, 4);
});

test('nothing is opened for somebody who is refused', async () => {
  const asked = answering();
  await read('/sessions/ses_a/recording', await control.tokenOf('engineer'));
  assert.deepEqual(asked, []);
});

test('a recording without end, none at all, and one that was erased are told apart', async () => {
  answering();
  const token = await control.tokenOf('auditor');
  assert.equal((await read('/sessions/ses_b/recording', control.operatorToken())).body.status, 'cut');
  const none = await read('/sessions/ses_c/recording', token);
  assert.deepEqual([none.body.status, none.body.items], ['none', []]);
  gateway.answers['evidence.disclose'] = () => ({ items: [] });
  const erased = await read('/sessions/ses_a/recording', token);
  assert.deepEqual([erased.status, erased.body.code], [404, 'NOT_FOUND']);
  assert.match(erased.body.detail, /was erased/);
});

test('the rules decide whether exact texts are shown, and what of them; the decision is recorded and can be explained', async () => {
  gateway.answers['evidence.open'] = ({ indexes }: { indexes: number[] }) => ({
    texts: indexes.map((index) => ({ index, text: "delete from people where mail = ' ann@mail.example'", parameters: [] })),
  });
  const [auditor, engineer] = [await control.tokenOf('auditor'), await control.tokenOf('engineer')];
  const shown = async (token: string) => (await read('/sessions/ses_a/timeline', token)).body.items[0];
  assert.equal((await shown(auditor)).text, "delete from people where mail = ' [email]'");
  assert.equal((await shown(engineer)).text, "delete from people where mail = ' ann@mail.example'");
  const operator = await shown(control.operatorToken());
  assert.deepEqual([operator.evidence, operator.text], ['withheld', undefined]);
  recorded += 3;
  await settled();
  const found = await readings();
  const last = found.filter(({ verb }) => verb === 'evidence.read').slice(0, 3);
  assert.deepEqual(last.map(({ verdict }) => verdict).sort(), ['allow', 'allow', 'deny']);
});

test('the decision on a reading is explained to auditors, and to who asked', async () => {
  answering();
  const engineer = await control.tokenOf('engineer');
  const refused = await read('/sessions/ses_a/recording', engineer);
  const [id = ''] = /dec_[0-9a-z]+/.exec(refused.body.detail) ?? [];
  const of = (token: string) => read(`/decisions/${id}`, token);
  const deadline = performance.now() + 20_000;
  while ((await of(engineer)).status === 404 && performance.now() < deadline) await new Promise(setImmediate);
  const { body } = await of(engineer);
  assert.deepEqual(
    [body.target, body.verb, body.resource, body.subject, body.verdict, body.reason],
    ['warder', 'recording.read', 'ses_a', 'user:engineer', 'deny', 'OWN_SESSION'],
  );
  assert.match(body.explanation, /user:engineer: recording.read on ses_a → deny \(OWN_SESSION\)/);
  assert.equal((await of(await control.tokenOf('auditor'))).status, 200);
  assert.equal((await of(await control.tokenOf('reviewer'))).status, 404);
});
