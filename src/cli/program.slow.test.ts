import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../main.ts', import.meta.url));
let folder: string;
let server: Server;
let api: string;
/** Authorization headers and paths the API saw. */
const seen: { path: string; token: string }[] = [];

/** An API with two pages of requests, one refusal, and one bundle that does not compile. */
function answer(path: string): { status: number; body: unknown } {
  if (path.startsWith('/api/v1/requests?')) {
    const item = {
      id: 'req_1',
      status: 'waiting',
      requester: { id: 'user:e', name: 'e' },
      resource: { id: 'pg:o', name: 'o' },
      text: 'select 1',
      requirements: [],
      answers: [],
      openedAt: 1,
    };
    return path.includes('after=req_1')
      ? { status: 200, body: { items: [{ ...item, id: 'req_2' }] } }
      : { status: 200, body: { items: [item], next: 'req_1' } };
  }
  if (path.endsWith('/approve')) return { status: 403, body: { code: 'FORBIDDEN', detail: 'no reviewer' } };
  if (path.endsWith('/policy/bundles')) {
    return {
      status: 422,
      body: {
        code: 'POLICY_INVALID',
        detail: 'the bundle has 1 problem',
        problems: [{ code: 'CEL', severity: 'error', message: 'no such attribute', path: 'a.yaml', line: 3, column: 5 }],
      },
    };
  }
  if (path.endsWith('/me'))
    return {
      status: 200,
      body: { subject: { id: 'user:e', name: 'e', groups: [], roles: ['reviewer'] }, token: { id: 'tok_1', expiresAt: 5 } },
    };
  return { status: 404, body: { code: 'NOT_FOUND', detail: 'nothing here' } };
}

async function warder(
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
  input = '',
): Promise<{ status: number; out: string; err: string }> {
  const child = spawn(process.execPath, [main, ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder, NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'], ...environment },
  });
  const texts = { out: '', err: '' };
  child.stdout.on('data', (piece) => {
    texts.out += String(piece);
  });
  child.stderr.on('data', (piece) => {
    texts.err += String(piece);
  });
  child.stdin.end(input);
  const [status] = await once(child, 'close');
  return { status, ...texts };
}

describe('the command line', () => {
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'warder-test-'));
    server = createServer((request, response) => {
      seen.push({ path: request.url ?? '', token: request.headers.authorization ?? '' });
      const { status, body } = answer(request.url ?? '');
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    api = `http://127.0.0.1:${address.port}`;
    mkdirSync(join(folder, '.warder', 'run'), { recursive: true });
    mkdirSync(join(folder, '.warder', 'secrets'));
    writeFileSync(
      join(folder, '.warder', 'run', 'endpoints.json'),
      JSON.stringify({ api, postgres: { host: '127.0.0.1', port: 1 }, resources: [], pid: 1 }),
    );
    writeFileSync(join(folder, '.warder', 'secrets', 'operator-token'), 'operators-token\n');
  });
  after(() => {
    server.close();
    server.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  });

  test('lists go through all pages', async () => {
    const { status, out } = await warder(['requests', '--json']);
    assert.equal(status, 0);
    assert.deepEqual(
      JSON.parse(out).map((one: { id: string }) => one.id),
      ['req_1', 'req_2'],
    );
  });

  test('the identity is WARDER_TOKEN, else the login, else the home', async () => {
    const asked = async (environment: NodeJS.ProcessEnv = {}): Promise<string | undefined> => {
      await warder(['requests'], environment);
      return seen.at(-1)?.token;
    };
    assert.equal(await asked(), 'Bearer operators-token');
    const login = await warder(['login'], {}, 'my-token\n');
    assert.match(login.out, /You are e \(reviewer\)/);
    assert.equal(statSync(join(folder, '.config', 'warder', 'credentials.json')).mode & 0o777, 0o600);
    assert.equal(await asked(), 'Bearer my-token');
    assert.equal(await asked({ WARDER_TOKEN: 'mine' }), 'Bearer mine');
    await warder(['logout']);
    assert.equal(readFileSync(join(folder, '.config', 'warder', 'credentials.json'), 'utf8').includes('my-token'), false);
    assert.equal(await asked(), 'Bearer operators-token');
  });

  test('a refusal of the API has its own exit status and says what to do', async () => {
    const { status, err } = await warder(['approve', 'req_1']);
    assert.equal(status, 5);
    assert.match(err, /warder: no reviewer\n {2}FORBIDDEN — /);
    const json = await warder(['approve', 'req_1', '--json']);
    assert.equal(JSON.parse(json.out).error.code, 'FORBIDDEN');
    assert.equal(json.err, '');
  });

  test('a pushed mistake is shown with path, line and reason', async () => {
    mkdirSync(join(folder, 'pack'), { recursive: true });
    writeFileSync(join(folder, 'pack', 'a.yaml'), 'x: 1\n');
    const { status, err } = await warder(['policy', 'push', 'pack']);
    assert.equal(status, 1);
    assert.match(err, /pack\/a\.yaml:3:5: error CEL no such attribute/);
  });

  test('a mistake in a policy is found offline with path and line', async () => {
    writeFileSync(join(folder, 'pack', 'a.yaml'), 'apiVersion: warder/v1\nkind: Nonsense\n');
    const { status, err } = await warder(['policy', 'check', 'pack']);
    assert.equal(status, 1);
    assert.match(err, /pack\/a\.yaml:2:\d+: error/);
  });

  test('usage mistakes exit with 2 and suggest the right word', async () => {
    const { status, err } = await warder(['aprove', 'x']);
    assert.equal(status, 2);
    assert.match(err, /approve/);
    assert.equal((await warder(['requests', '--status', 'nonsense'])).status, 2);
    const json = await warder(['requests', '--nonsense', '--json']);
    assert.deepEqual([json.status, json.err, JSON.parse(json.out).error.code], [2, '', 'USAGE']);
    assert.match(JSON.parse(json.out).error.message, /unknown option '--nonsense'/);
    assert.equal(JSON.parse((await warder(['account', '--json'])).out).error.code, 'USAGE');
    assert.equal((await warder(['up', '--port-base', 'x', '--home', join(folder, 'new')])).status, 2);
  });

  test('without an installation it says how to start one, and makes no folder', async () => {
    const { status, err } = await warder(['sessions', '--home', join(folder, 'none')]);
    assert.equal(status, 69);
    assert.match(err, /warder up/);
    assert.throws(() => statSync(join(folder, 'none')));
  });

  test('an unreadable ledger folder exits with 3', async () => {
    assert.equal((await warder(['ledger', 'verify', join(folder, 'pack')])).status, 3);
  });
});
