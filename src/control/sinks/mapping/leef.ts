import type { Facts } from '../facts.ts';
import { addressOf } from './ocsf-objects.ts';
import { messageOf, severityOf } from './severity.ts';

const severities = { informational: 2, low: 4, medium: 6, high: 9 } as const;

/**
 * One line of the Log Event Extended Format, attributes separated by tabs.
 *
 * SPEC: IBM QRadar LEEF 2.0. It has no escapes: what would break the line or the separation becomes a space. `devTime` is in milliseconds
 * since 1970, which needs no `devTimeFormat`.
 */
export function leefOf(facts: Facts): string {
  const version = facts.build?.split(' ').at(-1) ?? '0';
  const address = facts.source === undefined ? undefined : addressOf(facts.source);
  const attributes: Readonly<Record<string, string | number | undefined>> = {
    devTime: facts.t,
    sev: severities[severityOf(facts)],
    cat: facts.kind,
    usrName: facts.subject ?? facts.claimed ?? facts.by,
    src: address?.ip,
    srcPort: address?.port,
    resource: facts.resource ?? facts.object,
    policy: facts.rules?.join(' '),
    action: facts.verb ?? facts.action,
    outcome: facts.status ?? facts.verdict,
    reason: facts.reason,
    session: facts.session,
    decision: facts.decision,
    objects: facts.objects?.join(' '),
    onBehalfOf: facts.onBehalfOf,
    alarm: facts.alarm,
    rows: facts.rows,
    srcBytes: facts.bytesUp,
    dstBytes: facts.bytesDown,
    query: facts.normalized,
    message: messageOf(facts),
    key: facts.key,
    leaf: facts.leaf,
    duplicate: facts.duplicate,
  };
  const body = Object.entries(attributes).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${flat(String(value))}`]));
  return `LEEF:2.0|Warder|Warder|${header(version)}|${header(facts.kind)}|x09|${body.join('\t')}`;
}

function header(text: string): string {
  return flat(text).replaceAll('|', ' ');
}

function flat(text: string): string {
  return text.replaceAll(/[\t\r\n]+/g, ' ');
}
