import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { checkout, finish, startInstallation, waitFor, type Installation } from './installation.ts';

const compiled = `apiVersion: warder/v1
kind: ForeignPolicy
metadata: { name: compiled }
spec:
  target: sql
  mode: enforce
  engine: rego-wasm
  files: [policy-bundle.tar.gz]
  entrypoint: data.sql.authz
  input: hoop.v1
  output: { deny: '!result.allow', message: The compiled rules refuse this. }
  deadline: PT3S
`;

const remote = (url: string): string => `apiVersion: warder/v1
kind: ForeignPolicy
metadata: { name: remote }
spec:
  target: sql
  mode: enforce
  engine: opa-remote
  url: ${url}
  input: hoop.v1
  output: { deny: '!result.allow', message: The remote rules refuse this. }
  deadline: PT2S
  breaker: { failures: 2, pause: PT5S }
`;

const cedar = `@id("everybody")
permit (principal, action, resource);

@id("no-staff")
@reason("STAFF_IS_PRIVATE")
forbid (principal, action == Action::"select", resource) when { context.sql.tables.contains("public.staff") };
`;

/** Speaks OPA's Data API as far as Warder uses it; a test says what it answers. */
class OpaDouble {
  readonly asked: { readonly input: { readonly tables: readonly string[] }; readonly authorization: string | undefined }[] = [];
  answer: 'rules' | 'never' | 'broken' | 'garbage' | 'huge' = 'rules';
  readonly #server: Server = createServer((request, response) => void this.#serve(request, response));

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    // Reason: a server that listens on TCP has an address of this form.
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}/v1/data/sql/authz`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const part of request) body += String(part);
    // Reason: made by the product; what it must look like is what the test is about.
    const { input } = JSON.parse(body) as { input: { tables: string[] } };
    this.asked.push({ input, authorization: request.headers.authorization });
    if (this.answer === 'never') return;
    if (this.answer === 'broken') return void response.destroy();
    if (this.answer === 'garbage') return void response.end('{"result": {"allow": "certainly"}}');
    if (this.answer === 'huge') return void response.end(`{"result": "${'x'.repeat(2_000_000)}"}`);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ result: { allow: !input.tables.includes('public.payments') } }));
  }
}

const opa = new OpaDouble();
const token = 'a-token-that-nobody-else-may-see';
let folder: string;
let installation: Installation;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'warder-facts-'));
  const url = await opa.listen();
  const home = join(folder, 'home');
  await mkdir(home);
  // Others may pass, not look, as in a home that Warder makes itself.
  for (const path of [folder, home]) await chmod(path, 0o711);
  await writeFile(join(folder, 'opa-token'), `${token}\n`, { mode: 0o600 });
  await writeFile(join(home, 'facts.yaml'), `opa:\n  remote:\n    url: ${url}\n    token: file:${join(folder, 'opa-token')}\n`);
  installation = await startInstallation({ home });
  const theirs = join(folder, 'theirs');
  await mkdir(theirs);
  await cp(join(checkout, 'test/corpus/rego/policy-bundle.tar.gz'), join(theirs, 'policy-bundle.tar.gz'));
  await writeFile(join(theirs, 'compiled.yaml'), compiled);
  await writeFile(join(theirs, 'remote.yaml'), remote(url));
  await writeFile(join(theirs, 'privacy.cedar'), cedar);
  const policies = join(folder, 'policies');
  await cp(join(checkout, 'policies'), policies, { recursive: true });
  await succeed(['policy', 'import', theirs, '--mode', 'source', '--out', join(policies, 'imported')]);
  const engine = join(policies, 'imported', 'foreignengine-cedar-privacy.yaml');
  // A busy machine must not decide this story.
  await writeFile(engine, (await readFile(engine, 'utf8')).replace('deadlineMs: 250', 'deadlineMs: 3000'));
  // What the page about facts says is what is done here.
  const page = await readFile(join(checkout, 'docs/how-to/facts.md'), 'utf8');
  const [, patience = ''] = /```yaml file=patience\.yaml\n([\s\S]*?)```/.exec(page) ?? [];
  await writeFile(join(policies, 'patience.yaml'), patience);
  await succeed(['policy', 'check', policies]);
  await succeed(['policy', 'test', join(policies, 'patience.yaml')]);
  await succeed(['policy', 'push', policies], 'reviewer');
});

after(async () => {
  await installation?.destroy();
  opa.close();
  await rm(folder, { recursive: true, force: true });
});

async function succeed(args: readonly string[], as?: 'reviewer' | 'auditor'): Promise<string> {
  const { status, stdout, stderr } = await installation.warder(args, as);
  assert.equal(status, 0, `${args.join(' ')}\n${stdout}\n${stderr}`);
  return stdout;
}

/** One psql with one statement. */
async function run(statement: string): Promise<{ readonly rows: string; readonly error: string; readonly decision: string }> {
  const { stdout, stderr } = await installation.psql('engineer', ['-At', '-v', 'VERBOSITY=verbose', '-c', statement]);
  return { rows: stdout.trim(), error: stderr, decision: /dec_[0-9a-z]{26}/.exec(stderr)?.[0] ?? '' };
}

interface Explanation {
  readonly reason: string;
  readonly reads: Readonly<Record<string, unknown>>;
  readonly facts?: readonly {
    readonly fact: string;
    readonly engine: string;
    readonly status: string;
    readonly because?: string;
    readonly digest: string;
    readonly answer?: string;
    readonly latencyUs: number;
  }[];
}

async function explained(decision: string): Promise<Explanation> {
  return waitFor('the decision to be indexed', async () => {
    const { status, stdout } = await installation.warder(['explain', decision, '--json'], 'auditor');
    return status === 0 ? (JSON.parse(stdout) as Explanation) : undefined;
  });
}

test('what every engine lets pass passes', async () => {
  const { rows, error } = await run('SELECT count(*) FROM orders');
  assert.match(rows, /^\d+$/, error);
  const last = opa.asked.at(-1);
  assert.deepEqual(last?.input.tables, ['public.orders']);
  assert.equal(last?.authorization, `Bearer ${token}`);
});

test('a compiled Rego policy denies a statement, and the record tells what it said', async () => {
  const { error, decision } = await run('UPDATE orders SET status = status WHERE id = 1');
  assert.match(error, /The compiled rules refuse this/);
  const { reason, reads, facts = [] } = await explained(decision);
  assert.equal(reason, 'FOREIGN_DENY');
  assert.deepEqual(reads['facts.foreign.compiled.result'], {
    allow: false,
    owner: 'shop',
    reason: 'user:engineer may not update ["public.orders"]',
  });
  assert.deepEqual(facts.map(({ fact, engine, status }) => `${fact} ${engine} ${status}`).toSorted(), [
    'foreign.compiled rego-wasm answered',
    'foreign.privacy cedar answered',
    'foreign.remote opa-remote answered',
  ]);
  for (const { digest, answer = '', latencyUs } of facts) {
    for (const hash of [digest, answer]) assert.match(hash, /^sha256:[0-9a-f]{64}$/);
    assert.ok(latencyUs >= 0);
  }
  assert.match(await succeed(['explain', decision], 'auditor'), /facts\.foreign\.compiled from rego-wasm, answered after \d/);
});

test('Cedar forbids a statement', async () => {
  const { error, decision } = await run('SELECT count(*) FROM staff');
  assert.match(error, /STAFF_IS_PRIVATE|forbids/);
  assert.equal((await explained(decision)).reason, 'STAFF_IS_PRIVATE');
});

test('a remote OPA denies, and with every kind of silence the statement is refused as well', async () => {
  assert.match((await run('SELECT count(*) FROM payments')).error, /The remote rules refuse this/);
  for (const answer of ['garbage', 'huge', 'broken'] as const) {
    opa.answer = answer;
    assert.match((await run('SELECT 1 FROM orders LIMIT 1')).error, /ERROR: {2}42501/, answer);
    opa.answer = 'rules';
    await waitFor('the OPA to be asked again', async () => (await run('SELECT 1 FROM orders LIMIT 1')).rows === '1');
  }
});

test('an OPA that does not answer in time is left alone for a while, and asked again after it', async () => {
  opa.answer = 'never';
  const refused = async (): Promise<void> => assert.match((await run('SELECT 1 FROM orders LIMIT 1')).error, /ERROR: {2}42501/);
  await refused();
  await refused();
  const before = opa.asked.length;
  const { error, decision } = await run('SELECT 1 FROM orders LIMIT 1');
  assert.match(error, /ERROR: {2}42501/);
  assert.equal(opa.asked.length, before, 'the breaker is open: nobody asks');
  const { facts = [] } = await explained(decision);
  assert.deepEqual(facts.find(({ fact }) => fact === 'foreign.remote')?.because, 'resting');
  opa.answer = 'rules';
  await waitFor('the pause to be over', async () => (await run('SELECT 1 FROM orders LIMIT 1')).rows === '1');
  assert.ok(opa.asked.length > before);
});

test('a rule about the session denies everything after five denials, in this session alone', async () => {
  const talk = installation.open('engineer', ['-At']);
  talk.say('SELECT 1 FROM orders LIMIT 1;');
  await talk.hear(/^1$/m);
  for (let n = 0; n < 5; n += 1) {
    talk.say('DROP TABLE orders;');
    await talk.hear(/dec_[0-9a-z]{26}/);
  }
  talk.say('SELECT 1 FROM orders LIMIT 1;');
  await talk.hear(/You were denied five times in five minutes/);
  await talk.end();
  assert.equal((await run('SELECT 1 FROM orders LIMIT 1')).rows, '1');
});

test('nothing that Warder writes holds the token of the OPA', async () => {
  assert.ok(opa.asked.length > 0);
  const found = spawn('grep', ['-rlF', token, installation.ready.home], { stdio: ['ignore', 'pipe', 'pipe'] });
  const { status, stdout } = await finish(found);
  assert.deepEqual([status, stdout], [1, '']);
});

test('a log with answers of engines in it verifies', async () => {
  const told = await succeed(['ledger', 'verify', join(installation.ready.home, 'gateway', 'ledger')]);
  assert.match(told, /gateway-1/);
});
