import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { until } from '#host';
import type { Facts } from '../facts.ts';
import { privacyOf } from '../privacy.ts';
import { sampleFacts } from '../testing/facts.ts';
import type { BrokerProxy, KafkaBroker } from '../testing/kafka-broker.ts';
import { startBrokerProxy, startKafkaBroker, withoutKafka } from '../testing/kafka-broker.ts';
import { kafkaTransport } from './kafka.ts';

const events = sampleFacts().map(privacyOf({}, new Uint8Array(32)));
const never = new AbortController().signal;
if (withoutKafka !== undefined) process.stderr.write(`── LEFT OUT: a Kafka broker: ${withoutKafka}\n`);

describe('with a broker', { skip: withoutKafka ?? false }, () => {
  let broker: KafkaBroker;
  let proxy: BrokerProxy;

  before(async () => {
    broker = await startKafkaBroker('audit');
    proxy = await startBrokerProxy(broker);
  });

  after(async () => {
    await proxy?.stop();
    await broker?.stop();
  });

  async function arrived(count: number): Promise<ReturnType<KafkaBroker['messages']>> {
    const found = await until(() => (broker.messages('audit').length >= count ? broker.messages('audit') : undefined), {
      deadlineMs: 10_000,
    });
    return found ?? broker.messages('audit');
  }

  test('every event is one message in one partition, in order, with what leads back to the ledger in its headers', async () => {
    const sink = kafkaTransport({ brokers: [proxy.address], topic: 'audit', format: 'ocsf' });
    assert.deepEqual(await sink.deliver(events, never), { kind: 'taken' });
    const messages = await arrived(events.length);
    assert.equal(messages.length, events.length);
    assert.equal(new Set(messages.map(({ partition }) => partition)).size, 1);
    messages.forEach((message, at) => {
      const event = events[at] as Facts;
      assert.deepEqual([message.key, message.ts], [event.origin, event.t]);
      const headers = Object.fromEntries(pairs(message.headers ?? []));
      assert.deepEqual(headers, {
        'warder-key': event.key,
        'warder-leaf': event.leaf,
        'warder-kind': event.kind,
        ...(event.duplicate === undefined ? {} : { 'warder-duplicate': 'possible' }),
      });
      assert.equal(JSON.parse(message.payload).metadata.uid, event.key);
    });
    await sink.close();
  });

  test('what was sent and not acknowledged may have arrived, and the same transport goes on afterwards', async () => {
    const sink = kafkaTransport({ brokers: [proxy.address], topic: 'audit', format: 'facts' });
    const one = events.slice(0, 1);
    for (const next of ['cut-before', 'cut-after'] as const) {
      proxy.next = next;
      const lost = await sink.deliver(one, never);
      assert.deepEqual([next, lost.kind === 'failed' && lost.arrived], [next, 'unknown']);
      proxy.next = 'pass';
      assert.deepEqual(await sink.deliver(one, never), { kind: 'taken' });
    }
    proxy.next = 'mute';
    const late = new AbortController();
    const sent = proxy.produced();
    const muted = sink.deliver(one, late.signal);
    await until(() => (proxy.produced() > sent ? true : undefined), { deadlineMs: 5_000 });
    late.abort(new Error('time is up'));
    assert.deepEqual(await muted, { kind: 'failed', why: 'the brokers did not take the events: time is up', arrived: 'unknown' });
    assert.deepEqual(await sink.deliver(one, never), { kind: 'taken' });
    await sink.close();
  });

  test('what the broker refuses has not arrived; what it refuses for what it is may pass in pieces', async () => {
    const sink = kafkaTransport({ brokers: [proxy.address], topic: 'audit', format: 'facts' });
    const results: unknown[] = [];
    for (const refuse of [10, 87, 3, 29, 19, 7, 20]) {
      proxy.next = { refuse, topic: 'audit' };
      results.push([refuse, await sink.deliver(events, never)]);
    }
    const why = (code: string): string => `the brokers did not take the events: ${code}`;
    assert.deepEqual(results, [
      [10, { kind: 'failed', why: why('MESSAGE_TOO_LARGE'), arrived: 'nothing', smaller: true }],
      [87, { kind: 'failed', why: why('INVALID_RECORD'), arrived: 'nothing', smaller: true }],
      [3, { kind: 'failed', why: why('UNKNOWN_TOPIC_OR_PARTITION'), arrived: 'nothing' }],
      [29, { kind: 'failed', why: why('TOPIC_AUTHORIZATION_FAILED'), arrived: 'nothing' }],
      [19, { kind: 'failed', why: why('NOT_ENOUGH_REPLICAS'), arrived: 'nothing' }],
      [7, { kind: 'failed', why: why('REQUEST_TIMED_OUT'), arrived: 'unknown' }],
      [20, { kind: 'failed', why: why('NOT_ENOUGH_REPLICAS_AFTER_APPEND'), arrived: 'unknown' }],
    ]);
    await sink.close();
  });

  test('a broker that is away, or does not want us, has got nothing', async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    // Reason: it listens on an address.
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    const away = await kafkaTransport({ brokers: [`127.0.0.1:${port}`], topic: 'audit', format: 'facts' }).deliver(events, never);
    assert.deepEqual([away.kind === 'failed' && away.arrived], ['nothing']);
    const plain = kafkaTransport({ brokers: [broker.address], topic: 'audit', tls: {}, format: 'facts' });
    const noTls = await plain.deliver(events, never);
    assert.deepEqual([noTls.kind === 'failed' && noTls.arrived], ['nothing'], 'no TLS where TLS is wanted');
    await plain.close();
    const sasl = { mechanism: 'SCRAM-SHA-256', username: 'warder', password: () => 'geheim' } as const;
    const stranger = kafkaTransport({ brokers: [broker.address], topic: 'audit', sasl, format: 'facts' });
    const refused = await stranger.deliver(events, never);
    assert.equal(refused.kind, 'failed');
    assert.ok(refused.kind === 'failed' && refused.arrived === 'nothing' && !refused.why.includes('geheim'), JSON.stringify(refused));
    await stranger.close();
  });
});

function pairs(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, at) => [flat[2 * at] ?? '', flat[2 * at + 1] ?? '']);
}
