import type { Ledger } from '#ledger';
import { limits } from '#model';
import type { ApprovalTerms } from '#model';
import type { Work } from '../store/database.ts';
import type { RequestRow } from './rows.ts';
import type { StoredRequirement } from './tables.ts';

/** A request that asks more people from now on. */
export interface Escalated {
  readonly requirements: readonly StoredRequirement[];
  readonly expiresAt: number;
  /** Who is asked now, for people: groups, or `owner of the resource`. */
  readonly reviewers: readonly string[];
}

export interface Escalations {
  /**
   * Escalates a locked request whose time has come: recorded in the ledger, then stored. Undefined when one of the requirements that nobody
   * answered asks nobody else; the request then expires.
   */
  escalate(trx: Work, row: RequestRow): Promise<Escalated | undefined>;
  /** After a commit: what was recorded is stored. */
  settled(request: string): void;
}

/**
 * The terms under which a requirement can be met: as its rule says, and once it was escalated those of the second group too. Either of them
 * must be met as a whole.
 */
export function termsOf({ approval, escalatedAt }: StoredRequirement): readonly ApprovalTerms[] {
  const { escalateTo } = approval;
  if (escalateTo === undefined || escalatedAt === undefined) return [approval];
  const { reviewers, quorum } = escalateTo;
  return [approval, { ...approval, reviewers, quorum }];
}

/**
 * INVARIANT: each requirement is escalated at most once, and a request never waits longer than `limits.holdMsMax`. What the ledger says was
 * escalated is stored like that, however often the store fails in between.
 */
export function openEscalations({ ledger }: { ledger: Pick<Ledger, 'append'> }): Escalations {
  const recorded = new Map<string, Escalated>();
  return {
    async escalate(trx, row) {
      const known = recorded.get(row.id);
      const escalated = known ?? escalationOf(row);
      if (escalated === undefined) return undefined;
      if (known === undefined) {
        await ledger.append({
          kind: 'approval.escalated',
          session: row.session,
          request: row.id,
          operation: row.operation,
          rules: newlyEscalated(row, escalated).map(({ rule }) => rule),
          reviewers: escalated.reviewers,
          expiresAt: escalated.expiresAt,
        });
        recorded.set(row.id, escalated);
      }
      await trx
        .updateTable('approval_request')
        .set({ requirements: JSON.stringify(escalated.requirements), expires_at: escalated.expiresAt })
        .where('id', '=', row.id)
        .execute();
      return escalated;
    },
    settled: (request) => void recorded.delete(request),
  };
}

/** The request as it goes on after its expiry; undefined when it does not. */
function escalationOf(row: RequestRow): Escalated | undefined {
  const due = row.requirements.filter((one) => deadlineOf(one, row.opened_at) <= row.expires_at);
  if (due.length === 0 || due.some(({ approval, escalatedAt }) => approval.escalateTo === undefined || escalatedAt !== undefined))
    return undefined;
  // From the expiry that was told, not from the look at the clock: the gateway that waits reckons with the same end.
  const requirements = row.requirements.map((one) => (due.includes(one) ? { ...one, escalatedAt: row.expires_at } : one));
  const deadlines = requirements.map((one) => deadlineOf(one, row.opened_at));
  const expiresAt = Math.min(row.opened_at + limits.holdMsMax, ...deadlines);
  if (expiresAt <= row.expires_at) return undefined;
  return { requirements, expiresAt, reviewers: askedLater(due) };
}

/** As another replica escalated it. */
export function escalatedElsewhere({ requirements, expires_at }: RequestRow): Escalated {
  return {
    requirements,
    expiresAt: expires_at,
    reviewers: askedLater(requirements.filter(({ escalatedAt }) => escalatedAt !== undefined)),
  };
}

function askedLater(requirements: readonly StoredRequirement[]): readonly string[] {
  const asked = requirements.flatMap(({ approval }) => approval.escalateTo?.reviewers ?? []);
  return [...new Set(asked.map(({ group }) => group ?? 'owner of the resource'))];
}

function deadlineOf({ approval, escalatedAt }: StoredRequirement, openedAt: number): number {
  if (escalatedAt === undefined) return openedAt + approval.timeoutMs;
  return escalatedAt + (approval.escalateTo?.timeoutMs ?? 0);
}

function newlyEscalated(row: RequestRow, { requirements }: Escalated): readonly StoredRequirement[] {
  return requirements.filter((one, i) => one.escalatedAt !== undefined && row.requirements[i]?.escalatedAt === undefined);
}
