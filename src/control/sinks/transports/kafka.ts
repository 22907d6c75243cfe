import type { Producer } from '@platformatic/kafka';
import type { Facts } from '../facts.ts';
import type { Format } from '../mapping/format.ts';
import { formatted } from '../mapping/format.ts';
import { failed, taken } from '../sink.ts';
import type { Delivery, Transport } from '../sink.ts';

export interface KafkaOptions {
  /** `host:port` of some of the cluster's brokers. */
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly tls?: {
    readonly ca?: string | undefined;
    readonly serverName?: string | undefined;
    readonly cert?: string | undefined;
    readonly key?: string | undefined;
  };
  readonly sasl?: {
    readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
    readonly username: string;
    readonly password: () => string;
  };
  readonly format: Format;
}

const connectMs = 10_000;

/** Refusals of a batch for what it holds; a smaller one may pass. SPEC: Apache Kafka protocol guide, error codes. */
const ofTheData = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'CORRUPT_MESSAGE',
  'INVALID_TIMESTAMP',
  'POLICY_VIOLATION',
]);

/** Refusals before anything was appended, which time or the operator mends. */
const ofTheCluster = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_OR_FOLLOWER',
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'NOT_ENOUGH_REPLICAS',
  'INVALID_TOPIC_EXCEPTION',
  'THROTTLING_QUOTA_EXCEEDED',
]);

/**
 * One message for each event, acknowledged by all replicas in sync. The key is the ledger, so that one ledger stays in one partition and in
 * its order; what leads back to the evidence stands in the headers `warder-key`, `warder-leaf`, `warder-kind` and `warder-duplicate`.
 * The topic must exist: who makes one by writing to it gets the cluster's idea of how safe it is.
 */
export function kafkaTransport(options: KafkaOptions): Transport {
  let open: Producer<string, string, string, string> | undefined;
  const drop = async (): Promise<void> => {
    const old = open;
    open = undefined;
    await old?.close(true).catch(() => undefined); // What is wrong with it was said where it went wrong.
  };
  return {
    async deliver(events, signal) {
      const producer = (open ??= await producerFor(options));
      try {
        await before(signal, producer.metadata({ topics: [options.topic] }));
      } catch (error) {
        await drop();
        return failed(`the brokers cannot be asked for the topic: ${told(error)}`, 'nothing');
      }
      try {
        await before(signal, producer.send({ messages: events.map((event) => messageOf(event, options)) }));
        return taken;
      } catch (error) {
        await drop();
        return refusal(error);
      }
    },
    close: drop,
  };
}

/** The client is loaded when the first batch comes: most installations have no such sink. */
async function producerFor({ brokers, tls, sasl }: KafkaOptions): Promise<Producer<string, string, string, string>> {
  const client = await import('@platformatic/kafka');
  const bytes = (text: string): Buffer => Buffer.from(text, 'utf8');
  return new client.Producer({
    clientId: 'warder',
    bootstrapBrokers: [...brokers],
    serializers: {
      key: (text) => bytes(text ?? ''),
      value: (text) => bytes(text ?? ''),
      headerKey: (text) => bytes(text ?? ''),
      headerValue: (text) => bytes(text ?? ''),
    },
    // All replicas in sync.
    acks: -1,
    // Trying again is the runner's part, which marks what may be there twice.
    retries: 0,
    repeatOnStaleMetadata: false,
    autocreateTopics: false,
    connectTimeout: connectMs,
    ...(tls === undefined ? {} : { tls: tlsOf(tls) }),
    ...(sasl === undefined ? {} : { sasl: { mechanism: sasl.mechanism, username: sasl.username, password: sasl.password() } }),
  });
}

function tlsOf({ ca, cert, key, serverName }: NonNullable<KafkaOptions['tls']>): Record<string, string> {
  const given = { ca, cert, key, servername: serverName };
  return Object.fromEntries(Object.entries(given).filter((one): one is [string, string] => one[1] !== undefined));
}

function messageOf(event: Facts, { topic, format }: KafkaOptions) {
  return {
    topic,
    key: event.origin,
    value: formatted(event, format),
    timestamp: BigInt(event.t),
    headers: {
      'warder-key': event.key,
      'warder-leaf': event.leaf,
      'warder-kind': event.kind,
      ...(event.duplicate === undefined ? {} : { 'warder-duplicate': event.duplicate }),
    },
  };
}

/** The client knows nothing of signals: when time is up, what it is doing is left to itself. */
function before<T>(signal: AbortSignal, action: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error('given up'));
    if (signal.aborted) late();
    signal.addEventListener('abort', late, { once: true });
    action.then(resolve, reject).finally(() => signal.removeEventListener('abort', late));
  });
}

/** A batch goes to one partition, which takes it whole or not at all; whatever is not clearly a refusal may have arrived. */
function refusal(error: unknown): Delivery {
  const codes = codesOf(error);
  const why = `the brokers did not take the events: ${told(error)}`;
  if (codes.length > 0 && codes.every((code) => ofTheData.has(code))) return failed(why, 'nothing', { smaller: true });
  return failed(why, codes.length > 0 && codes.every((code) => ofTheCluster.has(code)) ? 'nothing' : 'unknown');
}

/** Names of the protocol errors somewhere inside an error of the client, which packs them into each other. */
function codesOf(error: unknown): readonly string[] {
  if (error instanceof Error && 'apiId' in error) return [String(error.apiId)];
  if (error instanceof AggregateError) return error.errors.flatMap(codesOf);
  return error instanceof Error && error.cause !== undefined ? codesOf(error.cause) : [];
}

function told(error: unknown): string {
  const [code] = codesOf(error);
  if (code !== undefined) return code;
  if (error instanceof AggregateError) return told(error.errors[0]);
  if (error instanceof Error && error.cause instanceof Error) return told(error.cause);
  return error instanceof Error ? error.message : String(error);
}
