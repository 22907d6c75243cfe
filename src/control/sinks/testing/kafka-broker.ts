import { spawn, spawnSync } from 'node:child_process';
import { createServer, connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { until } from '#host';

/** Why the tests with a broker cannot run; undefined when they can. */
export const withoutKafka = spawnSync('kcat', ['-V']).error === undefined ? undefined : 'kcat is not installed (Debian: kcat)';

export interface KafkaBroker {
  readonly address: string;
  /** What the broker wrote of a topic, read by its own client with the checksums checked. */
  messages(topic: string): readonly KafkaMessage[];
  stop(): Promise<void>;
}

export interface KafkaMessage {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly ts: number;
  readonly key: string;
  readonly payload: string;
  /** Name, value, name, value… */
  readonly headers?: readonly string[];
}

/** The mock cluster of librdkafka: a broker by other authors, in a process of kcat's that also consumes the topic. It keeps everything in memory. */
export async function startKafkaBroker(topic: string): Promise<KafkaBroker> {
  const mock = ['-X', 'test.mock.num.brokers=1', '-X', 'debug=mock', '-X', 'check.crcs=true'];
  const child = spawn('kcat', [...mock, '-b', 'mock:1', '-C', '-t', topic, '-o', 'beginning', '-J', '-u', '-q'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let log = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (log.length < 10_000) log += text;
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const address = await until(() => /bootstrap\.servers=(127\.0\.0\.1:\d+)/.exec(log)?.[1], { deadlineMs: 10_000 });
  if (address === undefined) {
    child.kill('SIGKILL');
    throw new Error(`kcat did not start a broker: ${log}`);
  }
  return {
    address,
    messages: (wanted) =>
      out
        .split('\n')
        .slice(0, -1)
        // Reason: kcat's envelope, checked by what the tests read of it.
        .map((line) => JSON.parse(line) as KafkaMessage)
        .filter((one) => one.topic === wanted),
    async stop() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

export interface BrokerProxy {
  readonly address: string;
  /** Requests with a batch of messages that went through. */
  produced(): number;
  /** What becomes of the next request with a batch and of its answer; `refuse` is an error code of the protocol. */
  next: 'pass' | 'cut-before' | 'cut-after' | 'mute' | { readonly refuse: number; readonly topic: string };
  stop(): Promise<void>;
}

type Refusal = Exclude<BrokerProxy['next'], string>;

const produceKey = 0;

/**
 * A way to the broker that can break. It puts its own port in the place of the broker's in the metadata, so that nobody goes past it.
 *
 * SPEC: Kafka protocol guide: a request is its length (int32) and its kind (int16); hosts in metadata are followed by their port (int32).
 */
export async function startBrokerProxy(broker: KafkaBroker): Promise<BrokerProxy> {
  const port = Number(broker.address.split(':')[1]);
  const open = new Set<Socket>();
  let produced = 0;
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on('error', () => undefined).on('close', () => open.delete(socket));
    }
    const cut = (): void => {
      client.resetAndDestroy();
      upstream.destroy();
    };
    const state: { mute: boolean; cut: boolean; refuse?: Refusal } = { mute: false, cut: false };
    client
      .on('close', () => upstream.destroy())
      .on('data', (bytes: Buffer) => {
        const batch = bytes.length > 6 && bytes.readInt16BE(4) === produceKey;
        if (batch && proxy.next === 'cut-before') return cut();
        if (batch) {
          produced += 1;
          state.mute = proxy.next === 'mute';
          state.cut = proxy.next === 'cut-after';
          if (typeof proxy.next === 'object') state.refuse = proxy.next;
          proxy.next = 'pass';
        }
        upstream.write(bytes);
      });
    upstream
      .on('close', () => client.destroy())
      .on('data', (bytes: Buffer) => {
        if (state.cut) return cut();
        if (!state.mute) client.write(state.refuse === undefined ? withPort(bytes, port, proxyPort) : withRefusal(bytes, state.refuse));
        delete state.refuse;
      });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // Reason: it listens on an address.
  const { port: proxyPort } = server.address() as AddressInfo;
  const proxy: BrokerProxy = {
    address: `127.0.0.1:${proxyPort}`,
    produced: () => produced,
    next: 'pass',
    stop: () =>
      new Promise((resolve) => {
        for (const socket of open) socket.destroy();
        server.close(() => resolve());
      }),
  };
  return proxy;
}

function withPort(bytes: Buffer, from: number, to: number): Buffer {
  const host = Buffer.from('127.0.0.1');
  const changed = Buffer.from(bytes);
  for (let at = changed.indexOf(host); at >= 0; at = changed.indexOf(host, at + 1)) {
    const place = at + host.length;
    if (place + 4 <= changed.length && changed.readInt32BE(place) === from) changed.writeInt32BE(to, place);
  }
  return changed;
}

/** SPEC: Produce response up to version 8: the topic, the number of partitions (int32), for each its index (int32) and an error code (int16). */
function withRefusal(bytes: Buffer, { refuse, topic }: Refusal): Buffer {
  const changed = Buffer.from(bytes);
  changed.writeInt16BE(refuse, changed.indexOf(topic) + topic.length + 8);
  return changed;
}
