import { z } from 'zod';
import type { Facts } from '../facts.ts';
import type { Format } from '../mapping/format.ts';
import { eventIn } from '../mapping/format.ts';
import { failed, taken } from '../sink.ts';
import type { Delivery, Transport } from '../sink.ts';
import { deliveryOf, jsonOf } from './http-delivery.ts';
import { post } from './http.ts';

export interface ElasticsearchOptions {
  readonly url: URL;
  /** An index or a data stream. */
  readonly index: string;
  /** API key in its encoded form. */
  readonly apiKey?: (() => string) | undefined;
  readonly ca?: string | undefined;
  readonly format: Format;
}

/** Of the answer only what decides; one action is an object with one member. */
const answerSchema = z.object({
  errors: z.boolean(),
  items: z.array(
    z.record(z.string(), z.object({ status: z.number(), error: z.object({ type: z.string().optional() }).loose().optional() }).loose()),
  ),
});

/**
 * The bulk API of Elasticsearch and OpenSearch. The leaf of the entry is the document's id and documents are only created: an event that is
 * delivered again is already there (409), and that is as good.
 */
export function elasticsearchTransport(options: ElasticsearchOptions): Transport {
  return {
    async deliver(events, signal) {
      const body = events.flatMap((event) => [JSON.stringify({ create: { _id: event.leaf } }), JSON.stringify(documentOf(event, options))]);
      const url = new URL(`${options.url.pathname.replace(/\/$/, '')}/${encodeURIComponent(options.index)}/_bulk`, options.url);
      const answer = await post({
        url,
        headers: {
          'content-type': 'application/x-ndjson',
          ...(options.apiKey === undefined ? {} : { authorization: `ApiKey ${options.apiKey()}` }),
        },
        body: `${body.join('\n')}\n`,
        ca: options.ca,
        signal,
      });
      const delivery = deliveryOf(answer);
      return delivery.kind === 'failed' || answer.kind === 'broken' ? delivery : itemsTaken(answer.body, events.length);
    },
    close: async () => undefined,
  };
}

/** A bulk answer is 200 even when nothing was taken: each item says for itself. */
function itemsTaken(body: string, expected: number): Delivery {
  const read = answerSchema.safeParse(jsonOf(body));
  if (!read.success) return failed('the answer is not that of a bulk request', 'unknown');
  const results = read.data.items.flatMap((item) => Object.values(item));
  if (results.length !== expected) return failed(`the answer speaks of ${results.length} documents, ${expected} were sent`, 'unknown');
  const bad = results.filter(({ status }) => status !== 409 && (status < 200 || status > 299));
  const [first] = bad;
  if (first === undefined) return taken;
  const busy = bad.every(({ status }) => status === 429 || status >= 500);
  return failed(
    `${bad.length} of ${expected} documents were not taken, the first with status ${first.status} (${first.error?.type ?? 'no reason'})`,
    bad.length === expected ? 'nothing' : 'unknown',
    { smaller: !busy },
  );
}

function documentOf(facts: Facts, { format }: ElasticsearchOptions): Record<string, unknown> {
  const event = eventIn(facts, format);
  const content = typeof event === 'string' ? { message: event } : event;
  const own = {
    key: facts.key,
    leaf: facts.leaf,
    kind: facts.kind,
    ...(facts.duplicate === undefined ? {} : { duplicate: facts.duplicate }),
  };
  return { '@timestamp': new Date(facts.t).toISOString(), warder: own, ...content };
}
