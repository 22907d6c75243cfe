import type { Selectable } from 'kysely';
import { Fault, unreachable } from '#model';
import type { HoldResolution } from '#model';
import type { Database, Work } from '../store/database.ts';
import type { ControlKeys } from '../store/keys.ts';
import { signedGrant } from './grants.ts';
import { termsOf } from './escalation.ts';
import type { Answerer, Asked } from './quorum.ts';
import { mayAnswer, satisfied } from './quorum.ts';
import type { ApprovalTables } from './tables.ts';

export type RequestRow = Selectable<ApprovalTables['approval_request']>;
export type AnswerRow = Selectable<ApprovalTables['approval_answer']>;

/** The request, locked until the end of the transaction. Throws NOT_FOUND. */
export async function lockRequest(trx: Work, id: string): Promise<RequestRow> {
  const row = await trx.selectFrom('approval_request').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
  if (row === undefined) throw new Fault('NOT_FOUND', `there is no request ${id}`);
  return row;
}

/** Answers by request, oldest first. */
export async function answersOf(db: Database | Work, requests: readonly string[]): Promise<ReadonlyMap<string, readonly AnswerRow[]>> {
  const grouped = new Map<string, AnswerRow[]>(requests.map((id) => [id, []]));
  if (requests.length === 0) return grouped;
  const rows = await db
    .selectFrom('approval_answer')
    .selectAll()
    .where('request', 'in', requests)
    .orderBy('at')
    .orderBy('subject')
    .execute();
  for (const row of rows) grouped.get(row.request)?.push(row);
  return grouped;
}

export function askedOf(row: RequestRow): Asked {
  return { requester: row.requester, resource: row.resource };
}

/** Those who agreed. Only humans can have answered, that was checked when they did. */
export function approversOf(answers: readonly AnswerRow[]): readonly Answerer[] {
  return answers.filter((one) => one.answer === 'approve').map((one) => ({ id: one.subject, type: 'user', groups: one.groups }));
}

/** True when the answer of `who` counts for at least one requirement. */
export function mayAnswerRequest(row: RequestRow, who: Answerer): boolean {
  return row.requirements.some((requirement) => termsOf(requirement).some((terms) => mayAnswer(terms, askedOf(row), who)));
}

export function requestSatisfied(row: RequestRow, approvers: readonly Answerer[]): boolean {
  return row.requirements.every((requirement) => termsOf(requirement).some((terms) => satisfied(terms, askedOf(row), approvers)));
}

/** What became of a request that has ended, as a sentence for somebody who comes too late: `request req_… was refused by user:bob at 2026-…Z`. */
export function fateOf(row: RequestRow): string {
  const by = (row.ended_by ?? []).join(', ');
  const at = new Date(row.ended_at ?? row.expires_at).toISOString();
  const about = row.comment === null ? '' : `: ${row.comment}`;
  switch (row.status) {
    case 'waiting':
      return `request ${row.id} is waiting`;
    case 'approved':
      return `request ${row.id} was approved by ${by} at ${at} already; one approval releases it once`;
    case 'used':
      return `request ${row.id} was approved by ${by} at ${at}, and has run; the same statement again is a new request`;
    case 'refused':
      return `request ${row.id} was refused by ${by} at ${at}${about}`;
    case 'expired':
      return `request ${row.id} expired at ${at}: nobody answered in time`;
    case 'withdrawn':
      return `request ${row.id} was withdrawn at ${at}${about === '' ? ': nobody waits for it any more' : about}`;
    default:
      return unreachable(row.status);
  }
}

/** What the gateway is told about a request that ended with an answer or without one; `undefined` for any other state. */
export function resolutionOf(row: RequestRow, keys: ControlKeys): HoldResolution | undefined {
  if (row.status !== 'approved' && row.status !== 'refused' && row.status !== 'expired') return undefined;
  const grants = row.status === 'approved' ? (row.grants ?? {}) : {};
  return {
    request: row.id,
    status: row.status,
    by: row.ended_by ?? [],
    ...(row.comment === null ? {} : { comment: row.comment }),
    grants: row.requirements.flatMap((requirement) => {
      const grant = grants[requirement.grant];
      return grant === undefined ? [] : [signedGrant(keys, row.operation, { requirement, grant })];
    }),
  };
}
