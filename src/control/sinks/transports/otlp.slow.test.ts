import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { test } from 'node:test';
import type { Loose } from '../../testing/loose.ts';
import { fakeWorld } from '../../testing/fake-world.ts';
import { privacyOf } from '../privacy.ts';
import { sampleFacts } from '../testing/facts.ts';
import { receiverPackages } from '../testing/object-store.ts';
import { otlpTransport } from './otlp.ts';

const receivers = receiverPackages();
const skip = receivers.without ?? false;
const never = new AbortController().signal;
const world = fakeWorld();
const events = sampleFacts().map(
  privacyOf({ reads: 'keep', groups: 'keep', client: 'keep', comment: 'keep', claimed: 'keep' }, new Uint8Array(32)),
);

/** A message of the protocol, as the code that OpenTelemetry generates from its definitions knows it. */
interface Message {
  fromObject(json: unknown): unknown;
  encode(message: unknown): { finish(): Uint8Array };
  decode(bytes: Uint8Array): unknown;
  toObject(message: unknown, options: object): Loose;
}

/** What OpenTelemetry's definitions make of a request: whatever they do not know is not in it. */
function understood(request: unknown): Loose {
  const load = createRequire(join(receivers.folder ?? '', 'package.json'));
  const root = load('@opentelemetry/otlp-transformer/build/src/generated/root.js') as Loose;
  const message = root.opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest as Message;
  return message.toObject(message.decode(message.encode(message.fromObject(request)).finish()), { longs: String, enums: Number });
}

/** What a value of the protocol stands for. */
function plain(value: Loose): unknown {
  if (value.intValue !== undefined) return Number(value.intValue);
  if (value.arrayValue !== undefined) return (value.arrayValue.values ?? []).map(plain);
  if (value.kvlistValue !== undefined) return attributes(value.kvlistValue.values ?? []);
  return value.stringValue ?? value.boolValue ?? value.doubleValue ?? '';
}

function attributes(list: readonly Loose[]): Record<string, unknown> {
  return Object.fromEntries(list.map(({ key, value }) => [key, plain(value)]));
}

/** The request that a batch becomes. */
async function requested(): Promise<Loose> {
  const requests: unknown[] = [];
  const server = createServer((request, response) => {
    void json(request).then((one) => {
      requests.push(one);
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"partialSuccess":{}}');
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    // Reason: it listens on a port.
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/logs`);
    assert.deepEqual(await otlpTransport({ url }, world).deliver(events, never), { kind: 'taken' });
    assert.equal(requests.length, 1);
    return requests[0] as Loose;
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

test("nothing of a request is unknown to OpenTelemetry's own definitions", { skip }, async () => {
  const request = await requested();
  // A list without elements and no list are the same to the protocol.
  const written: unknown = JSON.parse(
    JSON.stringify(request, (name, value) => (name === 'values' && value.length === 0 ? undefined : value)),
  );
  assert.deepEqual(understood(request), written);
});

test("OpenTelemetry's own definitions find every fact of every record", { skip }, async () => {
  const { resourceLogs } = understood(await requested());
  const found = resourceLogs.flatMap(({ resource, scopeLogs }: Loose) =>
    scopeLogs.flatMap(({ scope, logRecords }: Loose) => logRecords.map((record: Loose) => ({ resource, scope, record }))),
  );
  assert.equal(found.length, events.length);
  found.forEach(({ resource, scope, record }: Loose, at: number) => {
    const { t, origin, i, ...rest } = JSON.parse(JSON.stringify(events[at])) as Loose;
    assert.deepEqual(attributes(resource.attributes), { 'service.name': 'warder', 'service.instance.id': origin });
    assert.equal(scope.name, 'warder.ledger');
    assert.equal(record.timeUnixNano, `${t}000000`);
    assert.equal(record.observedTimeUnixNano, `${world.now()}000000`);
    assert.equal(record.eventName, `warder.${rest.kind}`);
    assert.ok(plain(record.body) !== '');
    const { 'log.record.uid': uid, ...said } = attributes(record.attributes);
    assert.equal(uid, `${origin}#${i}`);
    const expected = Object.entries(rest).map(([name, value]) => [
      `warder.${name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`,
      value,
    ]);
    assert.deepEqual(said, Object.fromEntries(expected));
  });
});
