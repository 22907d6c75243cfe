import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { hasPython, unpack } from '../testing/second-verifier.ts';
import { finishedLog } from '../testing/tamper.ts';
import { setting } from '../testing/story.ts';
import { directorySource, nodeCrypto, urlSource, verifyLedger } from './index.ts';
import { portableCrypto, type Subtle } from './portable.ts';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

const root = join(import.meta.dirname, '../../..');
let scratch = '';
let log = '';
let vkey = '';
let server: Server;
let url = '';
/** What the server does to each file before it sends it. */
let sending: (path: string, bytes: Buffer) => Buffer = (_, bytes) => bytes;

before(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'warder-package-'));
  log = join(scratch, 'log');
  const disk = finishedLog(600, 21);
  for (const path of disk.paths().filter((one) => one.startsWith(`${setting.directory}/`))) {
    const target = join(log, path.slice(setting.directory.length));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, disk.read(path) ?? '');
  }
  vkey = (await verifyLedger(directorySource(log), { crypto: nodeCrypto })).vkey;
  server = createServer((request, response) => {
    const path = join(log, decodeURIComponent(new URL(request.url ?? '', 'http://x').pathname));
    if (!existsSync(path) || statSync(path).isDirectory() || path.includes('/wal/')) return void response.writeHead(404).end();
    const bytes = sending(path, readFileSync(path));
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    if (from === undefined || request.headers['x-no-ranges'] !== undefined) return void response.end(bytes);
    if (Number(from) >= bytes.length) return void response.writeHead(416).end();
    response.writeHead(206).end(bytes.subarray(Number(from), Number(to) + 1));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  // Reason: it listens on a port.
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
after(async () => {
  await new Promise((done) => server.close(done));
  rmSync(scratch, { recursive: true, force: true });
});

test('SHA-256 that is brought along is SHA-256', () => {
  // Reason: only the part of Web Crypto that is used.
  const { sha256 } = portableCrypto(crypto.subtle as unknown as Subtle);
  for (const length of [0, 1, 3, 55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 129, 1_000, 16_384]) {
    const bytes = randomBytes(length + 3).subarray(3);
    assert.equal(Buffer.from(sha256(bytes)).toString('hex'), createHash('sha256').update(bytes).digest('hex'), `${length} bytes`);
  }
});

test('the portable verifier says the same as the one of Node, of whole and of damaged logs', async () => {
  const portable = portableCrypto(crypto.subtle as unknown as Subtle);
  const agree = async (folder: string): Promise<string> => {
    const [first, second] = await Promise.all([nodeCrypto, portable].map((one) => verifyLedger(directorySource(folder), { crypto: one })));
    assert.deepEqual(second, first);
    return first?.status ?? '';
  };
  assert.equal(await agree(log), 'proven');
  const copy = join(scratch, 'damaged');
  cpSync(log, copy, { recursive: true });
  for (const path of ['checkpoint', 'checkpoints.log', 'tile/entries/001', 'tile/0/000', 'wal/000000000000.wal']) {
    const whole = readFileSync(join(copy, path));
    const damaged = Buffer.from(whole);
    damaged[Math.floor(damaged.length / 2)] = (damaged[Math.floor(damaged.length / 2)] ?? 0) ^ 1;
    writeFileSync(join(copy, path), damaged);
    assert.equal(await agree(copy), 'tampered', path);
    writeFileSync(join(copy, path), whole);
  }
});

test('a published log is verified over HTTP, with and without ranges, and a changed one is not proven', async () => {
  const options = { crypto: nodeCrypto, trust: [{ vkey }] };
  const local = await verifyLedger(directorySource(log), options);
  const over = (headers: Record<string, string>) =>
    verifyLedger(
      urlSource(url, (at, how) => fetch(at, { headers: { ...how.headers, ...headers } })),
      options,
    );
  for (const headers of [{}, { 'x-no-ranges': '1' }]) {
    const report = await over(headers);
    assert.deepEqual([report.status, report.root, report.checkpoints], ['proven', local.root, local.checkpoints]);
  }
  sending = (path, bytes) =>
    path.endsWith('tile/entries/001') ? Buffer.concat([bytes.subarray(0, 900), Buffer.from('x'), bytes.subarray(901)]) : bytes;
  const changed = await over({});
  assert.equal(changed.status, 'tampered');
  assert.ok(changed.findings.some(({ index }) => index !== undefined && index >= 256 && index < 512));
  sending = (_, bytes) => bytes;
});

test('the second verifier verifies a published log too, also a short one, and follows nobody to another server', {
  skip: !hasPython,
}, async () => {
  const python = (...args: string[]) => run('python3', [join(import.meta.dirname, 'verify.py'), ...args], scratch);
  for (const args of [[url], ['--url', url]]) {
    const { status, out } = await python(...args, '--key', vkey);
    assert.deepEqual([status, /PROVEN {2}size 6\d\d/.test(out)], [0, true], out);
  }
  sending = (path, bytes) =>
    path.endsWith('tile/entries/001') ? Buffer.concat([bytes.subarray(0, 900), Buffer.from('x'), bytes.subarray(901)]) : bytes;
  assert.equal((await python(url)).status, 1);
  // Twice the largest bundle and more.
  sending = (path, bytes) => (path.endsWith('tile/0/001') ? Buffer.alloc(9 * 1024 * 1024) : bytes);
  const large = await python(url);
  assert.deepEqual([large.status, /is larger than/.test(large.out)], [3, true], large.out);
  sending = (_, bytes) => bytes;
  const elsewhere = createServer((request, response) => response.writeHead(302, { location: `${url}${request.url ?? ''}` }).end());
  await new Promise<void>((listening) => elsewhere.listen(0, '127.0.0.1', listening));
  // Reason: it listens on a port.
  const led = await python(`http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`);
  await new Promise((done) => elsewhere.close(done));
  assert.deepEqual([led.status, /redirects to another server/.test(led.out)], [3, true], led.out);

  const whole = log;
  log = join(scratch, 'short');
  unpack(finishedLog(40, 22), log);
  const short = await verifyLedger(urlSource(url, fetch), { crypto: nodeCrypto });
  assert.deepEqual([short.status, (await python(url)).status], ['proven', 0], JSON.stringify(short.findings));
  log = whole;
});

test('a server that fails is neither proof nor tampering', async () => {
  let asked = 0;
  const failing = urlSource(url, async (at, how) => {
    asked += 1;
    return asked > 20 ? { status: 500, arrayBuffer: async () => new ArrayBuffer(0) } : fetch(at, how);
  });
  await assert.rejects(verifyLedger(failing, { crypto: nodeCrypto }), /was answered with status 500/);
  const nobody = urlSource('http://127.0.0.1:1', (at, how) => fetch(at, how));
  await assert.rejects(verifyLedger(nobody, { crypto: nodeCrypto }), /cannot be fetched/);
});

test('the command line verifies what is published under an address', async () => {
  const warder = (...args: string[]) => run(process.execPath, [join(root, 'src/main.ts'), 'ledger', 'verify', '--json', ...args], root);
  const whole = await warder('--url', url, '--key', vkey);
  assert.equal(whole.status, 0, whole.out);
  assert.deepEqual([JSON.parse(whole.out).ok, JSON.parse(whole.out).ledgers[0].pinned], [true, true]);
  const unpinned = await warder('--url', url);
  assert.equal(JSON.parse(unpinned.out).ledgers[0].pinned, false);
  assert.equal((await warder('--url', 'http://127.0.0.1:1/')).status, 3);
  assert.equal((await warder('--url', 'ftp://x')).status, 2);
});

/** Runs a command and waits; the server of this test must be able to answer meanwhile. */
function run(command: string, args: readonly string[], cwd: string): Promise<{ status: number | null; out: string }> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd });
    let out = '';
    child.stdout.on('data', (text: Buffer) => (out += text.toString()));
    child.stderr.on('data', (text: Buffer) => (out += text.toString()));
    child.on('close', (status) => resolve({ status, out }));
  });
}

/** The Node of the system, when it is one that the package is for; else ours. */
function strangersNode(): string {
  const { stdout } = spawnSync('/usr/bin/env', ['node', '--version'], { encoding: 'utf8' });
  return Number(/^v(\d+)\./.exec(stdout)?.[1] ?? 0) >= 20 ? 'node' : process.execPath;
}

test('packed, and installed where there is nothing else, the package verifies a folder, a URL and a proof', async () => {
  const [made, empty] = [join(scratch, 'made'), join(scratch, 'empty')];
  mkdirSync(empty);
  const build = await run(process.execPath, [join(root, 'scripts/verify-package.ts'), made], root);
  assert.equal(build.status, 0, build.out);
  assert.deepEqual(JSON.parse(readFileSync(join(made, 'package.json'), 'utf8')).dependencies, undefined);
  const packed = await run('npm', ['pack', '--silent', '--pack-destination', scratch], made);
  assert.equal(packed.status, 0, packed.out);
  const archive = readdirSync(scratch).find((name) => name.endsWith('.tgz')) ?? '';
  writeFileSync(join(empty, 'package.json'), '{"private":true,"type":"module"}');
  const installed = await run('npm', ['install', '--offline', '--no-audit', '--no-fund', '--silent', join(scratch, archive)], empty);
  assert.equal(installed.status, 0, installed.out);

  const node = strangersNode();
  const bin = join(empty, 'node_modules/@warder/verify/dist/bin.js');
  const verify = (...args: string[]) => run(node, [bin, ...args], empty);
  for (const place of [log, url]) {
    const { status, out } = await verify(place, '--key', vkey);
    assert.equal(status, 0, out);
    assert.match(out, /PROVEN {2}6\d\d records signed, 0 not yet; .*key known from before/);
  }
  const proof = await verify(log, '--prove', '300', '--key', vkey);
  writeFileSync(join(empty, 'one.tlog-proof'), proof.out);
  assert.equal((await verify('--proof', 'one.tlog-proof', '--key', vkey)).status, 0);
  writeFileSync(join(empty, 'one.tlog-proof'), proof.out.replace('index 300', 'index 301'));
  assert.equal((await verify('--proof', 'one.tlog-proof', '--key', vkey)).status, 1);
  sending = (path, bytes) => (path.endsWith('/checkpoint') ? Buffer.from(bytes.toString().replace('\n6', '\n7')) : bytes);
  assert.equal((await verify(url, '--key', vkey)).status, 1);
  sending = (_, bytes) => bytes;
  assert.equal((await verify(join(scratch, 'nothing'))).status, 3);
  assert.equal((await verify('http://127.0.0.1:1')).status, 3);

  // As a library, in a world that has nothing of Node: only what every browser has.
  writeFileSync(join(empty, 'browser.mjs'), browser);
  const inVm = await run(
    node,
    ['--experimental-vm-modules', 'browser.mjs', join(empty, 'node_modules/@warder/verify/dist'), url, vkey],
    empty,
  );
  assert.equal(inVm.status, 0, inVm.out);
  assert.match(inVm.out, /"status":"proven"/);
});

/** Loads the entry point of the package into an empty context and verifies over HTTP there. */
const browser = `
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import vm from 'node:vm';
const [folder, url, vkey] = process.argv.slice(2);
const context = vm.createContext({ TextDecoder, TextEncoder, crypto: { subtle: crypto.subtle }, fetch: (at, how) => fetch(at, how), Uint8Array, ArrayBuffer, DataView });
const loaded = new Map();
function load(path) {
  if (!path.startsWith(folder)) throw new Error(path + ' is not part of the package');
  if (!loaded.has(path)) loaded.set(path, new vm.SourceTextModule(readFileSync(path, 'utf8'), { context, identifier: path }));
  return loaded.get(path);
}
const link = (specifier, from) => {
  if (!specifier.startsWith('./')) throw new Error(from.identifier + ' imports ' + specifier);
  return load(join(dirname(from.identifier), specifier));
};
const entry = load(join(folder, 'index.js'));
await entry.link(link);
await entry.evaluate();
const { portableCrypto, urlSource, verifyLedger } = entry.namespace;
const report = await verifyLedger(urlSource(url, context.fetch), { crypto: portableCrypto(context.crypto.subtle), trust: [{ vkey }] });
console.log(JSON.stringify(report));
process.exitCode = report.status === 'proven' ? 0 : 1;
`;
