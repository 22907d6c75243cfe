import type { DecisionRequest, LimitCharge, Obligation, Requirement, Verdict } from '#model';
import type { Hit } from '../compile/candidate.ts';
import type { Compiled } from '../compile/compiled.ts';
import { escalation } from '../compile/require.ts';
import { compareText } from '../problem.ts';
import type { Evaluation } from './condition.ts';
import { chargesOf, counterName } from './limit.ts';
import type { Charge, Charges } from './limit.ts';
import { conflictMessage, mergeObligations } from './merge.ts';
import type { Owed } from './merge.ts';
import { owedBy } from './obligation.ts';
import { answered, boundOf, challengesOf, openPart } from './requirement.ts';

export interface Conclusion {
  readonly verdict: Verdict;
  readonly reason: string;
  readonly message: string;
  readonly obligations: readonly Obligation[];
  readonly requirements: readonly Requirement[];
  readonly grantsUsed: readonly string[];
  readonly decisive: readonly string[];
  readonly limits?: readonly LimitCharge[] | undefined;
  /** Obligations beside a refusal that the point cannot fulfil; the refusal stands all the same. */
  readonly unfulfilled: readonly string[];
}

export interface Case {
  readonly compiled: Compiled;
  readonly request: DecisionRequest;
  readonly evaluation: Evaluation;
  /** The rules that count, in the order of their ids. */
  readonly hits: readonly Hit[];
}

/**
 * From applicable rules to a verdict, in this order: a deny that nothing overrides; challenges that are not answered; a grant by an
 * allow rule where the target's default is to deny; obligations the rules contribute; the point's ability to make them true.
 */
export function conclude(of: Case): Conclusion {
  const { allow, deny, require, owing, limiting } = byEffect(of.hits);
  const denies = allow.length === 0 || deny.length === 0 ? deny : deny.filter((hit) => !allow.some((one) => overrides(one, hit)));
  if (denies.length > 0) return refuseBy(denies, of);

  const challenged = require.length === 0 ? unchallenged : challenge(require, of);
  if (challenged.requirements.length > 0) return pending(challenged, of);

  if (allow.length === 0 && !allowedByDefault(of)) return refuse(of, 'NO_MATCHING_ALLOW', { message: noAllowMessage });

  // No deny is left that counts, so everything that is left contributes.
  const owed = owing ? collect(deny.length === 0 ? of.hits : of.hits.filter((hit) => hit.effect !== 'deny'), of) : nothingOwed;
  if (!owed.ok) return refuse(of, 'EVALUATION_ERROR', { message: evaluationMessage, decisive: [owed.rule] });
  const merged = mergeObligations(owed.owed);
  if (merged.conflict.length > 0) return refuse(of, 'OBLIGATION_CONFLICT', { message: conflictMessage, decisive: merged.conflict });
  const missing = missingNeed(merged.obligations, of.request.can);
  if (missing !== undefined) {
    const rules = owed.owed.filter(({ obligation }) => missingNeed([obligation], of.request.can) === missing).map(({ rule }) => rule);
    return refuse(of, 'CANNOT_ENFORCE', { message: cannotMessage(missing), decisive: [...new Set(rules)] });
  }
  // Last of all: what is refused for another reason must not use up anybody's quota.
  const limited = limiting ? chargesOf(of.hits, of.evaluation) : unlimited;
  if (!limited.ok) return refuse(of, 'EVALUATION_ERROR', { message: evaluationMessage, decisive: [limited.rule] });
  const paid = limiting ? withoutUnits(limited.charges, of) : nothingCharged;
  if ('stopped' in paid) return paid.stopped;
  const first = firstInRank(allow);
  return {
    limits: paid.charges.length === 0 ? undefined : paid.charges,
    verdict: 'allow',
    reason: first?.rule.reason ?? 'ALLOWED',
    message: first === undefined ? '' : messageOf(first, of),
    obligations: merged.obligations,
    requirements: none,
    grantsUsed: paid.used.length === 0 ? challenged.used : [...new Set([...challenged.used, ...paid.used])].sort(),
    decisive: ids(require.length === 0 && paid.released.length === 0 ? allow : [...allow, ...require, ...paid.released]),
    unfulfilled: none,
  };
}

const none: readonly never[] = Object.freeze([]);

interface ByEffect {
  readonly allow: readonly Hit[];
  readonly deny: readonly Hit[];
  readonly require: readonly Hit[];
  /** Some rule brings obligations. */
  readonly owing: boolean;
  readonly limiting: boolean;
}

/** Tells the hits apart in one pass over them: this is the hot path. */
function byEffect(hits: readonly Hit[]): ByEffect {
  let allow: Hit[] | undefined;
  let deny: Hit[] | undefined;
  let require: Hit[] | undefined;
  let [owing, limiting] = [false, false];
  for (const hit of hits) {
    if (hit.effect === 'allow') allow = joined(allow, hit);
    else if (hit.effect === 'deny') deny = joined(deny, hit);
    else if (hit.effect === 'require') require = joined(require, hit);
    else if (hit.effect === 'limit') limiting = true;
    if (hit.obligations.length > 0) owing = true;
  }
  return { allow: allow ?? none, deny: deny ?? none, require: require ?? none, owing, limiting };
}

/** A list that grows from nothing takes room for many; mostly there are one or two. */
function joined(list: Hit[] | undefined, hit: Hit): Hit[] {
  if (list === undefined) return [hit];
  list.push(hit);
  return list;
}

const unlimited: Charges = { ok: true, charges: none };

/** What is left to be paid, the limits that a grant lifted, and the grants; or why the operation does not pass. */
type Paid =
  | { readonly charges: readonly LimitCharge[]; readonly released: readonly Hit[]; readonly used: readonly string[] }
  | { readonly stopped: Conclusion };

const nothingCharged = { charges: none, released: none, used: none };

/** What becomes of counters that the asker found without units: a refusal, nothing, or a challenge whose grant releases this one operation. */
function withoutUnits(charges: readonly Charge[], of: Case): Paid {
  const { exceeded = none } = of.request;
  const isExceeded = ({ charge }: Charge): boolean => exceeded.includes(counterName(charge));
  const empty = exceeded.length === 0 ? none : charges.filter(isExceeded);
  if (empty.length === 0) return { ...nothingCharged, charges: charges.map(({ charge }) => charge) };
  const refusing = empty.find(({ charge }) => charge.onExceed === 'deny');
  if (refusing !== undefined) {
    const { rule, reason, message } = refusing.charge;
    return { stopped: refuse(of, reason, { message, decisive: [rule] }) };
  }
  const asking = empty.filter(({ charge }) => charge.onExceed === 'escalate');
  const reasons = new Map(asking.map(({ charge }) => [charge.rule, charge]));
  const hits = [...new Set(asking.map(({ hit }) => hit))].map((hit): Hit => ({ ...hit, require: hit.require ?? escalation }));
  const challenged = challenge(hits, of);
  if (challenged.requirements.length > 0) {
    const requirements = challenged.requirements.map((one) => {
      const { reason = one.reason, message = one.message } = reasons.get(one.rule) ?? {};
      return { ...one, reason, message };
    });
    return { stopped: pending({ ...challenged, requirements }, of) };
  }
  return { charges: charges.filter((one) => !isExceeded(one)).map(({ charge }) => charge), released: hits, used: challenged.used };
}

/** What one of the obligations needs and the point cannot do: its type, or `recording` where every byte must be kept. */
function missingNeed(obligations: readonly Obligation[], can: readonly string[]): string | undefined {
  for (const obligation of obligations) {
    if (!can.includes(obligation.type)) return obligation.type;
    if (obligation.type === 'record' && obligation.recording === 'required' && !can.includes('recording')) return 'recording';
  }
  return undefined;
}

const noAllowMessage = 'No policy allows this operation. Ask the owner of the resource for access.';
const evaluationMessage = 'A policy could not be evaluated for this operation, so it was refused. Tell the policy owner.';
const refusedMessage = 'A policy refuses this operation.';
const requiredMessage = 'A policy asks for more before this operation may run.';

function cannotMessage(what: string): string {
  return `A policy asks for "${what}" here, which cannot be enforced at this point, so the operation was refused. Tell the policy owner.`;
}

/** A static relation: who may override whom was checked when the bundle was compiled; a failed rule overrides nothing. */
function overrides(allow: Hit, deny: Hit): boolean {
  const { rule } = deny;
  if (!rule.waivable || allow.failed || !allow.rule.overrides.has(rule.id)) return false;
  return allow.rule.tier < rule.tier || (allow.rule.tier === rule.tier && allow.rule.priority > rule.priority);
}

/** Strongest tier first, then priority, then id: which of several refusals is told. */
function rank(a: Hit, b: Hit): number {
  return a.rule.tier - b.rule.tier || b.rule.priority - a.rule.priority || compareText(a.rule.id, b.rule.id);
}

function inRank(hits: readonly Hit[]): readonly Hit[] {
  return hits.length < 2 ? hits : hits.toSorted(rank);
}

function firstInRank(hits: readonly Hit[]): Hit | undefined {
  let first: Hit | undefined;
  for (const hit of hits) if (first === undefined || rank(hit, first) < 0) first = hit;
  return first;
}

function refuseBy(denies: readonly Hit[], of: Case): Conclusion {
  const ranked = inRank(denies);
  const [first] = ranked;
  return {
    verdict: 'deny',
    reason: first === undefined || first.failed ? 'EVALUATION_ERROR' : (first.rule.reason ?? 'DENIED'),
    message: first === undefined || first.failed ? evaluationMessage : messageOf(first, of) || refusedMessage,
    requirements: none,
    grantsUsed: none,
    decisive: ids(ranked),
    ...beside(ranked, of),
  };
}

/** A refusal that no deny rule asked for. */
function refuse(of: Case, reason: string, { message, decisive = none }: { message: string; decisive?: readonly string[] }): Conclusion {
  const { obligations, unfulfilled } = beside(none, of);
  return { verdict: 'deny', reason, message, obligations, requirements: none, grantsUsed: none, decisive, unfulfilled };
}

/**
 * What rules that refuse or challenge, and rules that only observe, want done beside. What the point cannot do is named and left out: the
 * operation does not run either way.
 */
function beside(rules: readonly Hit[], of: Case): Pick<Conclusion, 'obligations' | 'unfulfilled'> {
  const owing = [...rules, ...of.hits.filter((hit) => hit.effect === 'observe')];
  if (owing.length === 0) return nothingBeside;
  const { obligations } = mergeObligations(collect(owing, of).owed);
  if (obligations.length === 0) return nothingBeside;
  const can = (obligation: Obligation): boolean => of.request.can.includes(obligation.type);
  return {
    obligations: obligations.filter(can),
    unfulfilled: obligations.filter((obligation) => !can(obligation)).map(({ type }) => type),
  };
}

const nothingBeside = { obligations: none, unfulfilled: none };

interface Challenged {
  readonly requirements: readonly Requirement[];
  readonly hits: readonly Hit[];
  readonly used: readonly string[];
}

const unchallenged: Challenged = { requirements: none, hits: none, used: none };

function challenge(requiring: readonly Hit[], { request, evaluation, compiled }: Case): Challenged {
  const requirements: Requirement[] = [];
  const unmet: Hit[] = [];
  const used = new Set<string>();
  for (const hit of inRank(requiring)) {
    const { require } = hit;
    if (require === undefined) continue;
    const { id } = hit.rule;
    const bound = boundOf(id, require.bind, { request, view: evaluation.view, digest: compiled.ref.digest });
    const answer = answered(challengesOf(require), { request, rule: id, bound });
    for (const grant of answer.used) used.add(grant);
    if (answer.open.length === 0) continue;
    const reason = hit.failed ? 'EVALUATION_ERROR' : (hit.rule.reason ?? 'REQUIREMENT_OPEN');
    const message = hit.rule.message?.fill(evaluation.view) ?? requiredMessage;
    requirements.push({ rule: id, reason, message, ...openPart(require, answer.open), bound });
    unmet.push(hit);
  }
  return { requirements, hits: unmet, used: [...used].sort() };
}

function pending({ requirements, hits }: Challenged, of: Case): Conclusion {
  const [first] = requirements;
  const impossible = requirements
    .flatMap((requirement) => challengesOf({ ...requirement, bind: [] }))
    .find((kind) => !of.request.can.includes(kind));
  if (impossible !== undefined) return refuse(of, 'CANNOT_ENFORCE', { message: cannotMessage(impossible), decisive: ids(hits) });
  return {
    verdict: 'pending',
    reason: first?.reason ?? 'REQUIREMENT_OPEN',
    message: first?.message ?? requiredMessage,
    requirements,
    grantsUsed: [],
    decisive: ids(hits),
    ...beside(hits, of),
  };
}

const nothingOwed = { ok: true, rule: '', owed: none };

function collect(hits: readonly Hit[], { evaluation }: Case): { ok: boolean; rule: string; owed: readonly Owed[] } {
  const owed: Owed[] = [];
  for (const hit of hits) {
    if (hit.obligations.length === 0) continue;
    const found = owedBy(hit, evaluation);
    if (found === undefined) return { ok: false, rule: hit.rule.id, owed };
    owed.push(...found);
  }
  return { ok: true, rule: '', owed };
}

/** After the request phase nothing is granted any more: the response phase can only tighten what was allowed. */
function allowedByDefault({ compiled, request }: Case): boolean {
  return request.phase === 'response' || compiled.allowedByDefault.has(request.target);
}

function messageOf(hit: Hit, { evaluation }: Case): string {
  return hit.rule.message?.fill(evaluation.view) ?? '';
}

function ids(hits: readonly Hit[]): string[] {
  return hits.map((hit) => hit.matched.rule);
}
