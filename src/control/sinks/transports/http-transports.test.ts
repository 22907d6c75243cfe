import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttps } from 'node:https';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fakeWorld } from '../../testing/fake-world.ts';
import type { Loose } from '../../testing/loose.ts';
import { privacyOf } from '../privacy.ts';
import type { Delivery, Transport } from '../sink.ts';
import { sampleFacts } from '../testing/facts.ts';
import type { Received, Receiver } from '../testing/receiver.ts';
import { answer, startReceiver } from '../testing/receiver.ts';
import { elasticsearchTransport } from './elasticsearch.ts';
import { otlpTransport } from './otlp.ts';
import { s3Transport, signed } from './s3.ts';
import { splunkTransport } from './splunk-hec.ts';
import { webhookTransport } from './webhook.ts';

const events = sampleFacts().map(privacyOf({}, new Uint8Array(32)));
const never = new AbortController().signal;
const world = fakeWorld();
const secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
let receiver: Receiver;

before(async () => {
  receiver = await startReceiver(answer(200));
});

after(() => receiver.stop());

async function deliver(
  transport: Transport,
  ...answers: Receiver['answers']
): Promise<{ delivery: Delivery; requests: readonly Received[] }> {
  receiver.received.length = 0;
  receiver.answers = answers;
  const delivery = await transport.deliver(events, never);
  return { delivery, requests: [...receiver.received] };
}

const webhook = (url = receiver.url): Transport => webhookTransport({ url, secret: () => secret, format: 'ocsf' }, world);

test('a webhook gets a batch of CloudEvents whose signature it can check', async () => {
  const { delivery, requests } = await deliver(webhook(), answer(204, ''));
  assert.deepEqual(delivery, { kind: 'taken' });
  const [{ headers, body }] = requests as [Received];
  assert.equal(headers['content-type'], 'application/cloudevents-batch+json; charset=utf-8');
  const signedText = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body.toString('utf8')}`;
  assert.equal(headers['webhook-signature'], `v1,${createHmac('sha256', Buffer.alloc(24, 7)).update(signedText).digest('base64')}`);
  const batch = JSON.parse(body.toString('utf8'));
  assert.equal(batch.length, events.length);
  for (const event of batch) {
    // SPEC: CloudEvents 1.0.2: required attributes, and names of lower case letters and digits.
    for (const name of ['specversion', 'id', 'source', 'type']) assert.ok(event[name]?.length > 0, name);
    for (const name of Object.keys(event)) assert.match(name, /^[a-z0-9]+$/);
    assert.equal(event.data.metadata.uid, event.dedupekey);
  }
  assert.equal(new Set(batch.map((event: Loose) => `${event.source} ${event.id}`)).size, batch.length);
  assert.deepEqual(batch.filter((event: Loose) => event.duplicate === 'possible').length, 1);
});

test('only 2xx is an acknowledgement; what the receiver refused has not arrived, what it stumbled over may have', async () => {
  const results: [number, Delivery][] = [];
  for (const status of [301, 400, 401, 404, 413, 429, 500, 502, 503]) {
    results.push([status, (await deliver(webhook(), answer(status, { location: 'x' }))).delivery]);
  }
  assert.deepEqual(
    results.map(([status, result]) => [
      status,
      result.kind === 'failed' ? result.arrived : 'taken',
      result.kind === 'failed' && result.smaller === true,
    ]),
    [
      [301, 'nothing', false],
      [400, 'nothing', true],
      [401, 'nothing', false],
      [404, 'nothing', false],
      [413, 'nothing', true],
      [429, 'nothing', false],
      [500, 'unknown', false],
      [502, 'unknown', false],
      [503, 'nothing', false],
    ],
  );
});

test('a receiver that hangs up, answers half, or is not there is told apart', async () => {
  const hangsUp = await deliver(webhook(), (_request, response) => response.destroy());
  assert.deepEqual([hangsUp.delivery.kind === 'failed' && hangsUp.delivery.arrived], ['unknown']);
  const half = await deliver(webhook(), (_request, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('{', () => response.destroy());
  });
  assert.deepEqual([half.delivery.kind === 'failed' && half.delivery.arrived], ['unknown']);
  const gone = await startReceiver(answer(200));
  await gone.stop();
  const refused = await webhook(gone.url).deliver(events, never);
  assert.deepEqual([refused.kind === 'failed' && refused.arrived], ['nothing']);
});

test('a receiver that never answers is left when time is up', async () => {
  const late = new AbortController();
  receiver.answers = [() => late.abort(new Error('time is up'))];
  assert.deepEqual(await webhook().deliver(events, late.signal), { kind: 'failed', why: 'time is up', arrived: 'unknown' });
});

test('a receiver that takes no TLS where TLS is wanted has got nothing', async () => {
  const plain = createServer((socket) => {
    socket.on('error', () => undefined).resume();
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  });
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
  // Reason: it listens on an address.
  const url = new URL(`https://127.0.0.1:${(plain.address() as AddressInfo).port}/`);
  const result = await webhook(url).deliver(events, never);
  assert.deepEqual([result.kind === 'failed' && result.arrived], ['nothing']);
  await new Promise((resolve) => plain.close(resolve));
});

test('a receiver whose certificate is not to be trusted has got nothing; the right authority makes it trusted', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'warder-https-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const made = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    '-keyout',
    key,
    '-out',
    cert,
  ];
  spawnSync('openssl', [...made, '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'], { stdio: 'ignore' });
  let requests = 0;
  const server = createHttps({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) => {
    requests += 1;
    request.resume().on('end', () => response.writeHead(204).end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // Reason: it listens on an address.
  const { port } = server.address() as AddressInfo;
  const to = (host: string, ca?: string): Transport =>
    webhookTransport({ url: new URL(`https://${host}:${port}/`), secret: () => secret, format: 'ocsf', ca }, world);
  const ca = readFileSync(cert, 'utf8');
  for (const transport of [to('localhost'), to('127.0.0.1', ca)]) {
    const refused = await transport.deliver(events, never);
    assert.deepEqual([refused.kind === 'failed' && refused.arrived], ['nothing']);
  }
  assert.equal(requests, 0, 'unknown authority, other name');
  assert.deepEqual(await to('localhost', ca).deliver(events, never), { kind: 'taken' });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

test('a pause that a receiver asks for is read, in seconds and as a date; nonsense is not', async () => {
  const asks = async (status: number, headers: Record<string, string>): Promise<unknown> => {
    const { delivery } = await deliver(webhook(), (_request, response) => void response.writeHead(status, headers).end());
    return delivery.kind === 'failed' ? delivery.retryAfterMs : 'taken';
  };
  assert.equal(await asks(429, { 'retry-after': '7' }), 7_000);
  assert.equal(await asks(503, { date: 'Fri, 20 Nov 2026 10:00:00 GMT', 'retry-after': 'Fri, 20 Nov 2026 10:01:00 GMT' }), 60_000);
  assert.equal(await asks(503, { date: 'Fri, 20 Nov 2026 10:00:00 GMT', 'retry-after': 'Fri, 20 Nov 2026 09:00:00 GMT' }), 0);
  assert.equal(await asks(500, { 'retry-after': 'soon' }), undefined);
  assert.equal(await asks(429, {}), undefined);
});

const splunk = (acknowledge = false): Transport =>
  splunkTransport({ url: receiver.url, token: () => 'tok', index: 'sec', sourcetype: 'warder', acknowledge, format: 'ocsf' }, world);

test('Splunk gets events one after another, with its token', async () => {
  const { delivery, requests } = await deliver(splunk(), answer(200, { text: 'Success', code: 0 }));
  assert.deepEqual(delivery, { kind: 'taken' });
  const [{ path, headers, body }] = requests as [Received];
  assert.deepEqual([path, headers.authorization], ['/services/collector/event', 'Splunk tok']);
  const first = JSON.parse(
    body.toString('utf8').split('}{')[0] === undefined ? '' : `[${body.toString('utf8').replaceAll('}{"time"', '},{"time"')}]`,
  )[0];
  assert.deepEqual([first.time, first.sourcetype, first.index, first.fields.warder_key], [1, 'warder', 'sec', events[0]?.key]);
});

test('Splunk counts as having taken events only when it says so, and with acknowledgement only when they are indexed', async () => {
  assert.equal((await deliver(splunk(), answer(200, { text: 'Server is busy', code: 9 }))).delivery.kind, 'failed');
  const invalid = await deliver(splunk(), answer(400, { text: 'Invalid data format', code: 6, 'invalid-event-number': 2 }));
  assert.deepEqual(invalid.delivery, { kind: 'failed', why: 'Splunk answered: Invalid data format', arrived: 'unknown', smaller: true });
  const waits: Receiver['answers'] = [
    answer(200, { text: 'Success', code: 0, ackId: 7 }),
    (_request, response) => {
      answer(200, { acks: { '7': false } })(_request, response);
      response.on('finish', () => setImmediate(tick));
    },
    answer(200, { acks: { '7': true } }),
  ];
  // The pause between two questions begins a little after the answer to the first.
  const tick = (): void => {
    if (receiver.received.length >= 3) return;
    world.advance(1_000);
    setImmediate(tick);
  };
  const { delivery, requests } = await deliver(splunk(true), ...waits);
  assert.deepEqual(delivery, { kind: 'taken' });
  assert.deepEqual(
    requests.map((one) => one.path.split('?')[0]),
    ['/services/collector/event', '/services/collector/ack', '/services/collector/ack'],
  );
  assert.deepEqual(JSON.parse(requests[1]?.body.toString() ?? ''), { acks: [7] });
  assert.match(
    String(requests[0]?.headers['x-splunk-request-channel']),
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  assert.equal((await deliver(splunk(true), answer(200, { text: 'Success', code: 0 }))).delivery.kind, 'failed');
});

const elastic = (): Transport => elasticsearchTransport({ url: receiver.url, index: 'warder-audit', apiKey: () => 'key', format: 'ocsf' });
const items = (...statuses: number[]): unknown => ({
  errors: statuses.some((status) => status > 299),
  items: statuses.map((status) => ({ create: { status, ...(status > 299 ? { error: { type: 'reason' } } : {}) } })),
});
const every = (status: number): number[] => events.map(() => status);

test('Elasticsearch gets documents that are only created, under the leaf of their entry', async () => {
  const { delivery, requests } = await deliver(elastic(), answer(200, items(...every(201))));
  assert.deepEqual(delivery, { kind: 'taken' });
  const [{ path, headers, body }] = requests as [Received];
  assert.deepEqual([path, headers.authorization, headers['content-type']], ['/warder-audit/_bulk', 'ApiKey key', 'application/x-ndjson']);
  assert.ok(body.toString('utf8').endsWith('\n'));
  const lines = body
    .toString('utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(lines.length, events.length * 2);
  assert.deepEqual(lines[0], { create: { _id: events[0]?.leaf } });
  assert.equal(lines[1]['@timestamp'], '1970-01-01T00:00:01.000Z');
});

test('Elasticsearch says for each document whether it took it; one that was there before is as good', async () => {
  assert.equal((await deliver(elastic(), answer(200, items(...every(409))))).delivery.kind, 'taken');
  const busy = (await deliver(elastic(), answer(200, items(...every(429))))).delivery;
  assert.deepEqual([busy.kind === 'failed' && busy.arrived, busy.kind === 'failed' && busy.smaller], ['nothing', undefined]);
  const one = (await deliver(elastic(), answer(200, items(...every(201).slice(1), 400)))).delivery;
  assert.deepEqual([one.kind === 'failed' && one.arrived, one.kind === 'failed' && one.smaller], ['unknown', true]);
  for (const body of [{}, 'not json', items(201), { errors: false, items: [] }]) {
    assert.equal((await deliver(elastic(), answer(200, body))).delivery.kind, 'failed');
  }
});

const otlp = (): Transport => otlpTransport({ url: new URL('/v1/logs', receiver.url), token: () => 'tok' }, world);

/** SPEC: opentelemetry-proto, logs.proto in its JSON form: the only members there may be. */
function checkValue(value: Loose): void {
  const [kind, ...more] = Object.keys(value);
  assert.equal(more.length, 0);
  if (kind === 'intValue') assert.match(value.intValue, /^-?\d+$/);
  else if (kind === 'arrayValue') value.arrayValue.values.forEach(checkValue);
  else if (kind === 'kvlistValue') value.kvlistValue.values.forEach((one: Loose) => checkValue(one.value));
  else assert.ok(['stringValue', 'boolValue', 'doubleValue'].includes(kind ?? ''), kind);
}

test('an OpenTelemetry collector gets log records in the JSON form of the protocol', async () => {
  const { delivery, requests } = await deliver(otlp(), answer(200, { partialSuccess: {} }));
  assert.deepEqual(delivery, { kind: 'taken' });
  const [{ path, headers, body }] = requests as [Received];
  assert.deepEqual([path, headers['content-type'], headers.authorization], ['/v1/logs', 'application/json', 'Bearer tok']);
  const { resourceLogs } = JSON.parse(body.toString('utf8'));
  const records = resourceLogs.flatMap((one: Loose) => one.scopeLogs.flatMap((scope: Loose) => scope.logRecords));
  assert.equal(records.length, events.length);
  for (const record of records) {
    const known = ['timeUnixNano', 'observedTimeUnixNano', 'severityNumber', 'severityText', 'eventName', 'body', 'attributes'];
    assert.deepEqual(
      Object.keys(record).filter((name) => !known.includes(name)),
      [],
    );
    assert.match(record.timeUnixNano, /^\d+$/);
    assert.ok(record.severityNumber >= 1 && record.severityNumber <= 24);
    checkValue(record.body);
    record.attributes.forEach((one: Loose) => checkValue(one.value));
  }
});

test('log records that a collector refused in part are not delivered', async () => {
  const partial = (await deliver(otlp(), answer(200, { partialSuccess: { rejectedLogRecords: '1', errorMessage: 'x' } }))).delivery;
  assert.deepEqual([partial.kind === 'failed' && partial.arrived], ['unknown']);
});

test('an object store gets one object for each batch, signed', async () => {
  const keys = { accessKeyId: () => 'AKIDEXAMPLE', secretAccessKey: () => 'wJalr' };
  const s3 = s3Transport({ endpoint: receiver.url, region: 'eu-central-1', bucket: 'audit', prefix: 'w/', ...keys, format: 'ocsf' }, world);
  const { delivery, requests } = await deliver(s3, answer(200, ''));
  assert.deepEqual(delivery, { kind: 'taken' });
  const [{ method, path, headers, body }] = requests as [Received];
  assert.equal(method, 'PUT');
  assert.match(path, /^\/audit\/w\/ledger\.local\/gateway-1\/1970-01-01\/000000000000-\d{12}-[0-9a-f]{16}\.jsonl$/);
  assert.equal(headers['x-amz-content-sha256'], createHash('sha256').update(body).digest('hex'));
  assert.match(String(headers.authorization), /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/20231114\/eu-central-1\/s3\/aws4_request, /);
  assert.equal(body.toString('utf8').trimEnd().split('\n').length, events.length);
});

test('the signature is the one of the example in the documentation of S3', () => {
  // SPEC: Amazon S3 API reference, "Signature calculations for the Authorization header", example PUT Object.
  const keys = { accessKeyId: () => 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: () => 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };
  const headers = signed(
    {
      method: 'PUT',
      url: new URL('https://examplebucket.s3.amazonaws.com/test%24file.text'),
      body: Buffer.from('Welcome to Amazon S3.'),
      headers: { date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' },
    },
    { region: 'us-east-1', ...keys },
    Date.UTC(2013, 4, 24),
  );
  assert.match(headers['authorization'] ?? '', /Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd$/);
});

test('no secret stands in a message about a failure', async () => {
  const failures: string[] = [];
  for (const transport of [webhook(), splunk(), elastic(), otlp()]) {
    const { delivery } = await deliver(transport, answer(401, { text: 'tok key whsec' }));
    if (delivery.kind === 'failed') failures.push(delivery.why);
  }
  assert.equal(failures.length, 4);
  assert.ok(
    failures.every((why) => !/tok|key|whsec/.test(why)),
    failures.join('\n'),
  );
});
