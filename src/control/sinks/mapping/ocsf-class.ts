import type { Facts } from '../facts.ts';

export interface OcsfClass {
  readonly uid: number;
  readonly activity: number;
  /** Where something was decided: `action_id` and `disposition_id`. */
  readonly control?: { readonly action: number; readonly disposition: number };
}

// SPEC: OCSF 1.8.0, the dictionary's `action_id` and `disposition_id`.
const unknown = 0;
const allowed = 1;
const denied = 2;
const observed = 3;
const modified = 4;
const dispositions = {
  allowed: 1,
  blocked: 2,
  dropped: 6,
  approved: 8,
  corrected: 11,
  delayed: 14,
  logged: 17,
  rejected: 25,
  unauthorized: 26,
  error: 27,
} as const;

const authentication = 3002;
const entityManagement = 3004;
const userAccess = 3005;
const eventLog = 1008;
const lifecycle = 6002;
const finding = 2004;

const fixed: Readonly<Record<string, OcsfClass>> = {
  'session.opened': { uid: authentication, activity: 1, control: { action: allowed, disposition: dispositions.allowed } },
  'session.refused': { uid: authentication, activity: 1, control: { action: denied, disposition: dispositions.unauthorized } },
  'session.closed': { uid: authentication, activity: 2 },
  'session.lost': { uid: authentication, activity: 2 },
  // What waits is neither allowed nor denied yet.
  'approval.requested': { uid: userAccess, activity: 1, control: { action: unknown, disposition: dispositions.delayed } },
  'approval.answered': { uid: userAccess, activity: 1, control: { action: unknown, disposition: dispositions.delayed } },
  'approval.escalated': { uid: userAccess, activity: 1, control: { action: unknown, disposition: dispositions.delayed } },
  'approval.granted': { uid: userAccess, activity: 1, control: { action: allowed, disposition: dispositions.approved } },
  'approval.used': { uid: userAccess, activity: 1, control: { action: allowed, disposition: dispositions.allowed } },
  'approval.refused': { uid: userAccess, activity: 1, control: { action: denied, disposition: dispositions.rejected } },
  'approval.expired': { uid: userAccess, activity: 1, control: { action: denied, disposition: dispositions.rejected } },
  'approval.withdrawn': { uid: userAccess, activity: 1, control: { action: denied, disposition: dispositions.dropped } },
  'policy.activated': { uid: entityManagement, activity: 3 },
  'policy.rejected': { uid: entityManagement, activity: 3 },
  'rollout.moved': { uid: entityManagement, activity: 3 },
  'admin.token': { uid: entityManagement, activity: 3 },
  'admin.resource': { uid: entityManagement, activity: 3 },
  'admin.session': { uid: entityManagement, activity: 3 },
  'admin.configuration': { uid: entityManagement, activity: 3 },
  'recording.read': { uid: entityManagement, activity: 2 },
  'recording.chunk': { uid: eventLog, activity: 99 },
  'recording.closed': { uid: eventLog, activity: 99 },
  'alarm.raised': { uid: finding, activity: 1 },
  'alarm.cleared': { uid: finding, activity: 3 },
  'log.witnessed': { uid: eventLog, activity: 99 },
  'log.pruned': { uid: eventLog, activity: 2 },
  'log.sealed': { uid: eventLog, activity: 7 },
  'key.rotated': { uid: eventLog, activity: 5 },
  'evidence.shredded': { uid: eventLog, activity: 2 },
  'sink.test': { uid: eventLog, activity: 99 },
  'log.opened': { uid: lifecycle, activity: 3 },
  'log.recovered': { uid: lifecycle, activity: 3 },
  'log.heartbeat': { uid: eventLog, activity: 99 },
  'clock.stepped': { uid: eventLog, activity: 99 },
};

/** Class, activity and disposition of a record. */
export function classOf(facts: Facts): OcsfClass {
  if (facts.kind.startsWith('operation.')) return operationClass(facts);
  return fixed[facts.kind] ?? { uid: 0, activity: 99 };
}

function operationClass(facts: Facts): OcsfClass {
  const sql = facts.target === undefined || facts.target === 'sql';
  const uid = sql ? 6005 : 6003;
  return { uid, activity: (sql ? sqlActivity : apiActivity)(facts.verb ?? ''), control: operationControl(facts) };
}

function operationControl(facts: Facts): { action: number; disposition: number } {
  if (facts.kind === 'operation.decided') {
    if (facts.verdict === 'deny') return { action: denied, disposition: facts.failed === true ? dispositions.error : dispositions.blocked };
    if (facts.verdict === 'pending') return { action: unknown, disposition: dispositions.delayed };
    if (facts.shadow === 'deny') return { action: observed, disposition: dispositions.logged };
    return { action: allowed, disposition: dispositions.allowed };
  }
  if (facts.status === 'in-doubt') return { action: unknown, disposition: dispositions.error };
  if (facts.status === 'cut') return { action: denied, disposition: dispositions.error };
  if (facts.status === 'refused') return { action: denied, disposition: dispositions.blocked };
  if (facts.masked !== undefined || (facts.rowsWithheld ?? 0) > 0) return { action: modified, disposition: dispositions.corrected };
  return { action: allowed, disposition: dispositions.allowed };
}

/** The gravest first: a text of several statements is what its worst one is. */
const sqlActivities: readonly (readonly [number, readonly string[]])[] = [
  [7, ['delete', 'truncate', 'drop']],
  [2, ['update', 'merge', 'alter', 'grant', 'revoke', 'do', 'call', 'execute']],
  [6, ['insert', 'create']],
  [5, ['copy']],
  [4, ['select', 'explain', 'show', 'fetch', 'declare', 'values', 'table']],
];

function sqlActivity(verb: string): number {
  const verbs = verb.split(';');
  return sqlActivities.find(([, names]) => verbs.some((one) => names.includes(one)))?.[0] ?? 99;
}

const apiActivities: readonly (readonly [number, readonly string[]])[] = [
  [4, ['delete', 'deletecollection', 'remove']],
  [3, ['update', 'patch', 'put', 'apply']],
  [1, ['create', 'post', 'insert']],
  [2, ['get', 'list', 'watch', 'read', 'head']],
];

function apiActivity(verb: string): number {
  const verbs = verb.toLowerCase().split(';');
  return apiActivities.find(([, names]) => verbs.some((one) => names.includes(one)))?.[0] ?? 99;
}
