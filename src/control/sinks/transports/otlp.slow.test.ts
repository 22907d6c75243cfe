import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Loose } from '../../testing/loose.ts';
import { fakeWorld } from '../../testing/fake-world.ts';
import { privacyOf } from '../privacy.ts';
import { sampleFacts } from '../testing/facts.ts';
import type { Collector } from '../testing/otlp-collector.ts';
import { collector, startCollector } from '../testing/otlp-collector.ts';
import { otlpTransport } from './otlp.ts';

const skip = collector.without ?? false;
const never = new AbortController().signal;
const world = fakeWorld();
const events = sampleFacts().map(
  privacyOf({ reads: 'keep', groups: 'keep', client: 'keep', comment: 'keep', claimed: 'keep' }, new Uint8Array(32)),
);
let folder = '';

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'warder-otlp-sink-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

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

async function withCollector(options: Parameters<typeof startCollector>[0], action: (one: Collector) => Promise<void>): Promise<void> {
  const one = await startCollector(options);
  try {
    await action(one);
  } finally {
    await one.stop();
  }
}

test('the OpenTelemetry Collector understands every fact of every record', { skip }, () =>
  withCollector({}, async (one) => {
    assert.deepEqual(await otlpTransport({ url: one.url }, world).deliver(events, never), { kind: 'taken' });
    const records = one.records();
    assert.equal(records.length, events.length);
    records.forEach(({ resource, scope, record }, at) => {
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
  }),
);

test('the collector takes a batch as large as they come', { skip }, () =>
  withCollector({}, async (one) => {
    const [first] = events;
    assert.ok(first !== undefined);
    const many = Array.from({ length: 2_000 }, (_, i) => ({ ...first, i, key: `${first.origin}#${i}`, normalized: 'x'.repeat(2_000) }));
    assert.deepEqual(await otlpTransport({ url: one.url }, world).deliver(many, never), { kind: 'taken' });
    assert.equal(one.records().length, many.length);
  }),
);

test('what the collector cannot hand on is not delivered, and is when it can', { skip }, () =>
  withCollector({ file: 'missing/logs.jsonl' }, async (one) => {
    const sink = otlpTransport({ url: one.url }, world);
    const refused = await sink.deliver(events, never);
    assert.equal(refused.kind, 'failed');
    assert.ok(refused.kind === 'failed' && refused.smaller !== true, 'it is the collector and not the batch');
    mkdirSync(join(one.folder, 'missing'));
    assert.deepEqual(await sink.deliver(events, never), { kind: 'taken' });
    assert.equal(one.records().length, events.length);
    const lost = await otlpTransport({ url: new URL('/v1/nothing', one.url) }, world).deliver(events, never);
    assert.deepEqual([lost.kind === 'failed' && lost.arrived, one.records().length], ['nothing', events.length]);
  }),
);

const openssl = spawnSync('openssl', ['version']).status === 0 ? undefined : 'openssl is not installed';

test('the collector is spoken to over TLS, when its certificate is the one that is expected', {
  skip: collector.without ?? openssl ?? false,
}, () => {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert, '-subj', '/CN=localhost'];
  assert.equal(spawnSync('openssl', [...made, '-addext', 'subjectAltName=DNS:localhost']).status, 0);
  return withCollector({ tls: { cert, key } }, async (one) => {
    const stranger = await otlpTransport({ url: one.url }, world).deliver(events, never);
    assert.deepEqual(stranger.kind === 'failed' && stranger.arrived, 'nothing');
    assert.deepEqual(await otlpTransport({ url: one.url, ca: readFileSync(cert, 'utf8') }, world).deliver(events, never), {
      kind: 'taken',
    });
    assert.equal(one.records().length, events.length);
  });
});
