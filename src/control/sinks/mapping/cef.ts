import type { Facts } from '../facts.ts';
import { addressOf } from './ocsf-objects.ts';
import { messageOf, severityOf } from './severity.ts';

const severities = { informational: 2, low: 4, medium: 6, high: 9 } as const;

/**
 * One line of the Common Event Format.
 *
 * SPEC: ArcSight CEF version 0 (OpenText, revision 26): in the header `\` and `|` are escaped, in the extension `\`, `=` and line breaks.
 */
export function cefOf(facts: Facts): string {
  const version = facts.build?.split(' ').at(-1) ?? '0';
  const head = ['Warder', 'Warder', version, facts.kind, messageOf(facts), String(severities[severityOf(facts)])].map(header);
  const body = Object.entries(extensionOf(facts)).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${extension(String(value))}`],
  );
  return `CEF:0|${head.join('|')}|${body.join(' ')}`;
}

function extensionOf(facts: Facts): Readonly<Record<string, string | number | undefined>> {
  const address = facts.source === undefined ? undefined : addressOf(facts.source);
  return {
    rt: facts.t,
    externalId: facts.key,
    dvchost: facts.origin,
    suser: facts.subject ?? facts.claimed ?? facts.by,
    src: address?.ip,
    spt: address?.port,
    app: facts.point,
    act: facts.verb ?? facts.action,
    outcome: facts.status ?? facts.verdict,
    reason: facts.reason,
    cnt: facts.rows,
    in: facts.bytesUp,
    out: facts.bytesDown,
    msg: facts.normalized ?? facts.message,
    cat: facts.alarm,
    ...labelled('cs1', 'rules', facts.rules?.join(' ')),
    ...labelled('cs2', 'resource', facts.resource ?? facts.object),
    ...labelled('cs3', 'objects', facts.objects?.join(' ')),
    ...labelled('cs4', 'session', facts.session),
    ...labelled('cs5', 'decision', facts.decision),
    ...labelled('cs6', 'leaf', facts.leaf),
    ...labelled('flexString1', 'duplicate', facts.duplicate),
    ...labelled('flexString2', 'onBehalfOf', facts.onBehalfOf),
  };
}

function labelled(key: string, label: string, value: string | undefined): Record<string, string> {
  return value === undefined ? {} : { [`${key}Label`]: label, [key]: value };
}

function header(text: string): string {
  return text
    .replaceAll('\\', '\\\\')
    .replaceAll('|', '\\|')
    .replaceAll(/[\r\n]+/g, ' ');
}

function extension(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('=', '\\=').replaceAll('\r', '\\r').replaceAll('\n', '\\n');
}
