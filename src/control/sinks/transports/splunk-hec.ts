import { limits } from '#model';
import type { Timer, World } from '#model';
import type { Facts } from '../facts.ts';
import type { Format } from '../mapping/format.ts';
import { eventIn } from '../mapping/format.ts';
import { failed, taken } from '../sink.ts';
import type { Delivery, Transport } from '../sink.ts';
import { deliveryOf, jsonOf } from './http-delivery.ts';
import { post } from './http.ts';

export interface SplunkOptions {
  /** Scheme, host and port; the paths are Splunk's. */
  readonly url: URL;
  readonly token: () => string;
  readonly index?: string | undefined;
  readonly sourcetype: string;
  /** Wait until the indexers have written the events. The token must have it switched on. */
  readonly acknowledge: boolean;
  readonly ca?: string | undefined;
  readonly format: Format;
}

const acknowledgementEveryMs = 1_000;

/** Splunk's HTTP Event Collector, events as JSON objects one after another; with `acknowledge` also its indexer acknowledgement. */
export function splunkTransport(options: SplunkOptions, world: World): Transport {
  const channel = guid(world);
  const headersNow = (): Record<string, string> => ({
    authorization: `Splunk ${options.token()}`,
    'content-type': 'application/json',
    ...(options.acknowledge ? { 'x-splunk-request-channel': channel } : {}),
  });
  return {
    async deliver(events, signal) {
      const headers = headersNow();
      const body = events.map((event) => JSON.stringify(eventOf(event, options))).join('');
      const url = new URL('/services/collector/event', options.url);
      const answer = await post({ url, headers, body, ca: options.ca, signal });
      // The events before one that Splunk finds wrong are indexed.
      if (answer.kind === 'answer' && answer.status === 400)
        return failed(`Splunk answered: ${textOf(answer.body)}`, 'unknown', { smaller: true });
      const delivery = deliveryOf(answer);
      if (delivery.kind === 'failed' || answer.kind === 'broken') return delivery;
      const said = jsonOf(answer.body);
      const { code, ackId } = (typeof said === 'object' && said !== null ? said : {}) as { code?: unknown; ackId?: unknown }; // Reason: an object; members are checked below.
      if (code !== 0) return failed(`Splunk answered: ${textOf(answer.body)}`, 'unknown');
      if (!options.acknowledge) return taken;
      if (typeof ackId !== 'number') return failed('Splunk sends no ackId: switch on indexer acknowledgement for the token', 'unknown');
      return acknowledged({ options, headers, channel, id: ackId, world, signal });
    },
    close: async () => undefined,
  };
}

/** Asks until the indexers have it. */
async function acknowledged(of: {
  options: SplunkOptions;
  headers: Record<string, string>;
  channel: string;
  id: number;
  world: World;
  signal: AbortSignal;
}): Promise<Delivery> {
  const { options, headers, channel, id, world, signal } = of;
  const url = new URL('/services/collector/ack', options.url);
  url.searchParams.set('channel', channel);
  while (!signal.aborted) {
    const answer = await post({ url, headers, body: JSON.stringify({ acks: [id] }), ca: options.ca, signal });
    if (answer.kind === 'broken' || answer.status !== 200) {
      return failed(answer.kind === 'broken' ? answer.why : `Splunk answered with status ${answer.status}`, 'unknown');
    }
    const said = jsonOf(answer.body);
    const acks = typeof said === 'object' && said !== null && 'acks' in said ? said.acks : undefined;
    // Reason: an object read by key.
    if (typeof acks === 'object' && acks !== null && (acks as Record<string, unknown>)[String(id)] === true) return taken;
    await pause(acknowledgementEveryMs, world, signal);
  }
  return failed('Splunk has not acknowledged the events in time', 'unknown');
}

function pause(delayMs: number, world: World, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const state: { timer?: Timer } = {};
    const done = (): void => {
      state.timer?.cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    state.timer = world.after(delayMs, done);
    signal.addEventListener('abort', done, { once: true });
  });
}

function eventOf(facts: Facts, { index, sourcetype, format }: SplunkOptions): Record<string, unknown> {
  return {
    time: facts.t / 1000,
    host: facts.origin,
    source: 'warder',
    sourcetype,
    ...(index === undefined ? {} : { index }),
    event: eventIn(facts, format),
    fields: {
      warder_key: facts.key,
      warder_kind: facts.kind,
      ...(facts.duplicate === undefined ? {} : { warder_duplicate: facts.duplicate }),
    },
  };
}

function textOf(body: string): string {
  const said = jsonOf(body);
  const text = typeof said === 'object' && said !== null && 'text' in said ? String(said.text) : 'something that is not JSON';
  return text.slice(0, limits.readStringCharsMax);
}

/** SPEC: RFC 9562 §5.4, version 4. */
function guid(world: World): string {
  const bytes = Buffer.from(world.randomBytes(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
