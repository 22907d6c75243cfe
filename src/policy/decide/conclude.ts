import type { DecisionRequest, Obligation, Requirement, Verdict } from '#model';
import type { Compiled } from '../compile/compiled.ts';
import { compareText } from '../problem.ts';
import type { Hit } from './applicable.ts';
import type { Evaluation } from './condition.ts';
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

  if (allows.length === 0 && !allowedByDefault(of)) return refuse('NO_MATCHING_ALLOW', noAllowMessage);

  const contributing = hits.filter((hit) => hit.effect === 'allow' || hit.effect === 'transform' || hit.effect === 'require');
  const owed = collect(contributing, of);
  if (!owed.ok) return refuse('EVALUATION_ERROR', evaluationMessage, [owed.rule]);
  const merged = mergeObligations(owed.owed);
  if (merged.conflict.length > 0) return refuse('OBLIGATION_CONFLICT', conflictMessage, merged.conflict);
  const missing = merged.obligations.find((obligation) => !of.request.can.includes(obligation.type));
  if (missing !== undefined) {
    const rules = owed.owed.filter(({ obligation }) => obligation.type === missing.type).map(({ rule }) => rule);
    return refuse('CANNOT_ENFORCE', cannotMessage(missing.type), [...new Set(rules)]);
  }
  const [first] = inRank(allows);
  return {
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

export const noAllowMessage = 'No policy allows this operation. Ask the owner of the resource for access.';
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
  const owed = collect(ranked, of);
  const merged = mergeObligations(owed.owed);
  const can = (obligation: Obligation): boolean => of.request.can.includes(obligation.type);
  return {
    verdict: 'deny',
    reason: first === undefined || first.failed ? 'EVALUATION_ERROR' : (first.rule.reason ?? 'DENIED'),
    message: first === undefined || first.failed ? evaluationMessage : messageOf(first, of) || refusedMessage,
    obligations: merged.obligations.filter(can),
    requirements: [],
    grantsUsed: [],
    decisive: ids(ranked),
    unfulfilled: merged.obligations.filter((obligation) => !can(obligation)).map(({ type }) => type),
  };
}

function refuse(reason: string, message: string, decisive: readonly string[] = []): Conclusion {
  return { verdict: 'deny', reason, message, obligations: [], requirements: [], grantsUsed: [], decisive, unfulfilled: [] };
}

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
  if (impossible !== undefined) return refuse('CANNOT_ENFORCE', cannotMessage(impossible), ids(hits));
  const owed = collect(hits, of);
  const merged = mergeObligations(owed.owed);
  const can = (obligation: Obligation): boolean => of.request.can.includes(obligation.type);
  return {
    verdict: 'pending',
    reason: first?.reason ?? 'REQUIREMENT_OPEN',
    message: first?.message ?? requiredMessage,
    obligations: merged.obligations.filter(can),
    requirements,
    grantsUsed: [],
    decisive: ids(hits),
    unfulfilled: merged.obligations.filter((obligation) => !can(obligation)).map(({ type }) => type),
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
