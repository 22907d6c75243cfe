import type { Facts } from '../facts.ts';

/** How much an event deserves attention. */
export type Severity = 'informational' | 'low' | 'medium' | 'high';

/** Kinds that deserve some whatever they say. */
const ofKind: Readonly<Record<string, Severity>> = {
  'session.refused': 'medium',
  'session.lost': 'high',
  'operation.indoubt': 'high',
  'alarm.raised': 'high',
  'alarm.cleared': 'low',
  'log.pruned': 'low',
  'log.sealed': 'high',
  'key.rotated': 'low',
  'evidence.shredded': 'low',
  'policy.activated': 'low',
  'policy.rejected': 'medium',
  'admin.token': 'low',
  'admin.resource': 'low',
  'admin.session': 'low',
  'admin.configuration': 'low',
  'recording.read': 'low',
  'log.recovered': 'medium',
  'clock.stepped': 'medium',
};

export function severityOf(facts: Facts): Severity {
  if (facts.status === 'cut' || facts.failed === true) return 'high';
  if (facts.verdict === 'deny') return 'medium';
  if (facts.shadow === 'deny') return 'low';
  return ofKind[facts.kind] ?? 'informational';
}

/** One line for people. */
export function messageOf(facts: Facts): string {
  const who = facts.subject ?? facts.by ?? facts.claimed;
  const what = facts.verb ?? facts.action ?? facts.alarm;
  const result = facts.verdict ?? facts.status;
  let message = facts.kind;
  if (result !== undefined) message += ` ${result}`;
  if (facts.reason !== undefined && facts.reason !== result) message += ` ${facts.reason}`;
  if (who !== undefined) message += ` by ${who}`;
  if (what !== undefined) message += ` ${what}`;
  if (facts.resource !== undefined) message += ` on ${facts.resource}`;
  else if (facts.object !== undefined) message += ` ${facts.object}`;
  return facts.message === undefined ? message : `${message} ${facts.message}`;
}
