import { canonicalJson, maskStrategies } from '#model';
import type { Decision, Obligation, Requirement, Verdict } from '#model';
import { mergeObligations } from '../decide/merge.ts';
import { labelMatches } from '../match/glob.ts';

/** What a decision means for the person who asked and for the point: everything but words and bookkeeping. */
export interface Outcome {
  readonly verdict: Verdict;
  readonly reason: string;
  /** Rules that decided. */
  readonly rules: readonly string[];
  readonly obligations: readonly Obligation[];
  readonly requirements: readonly Pick<Requirement, 'rule' | 'approval' | 'justification' | 'stepUp'>[];
  /** Counters that are charged, by name, with what they let through in a second. */
  readonly limits: Readonly<Record<string, number>>;
  /** Equal for outcomes that mean the same. */
  readonly key: string;
}

/** What a grant is bound to contains the digest of the bundle, so it differs between any two bundles and is left out. */
export function outcomeOf(decision: Decision): Outcome {
  const { verdict, reason } = decision;
  // Where nothing but a change of the result speaks, the rules that change it are behind the outcome.
  const changing = decision.matched.filter(({ effect, mode }) => mode === 'enforce' && (effect === 'transform' || effect === 'limit'));
  const decisive = decision.decisive.length > 0 ? decision.decisive : changing.map(({ rule }) => rule);
  const limits = Object.fromEntries((decision.limits ?? []).map(({ name, max, perMs }) => [name, (max * 1_000) / perMs]));
  const obligations = decision.obligations.toSorted((a, b) => (canonicalJson(a) < canonicalJson(b) ? -1 : 1));
  const requirements = decision.requirements.map(({ rule, approval, justification, stepUp }) => ({
    rule,
    ...(approval === undefined ? {} : { approval }),
    ...(justification === undefined ? {} : { justification }),
    ...(stepUp === undefined ? {} : { stepUp }),
  }));
  const asked = requirements.map(({ rule: _rule, ...terms }) => canonicalJson(terms)).sort();
  const limited = decision.limits?.map(({ rule: _rule, ...limit }) => canonicalJson(limit)).sort();
  return {
    verdict,
    reason,
    rules: decisive,
    obligations,
    requirements,
    limits,
    key: canonicalJson({ verdict, obligations, asked, limited }),
  };
}

export type Direction = 'looser' | 'stricter' | 'different';

const strictness: Readonly<Record<Verdict, number>> = { allow: 0, pending: 1, deny: 2 };

export function directionOf(from: Outcome, to: Outcome): Direction {
  const step = strictness[to.verdict] - strictness[from.verdict];
  if (step !== 0) return step > 0 ? 'stricter' : 'looser';
  return agreed([byObligations(from, to), byTerms(from.requirements, to.requirements), byLimits(from, to)]);
}

/** What several comparisons say together; `undefined` says nothing. */
function agreed(parts: readonly (Direction | undefined)[]): Direction {
  const said = new Set(parts.filter((part) => part !== undefined));
  const [only] = said;
  return said.size === 1 && only !== undefined ? only : 'different';
}

/** The join of both is what either asks for at least: the one that equals it is the stricter one. */
function byObligations(from: Outcome, to: Outcome): Direction | undefined {
  const key = (obligations: readonly Obligation[]): string =>
    withoutWeaker(obligations)
      .map((one) => canonicalJson(one))
      .sort()
      .join();
  const [old, now] = [key(from.obligations), key(to.obligations)];
  if (old === now) return undefined;
  const owed = [...from.obligations, ...to.obligations].map((obligation) => ({ obligation, priority: 0, rule: '' }));
  const { obligations, conflict } = mergeObligations(owed);
  if (conflict.length > 0) return 'different';
  const joint = key(obligations);
  return joint === now ? 'stricter' : joint === old ? 'looser' : 'different';
}

/** Masks stand side by side; one that another one makes pointless says nothing. */
function withoutWeaker(obligations: readonly Obligation[]): readonly Obligation[] {
  return obligations.filter(
    (one) => one.type !== 'mask' || !obligations.some((other) => other !== one && other.type === 'mask' && outdoes(other, one)),
  );
}

function outdoes(stricter: Extract<Obligation, { type: 'mask' }>, mask: Extract<Obligation, { type: 'mask' }>): boolean {
  const { labels, lineage } = stricter.select.columns;
  const covers = mask.select.columns.labels.every((label) => labels.some((wider) => label === wider || labelMatches(wider, label)));
  const higher = maskStrategies.indexOf(stricter.with.strategy) > maskStrategies.indexOf(mask.with.strategy);
  return higher && covers && (lineage === undefined || lineage === mask.select.columns.lineage);
}

function byTerms(from: Outcome['requirements'], to: Outcome['requirements']): Direction | undefined {
  const terms = (list: Outcome['requirements']): Set<string> => new Set(list.map(({ rule: _rule, ...rest }) => canonicalJson(rest)));
  const [old, now] = [terms(from), terms(to)];
  const kept = [...old].every((term) => now.has(term));
  const known = [...now].every((term) => old.has(term));
  if (kept && known) return undefined;
  const quorums = (list: Outcome['requirements']): number => list.reduce((sum, { approval }) => sum + (approval?.quorum ?? 0), 0);
  const rest = (list: Outcome['requirements']): string =>
    canonicalJson(
      list.map(({ approval, ...other }) => (approval === undefined ? other : { ...other, approval: { ...approval, quorum: 0 } })),
    );
  if (rest(from) === rest(to)) return quorums(to) > quorums(from) ? 'stricter' : 'looser';
  return kept ? 'stricter' : known ? 'looser' : 'different';
}

function byLimits(from: Outcome, to: Outcome): Direction | undefined {
  const names = new Set([...Object.keys(from.limits), ...Object.keys(to.limits)]);
  const parts = [...names].map((name): Direction | undefined => {
    const [old, now] = [from.limits[name], to.limits[name]];
    if (old === undefined) return 'stricter';
    if (now === undefined) return 'looser';
    return old === now ? undefined : now < old ? 'stricter' : 'looser';
  });
  return parts.every((part) => part === undefined) ? undefined : agreed(parts);
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
  const quorum = (outcome: Outcome): number => outcome.requirements.reduce((sum, { approval }) => sum + (approval?.quorum ?? 0), 0);
  if (quorum(from) !== quorum(to)) parts.push(`, ${quorum(from)} ⇒ ${quorum(to)} approvals`);
  for (const name of new Set([...Object.keys(from.limits), ...Object.keys(to.limits)])) {
    const [before, after] = [from.limits[name], to.limits[name]];
    if (before !== after) parts.push(`, limit ${name} ${perMinute(before)} ⇒ ${perMinute(after)}`);
  }
  return parts.length === 0 ? `${head}, on other terms` : `${head}${parts.join('')}`;
}

function perMinute(rate: number | undefined): string {
  return rate === undefined ? 'none' : `${Math.round(rate * 60_000) / 1_000} a minute`;
}

function shortObligation(obligation: Obligation): string {
  if (obligation.type === 'mask') {
    const { labels, lineage } = obligation.select.columns;
    return `mask ${labels.join(', ')}${lineage === undefined ? '' : ' of unknown origin'} (${obligation.with.strategy})`;
  }
  if (obligation.type === 'row_limit') return `row limit ${obligation.max}`;
  const { type, ...rest } = obligation;
  return `${type} ${JSON.stringify(rest)}`;
}
