import type { Facts } from '../facts.ts';
import { severityOf } from './severity.ts';

/** Facility 13, log audit. */
const facility = 13;
const severities = { informational: 6, low: 5, medium: 4, high: 1 } as const;

/** The enterprise number of the structured data: the one that RFC 5612 sets aside for examples, as Warder has none of its own. */
const structuredDataId = 'warder@32473';

/**
 * A syslog message without framing. The message part has no byte order mark: receivers that parse JSON there stumble over it, and RFC 5424
 * allows to leave it out.
 *
 * SPEC: RFC 5424 §6.
 */
export function syslogOf(facts: Facts, message: string): string {
  const priority = facility * 8 + severities[severityOf(facts)];
  const time = new Date(facts.t).toISOString();
  const host = name(facts.origin.split('/').at(-1) ?? '', 255);
  const data = [
    parameter('key', facts.key),
    parameter('leaf', facts.leaf),
    ...(facts.duplicate === undefined ? [] : [parameter('duplicate', facts.duplicate)]),
  ];
  return `<${priority}>1 ${time} ${host} warder - ${name(facts.kind, 32)} [${structuredDataId} ${data.join(' ')}] ${message}`;
}

/** Printable ASCII without spaces, not longer than allowed; `-` when nothing is left. */
function name(text: string, charactersMax: number): string {
  const plain = text.replaceAll(/[^\x21-\x7e]/g, '').slice(0, charactersMax);
  return plain === '' ? '-' : plain;
}

function parameter(key: string, value: string): string {
  return `${key}="${value.replaceAll(/["\\\]]/g, String.raw`\$&`).replaceAll(/[\r\n]/g, ' ')}"`;
}
