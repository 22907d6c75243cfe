import type { Facts } from '../facts.ts';
import { classOf } from './ocsf-class.ts';
import { actorOf, endpointOf, subjectOf } from './ocsf-objects.ts';
import { messageOf, severityOf } from './severity.ts';

const severities = { informational: 1, low: 2, medium: 3, high: 4 } as const;

/** An event of the Open Cybersecurity Schema Framework: an object to be written as JSON, which leaves out members that are undefined. */
export type OcsfEvent = Readonly<Record<string, unknown>>;

/**
 * Maps a record to one OCSF event. Every kind has a class; one that is not known becomes a base event and is not lost.
 *
 * SPEC: OCSF 1.8.0, with the profile security_control where something was decided. docs/formats/ocsf.md has the table.
 */
export function ocsfOf(facts: Facts): OcsfEvent {
  const { uid, activity, control } = classOf(facts);
  const severity = severityOf(facts);
  return {
    ...objectsOf(uid, facts),
    class_uid: uid,
    category_uid: Math.floor(uid / 1000),
    activity_id: activity,
    type_uid: uid * 100 + activity,
    severity_id: severities[severity],
    time: facts.t,
    message: messageOf(facts),
    status_id: statusOf(facts),
    status_code: facts.code,
    status_detail: facts.status ?? facts.reason,
    duration: facts.durationMs === undefined ? undefined : Math.round(facts.durationMs),
    ...(control === undefined ? {} : controlOf(facts, control, severity === 'high')),
    metadata: {
      version: '1.8.0',
      product: { name: 'Warder', vendor_name: 'Warder', version: versionOf(facts) },
      profiles: control === undefined ? [] : ['security_control'],
      uid: facts.key,
      original_event_uid: facts.key,
      event_code: facts.kind,
      log_name: facts.origin,
      sequence: facts.i,
      correlation_uid: facts.session,
    },
    unmapped: unmappedOf(facts),
  };
}

function controlOf(facts: Facts, control: { action: number; disposition: number }, alert: boolean): Record<string, unknown> {
  return {
    action_id: control.action,
    disposition_id: control.disposition,
    is_alert: alert,
    policy: facts.rules?.[0] === undefined ? undefined : { name: facts.rules[0], uid: facts.bundle },
    authorizations: facts.rules?.map((rule) => ({ decision: facts.verdict, policy: { name: rule } })),
  };
}

/** Success, failure, something else; 0 when nobody knows. */
function statusOf(facts: Facts): number {
  if (facts.status === 'in-doubt') return 0;
  if (facts.status !== undefined) return { done: 1, cancelled: 99 }[facts.status] ?? 2;
  if (facts.verdict !== undefined) return { allow: 1, pending: 99 }[facts.verdict] ?? 2;
  return failures.has(facts.kind) ? 2 : 1;
}

const failures = new Set(['session.refused', 'approval.refused', 'approval.expired', 'approval.withdrawn', 'policy.rejected']);

/** What each class asks for. */
function objectsOf(uid: number, facts: Facts): Record<string, unknown> {
  switch (uid) {
    case 6005:
      return {
        actor: actorOf(facts),
        src_endpoint: endpointOf(facts),
        type_id: 1,
        database: { uid: facts.resource ?? 'unknown', type_id: 1 },
        table: facts.objects?.[0] === undefined ? undefined : { name: facts.objects[0], uid: facts.objects[0] },
        query_info: facts.normalized === undefined ? undefined : { query_string: facts.normalized, uid: facts.operation },
      };
    case 6003:
      return {
        actor: actorOf(facts),
        src_endpoint: endpointOf(facts),
        api: { operation: facts.verb ?? 'unknown' },
        resources: facts.resource === undefined ? undefined : [{ uid: facts.resource }],
      };
    case 3002:
      return {
        user: subjectOf(facts),
        session: facts.session === undefined ? undefined : { uid: facts.session },
        src_endpoint: endpointOf(facts),
        service: { name: facts.point ?? 'warder', uid: facts.resource ?? 'unknown' },
        auth_protocol_id: facts.authentication === undefined ? undefined : 99,
        auth_protocol: facts.authentication,
        is_remote: true,
      };
    case 3005:
      return {
        actor:
          facts.by === undefined && facts.approvers === undefined ? undefined : { user: { uid: facts.by ?? facts.approvers?.join(' ') } },
        user: subjectOf(facts),
        privileges: facts.rules ?? [],
        resources: facts.resource === undefined ? undefined : [{ uid: facts.resource }],
        src_endpoint: facts.source === undefined ? undefined : endpointOf(facts),
      };
    case 3004:
      return {
        actor: { user: { uid: facts.by ?? 'unknown' } },
        entity: { uid: facts.object ?? facts.session ?? 'unknown', type: facts.kind },
        comment: facts.action,
      };
    case 2004:
      // One finding for each alarm about each thing, so that its end finds its beginning.
      return {
        finding_info: {
          uid: `${facts.origin} ${facts.alarm ?? 'unknown'} ${facts.object ?? ''}`.trimEnd(),
          title: facts.alarm ?? 'unknown',
          desc: facts.message,
          types: [facts.alarm ?? 'unknown'],
        },
        resources: facts.object === undefined ? undefined : [{ uid: facts.object }],
      };
    case 6002:
      return { app: { name: 'Warder', uid: facts.origin, vendor_name: 'Warder' } };
    case 1008:
      return { log_name: facts.origin, log_type_id: 99, log_type: 'Warder ledger' };
    default:
      return {};
  }
}

/** What OCSF has no place for, under our own names; among it all that leads back to the ledger. */
function unmappedOf(facts: Facts): Record<string, unknown> {
  return {
    duplicate: facts.duplicate,
    leaf: facts.leaf,
    onBehalfOf: facts.onBehalfOf,
    decision: facts.decision,
    verdict: facts.verdict,
    shadow: facts.shadow,
    certainty: facts.certainty,
    objects: facts.objects,
    obligations: facts.obligations,
    reads: facts.reads,
    commit: facts.commit,
    rows: facts.rows,
    rowsChanged: facts.rowsChanged,
    rowsWithheld: facts.rowsWithheld,
    masked: facts.masked,
    request: facts.request,
    groups: facts.groups,
    client: facts.client,
    comment: facts.comment,
    claimed: facts.claimed,
    token: facts.token,
    n: facts.n,
    bytesUp: facts.bytesUp,
    bytesDown: facts.bytesDown,
    approvers: facts.approvers,
  };
}

function versionOf({ build }: Facts): string | undefined {
  return build?.slice(build.lastIndexOf(' ') + 1);
}
