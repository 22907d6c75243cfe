import { sql } from 'kysely';
import { Fault } from '#model';
import type { Subject } from '#model';
import type { Database } from '../store/database.ts';
import type { Sealing } from '../store/sealing.ts';
import { textContext } from './hold.ts';
import { termsOf } from './escalation.ts';
import { counted } from './quorum.ts';
import type { Answerer } from './quorum.ts';
import type { AnswerRow, RequestRow } from './rows.ts';
import { answersOf, approversOf, askedOf, mayAnswerRequest } from './rows.ts';
import type { RequestStatus } from './state.ts';
import type { StoredRequirement } from './tables.ts';

/** A request as somebody sees it, with the exact text. */
export interface RequestView {
  readonly id: string;
  readonly status: RequestStatus;
  readonly session: string;
  readonly operation: string;
  readonly decision: string;
  readonly requester: { id: string; name: string; groups: string[]; onBehalfOf?: string };
  readonly resource: { id: string; name: string; owner: string };
  readonly source: string;
  readonly client: string;
  readonly verb: string;
  readonly objects: string[];
  readonly text: string;
  readonly parameters: (string | null)[];
  readonly requirements: {
    rule: string;
    reason: string;
    message: string;
    quorum: number;
    approvals: number;
    reviewers: ReviewersView[];
    escalation?: { at?: number; quorum: number; approvals: number; reviewers: ReviewersView[] };
  }[];
  readonly answers: { by: string; answer: 'approve' | 'refuse'; at: number; comment?: string }[];
  readonly openedAt: number;
  readonly expiresAt: number;
  readonly endedAt?: number;
  readonly comment?: string;
  readonly bundle: string;
  readonly mayAnswer: boolean;
  /** The viewer is a reviewer of it, whether it still waits or not. */
  readonly reviewer: boolean;
}

interface ReviewersView {
  readonly group?: string;
  readonly ownerOf?: 'resource';
  readonly min: number;
}

export interface RequestQuery {
  readonly viewer: Subject;
  readonly status?: RequestStatus;
  readonly after?: string;
  readonly limit: number;
}

/** True for readers who see every request, not only theirs and those they could answer. */
export function seesAllRequests(viewer: Subject): boolean {
  return viewer.roles.includes('auditor') || viewer.roles.includes('administrator');
}

/** Requests that the viewer may see, newest first. */
export async function listRequests(db: Database, sealing: Sealing, { viewer, status, after, limit }: RequestQuery): Promise<RequestView[]> {
  let query = db.selectFrom('approval_request').selectAll().where(visibleTo(viewer)).orderBy('id', 'desc').limit(limit);
  if (status !== undefined) query = query.where('status', '=', status);
  if (after !== undefined) query = query.where('id', '<', after);
  const rows = await query.execute();
  const answers = await answersOf(
    db,
    rows.map((row) => row.id),
  );
  return rows.map((row) => viewOf(row, answers.get(row.id) ?? [], { viewer, sealing }));
}

/** One request; NOT_FOUND also when the viewer may not see it. */
export async function findRequest(db: Database, sealing: Sealing, { viewer, id }: { viewer: Subject; id: string }): Promise<RequestView> {
  const row = await db.selectFrom('approval_request').selectAll().where('id', '=', id).where(visibleTo(viewer)).executeTakeFirst();
  if (row === undefined) throw new Fault('NOT_FOUND', `there is no request ${id}`);
  return viewOf(row, (await answersOf(db, [id])).get(id) ?? [], { viewer, sealing });
}

/** The same law as `mayAnswer`, in SQL, so that a page can be cut by the database; `viewOf` says whether the answer would count. */
function visibleTo(viewer: Subject) {
  if (seesAllRequests(viewer)) return sql<boolean>`true`;
  const own = sql<boolean>`(requester_id = ${viewer.id} or requester ->> 'onBehalfOf' = ${viewer.id})`;
  if (!viewer.roles.includes('reviewer')) return own;
  const groups = [...viewer.groups];
  return sql<boolean>`(${own} or exists (
    select from jsonb_array_elements(requirements) requirement, jsonb_array_elements(
      (requirement -> 'approval' -> 'reviewers')
        || case when requirement ? 'escalatedAt' then requirement -> 'approval' -> 'escalateTo' -> 'reviewers' else '[]'::jsonb end
    ) reviewers
    where reviewers ->> 'group' = any(${groups}::text[])
      or (reviewers ->> 'ownerOf' = 'resource' and resource ->> 'owner' = any(${[...groups, viewer.id]}::text[]))
  ))`;
}

function viewOf(row: RequestRow, answers: readonly AnswerRow[], { viewer, sealing }: { viewer: Subject; sealing: Sealing }): RequestView {
  const { text, parameters } = sealing.open(row.text, textContext(row.id)) as {
    // The value that `insertHold` sealed; the seal proves that it is unchanged.
    text: string;
    parameters: (string | null)[];
  };
  const approvers = approversOf(answers);
  const reviewer = viewer.roles.includes('reviewer') && mayAnswerRequest(row, viewer);
  return {
    id: row.id,
    status: row.status,
    session: row.session,
    operation: row.operation,
    decision: row.decision,
    requester: { ...row.requester, groups: [...row.requester.groups] },
    resource: row.resource,
    source: row.source,
    client: row.client,
    verb: row.verb,
    objects: [...row.objects],
    text,
    parameters,
    requirements: row.requirements.map((requirement) => ({
      rule: requirement.rule,
      reason: requirement.reason,
      message: requirement.message,
      quorum: requirement.approval.quorum,
      approvals: counted(requirement.approval, askedOf(row), approvers).length,
      reviewers: requirement.approval.reviewers.map((one) => ({ ...one })),
      ...escalationView(requirement, row, approvers),
    })),
    answers: answers.map((one) => ({
      by: one.subject,
      answer: one.answer,
      at: one.at,
      ...(one.comment === null ? {} : { comment: one.comment }),
    })),
    openedAt: row.opened_at,
    expiresAt: row.expires_at,
    ...(row.ended_at === null ? {} : { endedAt: row.ended_at }),
    ...(row.comment === null ? {} : { comment: row.comment }),
    bundle: row.bundle,
    mayAnswer: row.status === 'waiting' && reviewer,
    reviewer,
  };
}

function escalationView(
  requirement: StoredRequirement,
  row: RequestRow,
  approvers: readonly Answerer[],
): Pick<RequestView['requirements'][number], 'escalation'> {
  const { approval, escalatedAt } = requirement;
  if (approval.escalateTo === undefined) return {};
  const { quorum, reviewers } = approval.escalateTo;
  const [, second] = termsOf(requirement);
  return {
    escalation: {
      ...(escalatedAt === undefined ? {} : { at: escalatedAt }),
      quorum,
      approvals: second === undefined ? 0 : counted(second, askedOf(row), approvers).length,
      reviewers: reviewers.map((one) => ({ ...one })),
    },
  };
}
