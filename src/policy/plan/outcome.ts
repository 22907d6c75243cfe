import { canonicalJson } from '#model';
import type { Decision, Obligation, Requirement, Verdict } from '#model';

/** What a decision means for the person who asked and for the point: everything but words and bookkeeping. */
export interface Outcome {
  readonly verdict: Verdict;
  readonly reason: string;
  /** Rules that decided. */
  readonly rules: readonly string[];
  readonly obligations: readonly Obligation[];
  readonly requirements: readonly Pick<Requirement, 'rule' | 'approval' | 'justification' | 'stepUp'>[];
  /** Equal for outcomes that mean the same. */
  readonly key: string;
}

/** What a grant is bound to contains the digest of the bundle, so it differs between any two bundles and is left out. */
export function outcomeOf(decision: Decision): Outcome {
  const { verdict, reason, decisive } = decision;
  const obligations = decision.obligations.toSorted((a, b) => (canonicalJson(a) < canonicalJson(b) ? -1 : 1));
  const requirements = decision.requirements.map(({ rule, approval, justification, stepUp }) => ({
    rule,
    ...(approval === undefined ? {} : { approval }),
    ...(justification === undefined ? {} : { justification }),
    ...(stepUp === undefined ? {} : { stepUp }),
  }));
  const asked = requirements.map(({ rule: _rule, ...terms }) => canonicalJson(terms)).sort();
  const limited = decision.limits?.map(({ rule: _rule, ...limit }) => canonicalJson(limit)).sort();
  return { verdict, reason, rules: decisive, obligations, requirements, key: canonicalJson({ verdict, obligations, asked, limited }) };
}

export type Direction = 'looser' | 'stricter' | 'different';

const strictness: Readonly<Record<Verdict, number>> = { allow: 0, pending: 1, deny: 2 };

export function directionOf(from: Outcome, to: Outcome): Direction {
  const step = strictness[to.verdict] - strictness[from.verdict];
  return step > 0 ? 'stricter' : step < 0 ? 'looser' : 'different';
}

/** The change in a few words: `allow ⇒ pending`, `allow ⇒ allow + mask − row_limit`. */
export function changeWords(from: Outcome, to: Outcome): string {
  const head = `${from.verdict} ⇒ ${to.verdict}`;
  if (from.verdict !== to.verdict) return head;
  const texts = (outcome: Outcome): string[] => outcome.obligations.map((obligation) => shortObligation(obligation));
  const [old, now] = [texts(from), texts(to)];
  const parts = [
    ...now.filter((text) => !old.includes(text)).map((text) => ` + ${text}`),
    ...old.filter((text) => !now.includes(text)).map((text) => ` − ${text}`),
  ];
  return parts.length === 0 ? `${head}, on other terms` : `${head}${parts.join('')}`;
}

function shortObligation(obligation: Obligation): string {
  const { type, ...rest } = obligation;
  return `${type} ${JSON.stringify(rest)}`;
}
