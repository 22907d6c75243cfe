import { createHmac } from 'node:crypto';
import { Fault } from '#model';
import type { World } from '#model';
import type { Facts } from '../facts.ts';
import type { Format } from '../mapping/format.ts';
import { eventIn } from '../mapping/format.ts';
import type { Transport } from '../sink.ts';
import { deliveryOf } from './http-delivery.ts';
import { post } from './http.ts';

export interface WebhookOptions {
  readonly url: URL;
  /** Gives the signing secret: `whsec_` and base64, or any text. */
  readonly secret: () => string;
  readonly ca?: string | undefined;
  readonly format: Format;
}

/**
 * A batch of CloudEvents in one POST, signed so that the receiver can tell that it is ours and fresh.
 *
 * SPEC: CloudEvents 1.0.2 JSON batch format; Standard Webhooks 1.0: `webhook-signature` is `v1,` and the base64 of HMAC-SHA256 over
 * `id.timestamp.body`.
 */
export function webhookTransport(options: WebhookOptions, world: World): Transport {
  return {
    async deliver(events, signal) {
      const body = `[${events.map((event) => JSON.stringify(cloudEventOf(event, options.format))).join(',')}]`;
      const id = `msg_${Buffer.from(world.randomBytes(18)).toString('base64url')}`;
      const timestamp = String(Math.floor(world.now() / 1000));
      const signature = createHmac('sha256', keyOf(options.secret())).update(`${id}.${timestamp}.${body}`).digest('base64');
      const answer = await post({
        url: options.url,
        headers: {
          'content-type': 'application/cloudevents-batch+json; charset=utf-8',
          'user-agent': 'warder',
          'webhook-id': id,
          'webhook-timestamp': timestamp,
          'webhook-signature': `v1,${signature}`,
        },
        body,
        ca: options.ca,
        signal,
      });
      return deliveryOf(answer);
    },
    close: async () => undefined,
  };
}

/** `id` with `source` is unique, as CloudEvents asks for: `source` is the ledger, `id` the position with the leaf of the entry. */
function cloudEventOf(facts: Facts, format: Format): Record<string, unknown> {
  const data = eventIn(facts, format);
  return {
    specversion: '1.0',
    id: `${facts.i}-${facts.leaf.slice(0, 16)}`,
    source: `urn:warder:${facts.origin}`,
    type: `warder.${facts.kind}`,
    time: new Date(facts.t).toISOString(),
    ...(facts.subject === undefined ? {} : { subject: facts.subject }),
    // Extension attributes; their names are lower case letters and digits only.
    dedupekey: facts.key,
    ...(facts.duplicate === undefined ? {} : { duplicate: facts.duplicate }),
    datacontenttype: typeof data === 'string' ? 'text/plain' : 'application/json',
    data,
  };
}

function keyOf(secret: string): Uint8Array {
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : Buffer.from(secret, 'utf8');
  if (key.length < 16) throw new Fault('CONFIG_INVALID', 'the secret of a webhook has less than 16 bytes');
  return key;
}
