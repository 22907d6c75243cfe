import type { World } from '#model';
import type { Facts } from '../facts.ts';
import { messageOf, severityOf } from '../mapping/severity.ts';
import { failed } from '../sink.ts';
import type { Transport } from '../sink.ts';
import { deliveryOf, jsonOf } from './http-delivery.ts';
import { post } from './http.ts';

export interface OtlpOptions {
  /** The whole address, e.g. `https://collector:4318/v1/logs`. */
  readonly url: URL;
  /** A bearer token. */
  readonly token?: (() => string) | undefined;
  readonly ca?: string | undefined;
}

// SPEC: OpenTelemetry log data model, SeverityNumber.
const severities = {
  informational: { number: 9, text: 'INFO' },
  low: { number: 10, text: 'INFO2' },
  medium: { number: 13, text: 'WARN' },
  high: { number: 17, text: 'ERROR' },
} as const;

/** OpenTelemetry log records over HTTP in JSON. SPEC: OTLP 1.x, `POST /v1/logs`; 64-bit numbers travel as text. */
export function otlpTransport(options: OtlpOptions, world: World): Transport {
  return {
    async deliver(events, signal) {
      const answer = await post({
        url: options.url,
        headers: {
          'content-type': 'application/json',
          ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token()}` }),
        },
        body: JSON.stringify(requestOf(events, world)),
        ca: options.ca,
        signal,
      });
      const delivery = deliveryOf(answer);
      if (delivery.kind === 'failed' || answer.kind === 'broken') return delivery;
      const rejected = rejectedOf(answer.body);
      return rejected === 0
        ? delivery
        : failed(`the collector refused ${rejected} of ${events.length} log records`, 'unknown', { smaller: true });
    },
    close: async () => undefined,
  };
}

/** `partialSuccess.rejectedLogRecords`: records that the collector did not take although it answered with 200. */
function rejectedOf(body: string): number {
  const said = jsonOf(body);
  const partial = typeof said === 'object' && said !== null && 'partialSuccess' in said ? said.partialSuccess : undefined;
  const count = typeof partial === 'object' && partial !== null && 'rejectedLogRecords' in partial ? partial.rejectedLogRecords : 0;
  return Number(count);
}

/** One resource for each ledger. */
function requestOf(events: readonly Facts[], world: World): unknown {
  const origins = [...new Set(events.map((event) => event.origin))];
  return {
    resourceLogs: origins.map((origin) => ({
      resource: { attributes: attributesOf({ 'service.name': 'warder', 'service.instance.id': origin }) },
      scopeLogs: [
        {
          scope: { name: 'warder.ledger' },
          logRecords: events.filter((event) => event.origin === origin).map((event) => recordOf(event, world)),
        },
      ],
    })),
  };
}

function recordOf(facts: Facts, world: World): unknown {
  const severity = severities[severityOf(facts)];
  const { t, origin, i, ...rest } = facts;
  const attributes = Object.fromEntries(Object.entries(rest).map(([name, value]) => [`warder.${snake(name)}`, value]));
  return {
    timeUnixNano: `${t}000000`,
    observedTimeUnixNano: `${world.now()}000000`,
    severityNumber: severity.number,
    severityText: severity.text,
    eventName: `warder.${facts.kind}`,
    body: { stringValue: messageOf(facts) },
    attributes: attributesOf({ 'log.record.uid': `${origin}#${i}`, ...attributes }),
  };
}

function attributesOf(values: Readonly<Record<string, unknown>>): unknown[] {
  return Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [{ key, value: valueOf(value) }]));
}

function valueOf(value: unknown): unknown {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (Array.isArray(value)) return { arrayValue: { values: value.map(valueOf) } };
  if (typeof value === 'object' && value !== null) {
    return { kvlistValue: { values: Object.entries(value).map(([key, one]) => ({ key, value: valueOf(one) })) } };
  }
  return { stringValue: String(value) };
}

function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
