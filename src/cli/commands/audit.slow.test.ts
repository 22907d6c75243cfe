import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../main.ts', import.meta.url));
let server: Server;
let api: string;
const asked: URL[] = [];

const found = (index: number): unknown => ({
  record: `ledger.local/gateway-1#${index}`,
  t: 1_700_000_000_000,
  kind: 'operation.decided',
  subject: 'agent:bot',
  onBehalfOf: 'user:engineer',
  resource: 'pg:orders',
  verdict: 'deny',
  reason: 'DDL',
  normalized: 'drop table \u001b[31morders',
  decision: `dec_${index}`,
  objects: [],
  rules: [],
});

const sinks = [
  {
    name: 'archive',
    type: 'file',
    target: '/x',
    format: 'ocsf',
    lag: 0,
    delivered: 5,
    marked: 0,
    aside: 0,
    failures: 0,
    deliveredAt: 1_700_000_000_000,
  },
  {
    name: 'hook',
    type: 'webhook',
    target: 'https://h/',
    format: 'ocsf',
    lag: 7,
    delivered: 0,
    marked: 0,
    aside: 2,
    failures: 3,
    error: 'status 503',
    errorAt: 1,
  },
];

function answer(url: URL): unknown {
  if (url.pathname.endsWith('/audit/records')) {
    return url.searchParams.has('after') ? { items: [found(1)], behind: 3 } : { items: [found(2)], next: 'c.u.r', behind: 3 };
  }
  if (url.pathname.endsWith('/audit/index/rebuild')) return { behind: 9 };
  if (url.pathname.endsWith('/sinks/hook/test')) return { name: 'hook', ok: false, why: 'status 503' };
  if (url.pathname.endsWith('/sinks/hook/aside/retry')) return { name: 'hook', taken: 1, refused: 1, why: 'status 400' };
  if (url.pathname.endsWith('/sinks/hook/aside/give-up')) return { name: 'hook', dropped: 1 };
  if (url.pathname.endsWith('/sinks/hook/aside'))
    return { items: [{ record: 'l/a#7', kind: 'session.opened', why: 'status \u001b[31m400', at: 0 }] };
  return { items: sinks, problem: 'sinks.yaml:2: path: write an absolute path' };
}

before(async () => {
  server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://api');
    asked.push(url);
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer(url)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // Reason: it listens on an address.
  api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

after(() => {
  server.closeAllConnections();
  server.close();
});

async function warder(...args: string[]): Promise<{ status: number; out: string; err: string }> {
  const environment = { PATH: process.env['PATH'], HOME: tmpdir(), WARDER_API: api, WARDER_TOKEN: 't', TZ: 'UTC' };
  const child = spawn(process.execPath, [main, ...args], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  const texts = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    texts.out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    texts.err += text;
  });
  const [status] = await once(child, 'close');
  return { status, ...texts };
}

test('a search asks for everything that was said, goes through the pages and says what may be missing', async () => {
  asked.length = 0;
  const all = [
    '--since',
    '2026-11-20',
    '--until',
    '2026-11-20T10:00Z',
    '--subject',
    'user:e',
    '--rule',
    'p/r',
    '--verdict',
    'deny',
    '--text',
    'drop',
  ];
  const { status, out } = await warder('audit', 'search', ...all, '--table', 'public.t', '--resource', 'pg:o', '--decision', 'dec_1');
  assert.equal(status, 0);
  const { searchParams } = asked[0] as URL;
  assert.deepEqual(Object.fromEntries(searchParams), {
    limit: '50',
    since: String(Date.UTC(2026, 10, 20)),
    until: String(Date.UTC(2026, 10, 20, 10)),
    subject: 'user:e',
    rule: 'p/r',
    verdict: 'deny',
    text: 'drop',
    table: 'public.t',
    resource: 'pg:o',
    decision: 'dec_1',
  });
  assert.deepEqual([asked[1]?.searchParams.get('after'), asked[1]?.searchParams.get('limit')], ['c.u.r', '49']);
  assert.match(out, /dec_2[\s\S]*dec_1[\s\S]*3 records are not in the index yet/);
  assert.match(out, /agent:bot for user:engineer/);
  assert.ok(!out.includes('\u001b[31m'), 'text from outside cannot colour the terminal');
});

test('an answer that ends before the records do says how to go on', async () => {
  const { out } = await warder('audit', 'search', '--limit', '1');
  assert.match(out, /There are more: --after c\.u\.r/);
  const json = JSON.parse((await warder('audit', 'search', '--limit', '1', '--json')).out);
  assert.deepEqual([json.items.length, json.next, json.behind], [1, 'c.u.r', 3]);
});

test('a moment that is none is refused', async () => {
  for (const when of ['yesterday', '2026-13-01', '5', '99x'])
    assert.equal((await warder('audit', 'search', '--since', when)).status, 2, when);
});

test('the state of the sinks shows what fails, and so does the exit status', async () => {
  const { status, out } = await warder('sink', 'status');
  assert.equal(status, 1);
  assert.match(out, /archive +0 +5 +0 +2023-11-14 22:13:20 +0 +ok/);
  assert.match(out, /hook: status 503/);
  assert.match(out, /sinks\.yaml was changed and is wrong, so nothing changed: sinks\.yaml:2: path/);
  assert.equal((await warder('sink', 'list')).status, 0);
  const tested = await warder('sink', 'test', 'hook', '--json');
  assert.deepEqual([tested.status, JSON.parse(tested.out)], [1, { name: 'hook', ok: false, why: 'status 503' }]);
});

test('records that were set aside are listed, offered again and given up', async () => {
  const listed = await warder('sink', 'aside', 'hook');
  assert.match(listed.out, /1970-01-01 00:00:00 +l\/a#7 +session\.opened +status .*400/);
  assert.ok(!listed.out.includes('\u001b[31m400'), 'what a receiver says reaches no terminal as it is');
  const again = await warder('sink', 'retry', 'hook');
  assert.deepEqual([again.status, again.out], [1, '1 taken, 1 refused again: status 400\n']);
  assert.match((await warder('sink', 'give-up', 'hook')).out, /1 records will not reach hook/);
});

test('the index is thrown away on request', async () => {
  assert.match((await warder('audit', 'reindex')).out, /grows again from 9 records/);
});
