import type { DecisionRequest, LimitCharge, Obligation, Requirement, Verdict } from '#model';
import type { Compiled } from '../compile/compiled.ts';
import { compareText } from '../problem.ts';
import type { Hit } from './applicable.ts';
import type { Evaluation } from './condition.ts';
import { chargesOf } from './limit.ts';
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
  readonly limits?: readonly LimitCharge[];
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
  const { hits } = of;
  const allows = hits.filter((hit) => hit.effect === 'allow');
  const denies = hits.filter((hit) => hit.effect === 'deny' && !allows.some((allow) => overrides(allow, hit)));
  if (denies.length > 0) return refuseBy(denies, of);

  const challenged = challenge(of);
  if (challenged.requirements.length > 0) return pending(challenged, of);

  if (allows.length === 0 && !allowedByDefault(of)) return refuse(of, 'NO_MATCHING_ALLOW', { message: noAllowMessage });

  // No deny is left that counts, so everything that is left contributes.
  const owed = collect(
    hits.filter((hit) => hit.effect !== 'deny'),
    of,
  );
  if (!owed.ok) return refuse(of, 'EVALUATION_ERROR', { message: evaluationMessage, decisive: [owed.rule] });
  const merged = mergeObligations(owed.owed);
  if (merged.conflict.length > 0) return refuse(of, 'OBLIGATION_CONFLICT', { message: conflictMessage, decisive: merged.conflict });
  const missing = merged.obligations.find((obligation) => !of.request.can.includes(obligation.type));
  if (missing !== undefined) {
    const rules = owed.owed.filter(({ obligation }) => obligation.type === missing.type).map(({ rule }) => rule);
    return refuse(of, 'CANNOT_ENFORCE', { message: cannotMessage(missing.type), decisive: [...new Set(rules)] });
  }
  // Last of all: what is refused for another reason must not use up anybody's quota.
  const limited = chargesOf(hits, of.evaluation);
  if (!limited.ok) return refuse(of, 'EVALUATION_ERROR', { message: evaluationMessage, decisive: [limited.rule] });
  const [first] = inRank(allows);
  return {
    ...(limited.charges.length === 0 ? {} : { limits: limited.charges }),
    verdict: 'allow',
    reason: first?.rule.reason ?? 'ALLOWED',
    message: first === undefined ? '' : messageOf(first, of),
    obligations: merged.obligations,
    requirements: [],
    grantsUsed: challenged.used,
    decisive: ids([...allows, ...hits.filter((hit) => hit.effect === 'require')]),
    unfulfilled: [],
  };
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
function inRank(hits: readonly Hit[]): readonly Hit[] {
  if (hits.length < 2) return hits;
  return hits.toSorted((a, b) => a.rule.tier - b.rule.tier || b.rule.priority - a.rule.priority || compareText(a.rule.id, b.rule.id));
}

function refuseBy(denies: readonly Hit[], of: Case): Conclusion {
  const ranked = inRank(denies);
  const [first] = ranked;
  return {
    verdict: 'deny',
    reason: first === undefined || first.failed ? 'EVALUATION_ERROR' : (first.rule.reason ?? 'DENIED'),
    message: first === undefined || first.failed ? evaluationMessage : messageOf(first, of) || refusedMessage,
    requirements: [],
    grantsUsed: [],
    decisive: ids(ranked),
    ...beside(ranked, of),
  };
}

/** A refusal that no deny rule asked for. */
function refuse(of: Case, reason: string, { message, decisive = [] }: { message: string; decisive?: readonly string[] }): Conclusion {
  return { verdict: 'deny', reason, message, requirements: [], grantsUsed: [], decisive, ...beside([], of) };
}

/**
 * What rules that refuse or challenge, and rules that only observe, want done beside. What the point cannot do is named and left out: the
 * operation does not run either way.
 */
function beside(rules: readonly Hit[], of: Case): Pick<Conclusion, 'obligations' | 'unfulfilled'> {
  const observing = of.hits.filter((hit) => hit.effect === 'observe');
  const { obligations } = mergeObligations(collect([...rules, ...observing], of).owed);
  if (obligations.length === 0) return nothingBeside;
  const can = (obligation: Obligation): boolean => of.request.can.includes(obligation.type);
  return {
    obligations: obligations.filter(can),
    unfulfilled: obligations.filter((obligation) => !can(obligation)).map(({ type }) => type),
  };
}

const nothingBeside = { obligations: [], unfulfilled: [] };

interface Challenged {
  readonly requirements: readonly Requirement[];
  readonly hits: readonly Hit[];
  readonly used: readonly string[];
}

const unchallenged: Challenged = { requirements: [], hits: [], used: [] };

function challenge({ hits, request, evaluation, compiled }: Case): Challenged {
  const requiring = hits.filter((hit) => hit.effect === 'require');
  if (requiring.length === 0) return unchallenged;
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
  return hits.map((hit) => hit.rule.id);
}
