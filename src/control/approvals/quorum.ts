import type { ApprovalTerms, Reviewers, Subject } from '#model';

/** Somebody who says something about a request. */
export interface Answerer {
  readonly id: string;
  readonly type: Subject['type'];
  readonly groups: readonly string[];
}

/** Who asks for what: what decides who may not, and who may, answer. */
export interface Asked {
  readonly requester: { readonly id: string; readonly onBehalfOf?: string };
  readonly resource: { readonly owner: string };
}

/**
 * True when this answer can count for the requirement: a human, not the requester nor the one the requester acts for, who is one of the reviewers.
 *
 * INVARIANT: agents and services never count, so neither do the requester's own; nobody ever approves what they asked for, whatever the
 * rule's `excludeRequester` says.
 */
export function mayAnswer(terms: ApprovalTerms, asked: Asked, who: Answerer): boolean {
  if (who.type !== 'user') return false;
  if (who.id === asked.requester.id || who.id === asked.requester.onBehalfOf) return false;
  return terms.reviewers.some((reviewers) => belongs(reviewers, asked, who));
}

/** The distinct ids of those whose approval counts for the requirement. */
export function counted(terms: ApprovalTerms, asked: Asked, approvers: readonly Answerer[]): readonly string[] {
  return [...new Set(approvers.filter((who) => mayAnswer(terms, asked, who)).map((who) => who.id))];
}

/** True when enough distinct humans agree: the quorum over all, and the minimum of each reviewer entry. */
export function satisfied(terms: ApprovalTerms, asked: Asked, approvers: readonly Answerer[]): boolean {
  const counting = approvers.filter((who) => mayAnswer(terms, asked, who));
  if (distinct(counting) < Math.max(1, terms.quorum)) return false;
  return terms.reviewers.every((reviewers) => distinct(counting.filter((who) => belongs(reviewers, asked, who))) >= reviewers.min);
}

function belongs(reviewers: Reviewers, asked: Asked, who: Answerer): boolean {
  if (reviewers.group !== undefined && who.groups.includes(reviewers.group)) return true;
  return reviewers.ownerOf === 'resource' && (who.id === asked.resource.owner || who.groups.includes(asked.resource.owner));
}

function distinct(who: readonly Answerer[]): number {
  return new Set(who.map((one) => one.id)).size;
}
