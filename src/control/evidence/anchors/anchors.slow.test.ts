import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { readLedgerSettings, realWorld } from '#host';
import { openLedger, type Ledger } from '#ledger';
import type { Fault, RecordDraft, Timer, World } from '#model';
import { signed } from '../../sinks/transports/s3.ts';
import { collectingLog } from '../../testing/installation.ts';
import { Anchor, type AnchorPlace } from './anchor.ts';
import { fileAnchor } from './file-anchor.ts';
import { s3Anchor } from './s3-anchor.ts';
import { timeStampAnchor } from './time-stamp-anchor.ts';
import { openTimeStamp, timeStampRequest } from './time-stamp.ts';

const openssl = spawnSync('openssl', ['version']).status === 0;
const skip = openssl ? false : 'openssl is not installed';
const origin = 'ledger.test/anchored';

let scratch = '';
let server: Server;
let url = '';
let answer: (request: IncomingMessage, body: Buffer) => { status: number; body: Buffer | string };
before(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'warder-anchors-'));
  server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const { status, body } = answer(request, Buffer.concat(parts));
      response.writeHead(status).end(body);
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  // Reason: it listens on a port.
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(async () => {
  await new Promise((done) => server.close(done));
  rmSync(scratch, { recursive: true, force: true });
});

/** A bucket with Object Lock that takes nothing that the real one would not take. */
class Bucket {
  readonly objects = new Map<string, { body: string; until: string; mode: string }>();
  readonly keys = { region: 'eu-test-1', accessKeyId: () => 'AKIATEST', secretAccessKey: () => 'the secret of the test' };

  answer({ method = '', url: target = '', headers }: IncomingMessage, body: Buffer): { status: number; body: string } {
    const at = new URL(target, url);
    const stamp = String(headers['x-amz-date']);
    const now = Date.parse(stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
    const [, names = ''] = /SignedHeaders=([^,]+),/.exec(headers.authorization ?? '') ?? [];
    const own = names
      .split(';')
      .filter((name) => !['host', 'x-amz-content-sha256', 'x-amz-date'].includes(name))
      .map((name) => [name, String(headers[name])]);
    const expected = signed({ method, url: at, body, headers: Object.fromEntries(own) }, this.keys, now);
    if (expected['authorization'] !== headers.authorization)
      return { status: 403, body: '<Error><Code>SignatureDoesNotMatch</Code></Error>' };
    const [, bucket, ...rest] = decodeURIComponent(at.pathname).split('/');
    const key = rest.join('/');
    if (bucket !== 'evidence') return { status: 404, body: '<Error><Code>NoSuchBucket</Code></Error>' };
    if (method === 'GET' && key === '') return this.#list(at);
    if (method === 'GET') {
      const found = this.objects.get(key);
      return found === undefined ? { status: 404, body: '<Error><Code>NoSuchKey</Code></Error>' } : { status: 200, body: found.body };
    }
    const [mode, until] = [headers['x-amz-object-lock-mode'], headers['x-amz-object-lock-retain-until-date']].map(String);
    // SPEC: PutObject with Object Lock needs a Content-MD5 or a checksum.
    if (headers['content-md5'] !== createHash('md5').update(body).digest('base64'))
      return { status: 400, body: '<Error><Code>InvalidRequest</Code></Error>' };
    if (mode !== 'COMPLIANCE' || !(Date.parse(until ?? '') > now))
      return { status: 400, body: '<Error><Code>InvalidArgument</Code></Error>' };
    this.objects.set(key, { body: body.toString('utf8'), until: until ?? '', mode });
    return { status: 200, body: '' };
  }

  #list(at: URL): { status: number; body: string } {
    assert.equal(at.searchParams.get('list-type'), '2');
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(at.searchParams.get('prefix') ?? '')).sort();
    const shown = keys.slice(0, Number(at.searchParams.get('max-keys')));
    return {
      status: 200,
      body: `<ListBucketResult>${shown.map((key) => `<Contents><Key>${key}</Key></Contents>`).join('')}</ListBucketResult>`,
    };
  }
}

let bucket: Bucket;
beforeEach(() => {
  bucket = new Bucket();
  answer = (request, body) => bucket.answer(request, body);
});

function s3(secretAccessKey = 'the secret of the test'): AnchorPlace {
  writeFileSync(join(scratch, 'id'), 'AKIATEST\n');
  writeFileSync(join(scratch, 'secret'), `${secretAccessKey}\n`);
  const path = join(scratch, 'ledger.yaml');
  const yaml = [
    'anchors:',
    `  - s3: { endpoint: "${url}", region: eu-test-1, bucket: evidence, accessKeyId: "file:${scratch}/id", secretAccessKey: "file:${scratch}/secret", retainDays: 30 }`,
  ];
  writeFileSync(path, yaml.join('\n'));
  const [settings] = readLedgerSettings(path).anchors;
  assert.ok(settings !== undefined && 's3' in settings);
  return s3Anchor(settings.s3, realWorld);
}

const note = (size: number): string => `${origin}\n${size}\nc29qenRpaXdYWnVBN3ppbnRrUEZ1Mm5rb2hNYjFudG4=\n\n\u2014 ${origin} AAAA\n`;

test('checkpoints are kept as locked objects, signed, and the newest is found first', async () => {
  const place = s3();
  assert.equal(await place.last(origin), undefined);
  for (const size of [9, 10, 200_000, 99_999]) await place.keep(note(size));
  assert.equal(await place.last(origin), note(200_000));
  assert.equal(await place.last('ledger.test/other'), undefined);
  const [object] = [...bucket.objects.values()];
  assert.equal(object?.mode, 'COMPLIANCE');
  const days = (Date.parse(object?.until ?? '') - Date.now()) / 86_400_000;
  assert.ok(days > 29.9 && days < 30.1, `${days} days`);
  // The same again, as after an answer that was lost.
  await place.keep(note(10));
  assert.equal(bucket.objects.size, 4);
});

test('a store that refuses is a failure that names its reason and no secret', async () => {
  await assert.rejects(s3('another secret').keep(note(1)), ({ message }: Error) => {
    assert.match(message, /403 SignatureDoesNotMatch/);
    return !message.includes('secret');
  });
  answer = () => ({ status: 503, body: '' });
  await assert.rejects(s3().last(origin), /503/);
});

/** An authority with a certificate for time stamping, and one that nobody knows. */
function authority(name: string): { folder: string; ca: string; reply: (request: Buffer) => Buffer } {
  const folder = join(scratch, name);
  mkdirSync(folder);
  const run = (...args: string[]): void => {
    const { status, stderr } = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' });
    assert.equal(status, 0, `${args.join(' ')}\n${stderr}`);
  };
  writeFileSync(
    join(folder, 'tsa.cnf'),
    [
      '[tsa_ext]\nextendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature',
      '[tsa]\ndefault_tsa=tsa1\n[tsa1]\nserial=./serial\nsigner_cert=./tsa.pem\nsigner_key=./tsa.key\ncerts=./ca.pem\nsigner_digest=sha256',
      'default_policy=1.2.3.4.1\ndigests=sha256\naccuracy=secs:1\nordering=no\ntsa_name=yes\ness_cert_id_chain=no\ness_cert_id_alg=sha256\n',
    ].join('\n'),
  );
  writeFileSync(join(folder, 'serial'), '01\n');
  run('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '30', '-subj', `/CN=${name} CA`);
  run('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'tsa.key', '-out', 'tsa.csr', '-subj', `/CN=${name} TSA`);
  run(
    'x509',
    '-req',
    '-in',
    'tsa.csr',
    '-CA',
    'ca.pem',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-out',
    'tsa.pem',
    '-days',
    '30',
    '-extfile',
    'tsa.cnf',
    '-extensions',
    'tsa_ext',
  );
  return {
    folder,
    ca: join(folder, 'ca.pem'),
    reply: (request) => {
      writeFileSync(join(folder, 'request.tsq'), request);
      run('ts', '-reply', '-config', 'tsa.cnf', '-section', 'tsa1', '-queryfile', 'request.tsq', '-out', 'reply.tsr');
      return readFileSync(join(folder, 'reply.tsr'));
    },
  };
}

test('a real time stamper dates a checkpoint, and openssl accepts what was kept', { skip }, async () => {
  const tsa = authority('known');
  answer = ({ headers }, body) => {
    assert.equal(headers['content-type'], 'application/timestamp-query');
    return { status: 200, body: tsa.reply(body) };
  };
  const folder = join(scratch, 'tokens');
  const place = timeStampAnchor({ url, folder, ca: tsa.ca, everyMinutes: 60 }, realWorld);
  assert.equal(await place.last(origin), undefined);
  await place.keep(note(7));
  await place.keep(note(12));
  assert.equal(await place.last(origin), note(12));
  assert.equal(await place.last('ledger.test'), undefined);
  const [token, kept] = ['tsr', 'checkpoint'].map((end) => join(folder, `ledger.test_anchored-12.${end}`));
  const check = spawnSync('openssl', ['ts', '-verify', '-in', token ?? '', '-data', kept ?? '', '-CAfile', tsa.ca], { encoding: 'utf8' });
  assert.match(check.stdout + check.stderr, /Verification: OK/);
  // A token that was changed, or put beside another checkpoint, is no anchor.
  writeFileSync(kept ?? '', note(13));
  await assert.rejects(place.last(origin), /over something else/);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.endsWith('.tmp')),
    [],
  );
});

test('every changed byte of a time stamp is noticed or changes nothing that it says', { skip }, () => {
  const tsa = authority('bytes');
  const bytes = Buffer.from(note(3));
  const nonce = Buffer.from('80a1b2c3d4e5f607', 'hex');
  const authorities = [new X509Certificate(readFileSync(tsa.ca))];
  const token = tsa.reply(timeStampRequest(bytes, nonce));
  const whole = openTimeStamp(token, { bytes, nonce, authorities });
  assert.ok(Math.abs(whole.time - Date.now()) < 60_000);
  assert.match(whole.by, /bytes TSA/);
  let accepted = 0;
  for (let at = 0; at < token.length; at += 1) {
    const changed = Buffer.from(token);
    changed[at] = (changed[at] ?? 0) ^ 0x04;
    try {
      assert.deepEqual(openTimeStamp(changed, { bytes, nonce, authorities }), whole, `byte ${at}`);
      accepted += 1;
    } catch (error) {
      // What is not a certificate any more is said by the platform.
      assert.ok(error instanceof Error && !(error instanceof assert.AssertionError), `byte ${at}: ${String(error)}`);
    }
  }
  // The copy of the authority's own certificate, and names of algorithms beside it, are not signed and not used.
  assert.ok(accepted < token.length * 0.6, `${accepted} of ${token.length} bytes could be changed`);
});

test('time stamps over other bytes, for another question, by a stranger or refused are not accepted', { skip }, () => {
  const [tsa, stranger] = [authority('right'), authority('stranger')];
  const bytes = Buffer.from(note(3));
  const nonce = Buffer.from('0102030405060708', 'hex');
  const authorities = [new X509Certificate(readFileSync(tsa.ca))];
  const token = tsa.reply(timeStampRequest(bytes, nonce));
  const open =
    (answered: Buffer, more: object = {}) =>
    () =>
      openTimeStamp(answered, { bytes, nonce, authorities, ...more });
  assert.throws(open(token, { bytes: Buffer.from(note(4)) }), /over something else/);
  assert.throws(open(token, { nonce: Buffer.from('1102030405060708', 'hex') }), /another question/);
  assert.throws(open(stranger.reply(timeStampRequest(bytes, nonce))), /not issued by an authority/);
  assert.throws(open(Buffer.from('30053003020102', 'hex')), /did not grant/);
  assert.throws(open(Buffer.from('3006', 'hex')), /did not grant/);
  assert.throws(open(Buffer.alloc(0)), /did not grant/);
  // A certificate of the same authority that is for something else.
  const plain = spawnSync(
    'openssl',
    [
      'ts',
      '-reply',
      '-config',
      'tsa.cnf',
      '-section',
      'tsa1',
      '-queryfile',
      'request.tsq',
      '-signer',
      'ca.pem',
      '-inkey',
      'ca.key',
      '-out',
      'bad.tsr',
    ],
    { cwd: tsa.folder },
  );
  assert.notEqual(plain.status, 0, 'openssl itself refuses to sign with it');
});

/** A world whose timers fire when the test says so. */
function handWorld(): { world: World; fire: () => Promise<void> } {
  const timers: (() => void)[] = [];
  const timed = (_: number, run: () => void): Timer => {
    timers.push(run);
    return { cancel: () => void timers.splice(timers.indexOf(run), 1) };
  };
  return {
    world: { ...realWorld, after: timed },
    fire: async () => {
      for (const run of timers.splice(0)) run();
      await new Promise(setImmediate);
    },
  };
}

async function smallLedger(name: string): Promise<Ledger> {
  const onFatal = (fault: Error): never => assert.fail(fault);
  return openLedger({
    directory: join(scratch, name),
    keys: join(scratch, `${name}-keys`),
    origin,
    world: realWorld,
    build: 'test',
    inline: true,
    reserveBytes: 0,
    onFatal,
  });
}

test('an anchor that cannot be reached is an alarm, and what it has is compared as soon as it can', async () => {
  const ledger = await smallLedger('unreachable');
  const { world, fire } = handWorld();
  const rollbacks: Fault[] = [];
  let down = true;
  const kept: string[] = [];
  const place: AnchorPlace = {
    name: 'far away',
    everyMs: 60_000,
    last: async () => (down ? Promise.reject(new Error('no route')) : kept.at(-1)),
    keep: async (text) => void kept.push(text),
  };
  const records: RecordDraft[] = [];
  const told: Ledger = Object.create(ledger, {
    append: { value: async (draft: RecordDraft) => void records.push(draft) },
    checkpoint: { get: () => ledger.checkpoint },
    onSigned: { value: () => () => undefined },
    size: { get: () => ledger.size },
    vkey: { get: () => ledger.vkey },
    origin: { get: () => ledger.origin },
  });
  const anchor = new Anchor({ place, world, log: collectingLog(), onRollback: (fault) => rollbacks.push(fault) });
  await anchor.confirm({ origin, vkey: ledger.vkey, size: ledger.size });
  const following = anchor.follow(told);
  await fire();
  assert.deepEqual(kept, []);
  assert.deepEqual(
    records.map((one) => 'alarm' in one && [one.kind, one.alarm]),
    [['alarm.raised', 'ledger.anchor']],
  );
  down = false;
  for (let tries = 0; tries < 50 && kept.length === 0; tries += 1) await fire();
  assert.deepEqual(kept, [ledger.checkpoint]);
  assert.equal(records.at(-1)?.kind, 'alarm.cleared');
  await following.stop();

  // The same log, put back to an older state: it is found when the anchor answers again.
  const larger = await smallLedger('unreachable-2');
  await larger.close();
  const old = { origin, vkey: ledger.vkey, size: 0 };
  await assert.rejects(new Anchor({ place, world, log: collectingLog(), onRollback: () => undefined }).confirm(old), {
    code: 'LEDGER_ROLLBACK',
  });
  down = true;
  const late = new Anchor({ place, world, log: collectingLog(), onRollback: (fault) => rollbacks.push(fault) });
  await late.confirm(old);
  down = false;
  const shorter: Ledger = Object.create(told, { size: { get: () => 0 } });
  const again = late.follow(shorter);
  for (let tries = 0; tries < 50 && rollbacks.length === 0; tries += 1) await fire();
  assert.equal(rollbacks[0]?.code, 'LEDGER_ROLLBACK');
  await again.stop();
  await ledger.close();
});

test('the file of an anchor may hold several logs, and a line that a crash left unfinished', async () => {
  const path = join(scratch, 'far', 'anchor');
  const place = fileAnchor(path);
  assert.equal(await place.last(origin), undefined);
  await place.keep(note(5));
  await place.keep(note(6).replaceAll(origin, 'ledger.test/other'));
  writeFileSync(path, '"half', { flag: 'a' });
  assert.equal(await place.last(origin), note(5));
  await place.keep(note(8));
  assert.equal(await place.last(origin), note(8));
  assert.ok(existsSync(path));
});
