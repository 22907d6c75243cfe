import type { Decision, DecisionRequest } from '#model';
import { CelTimestamp } from '../cel/index.ts';
import type { Hit } from '../compile/candidate.ts';
import type { Compiled, View } from '../compile/compiled.ts';
import { applyRule } from './applicable.ts';
import { conclude } from './conclude.ts';
import type { Conclusion } from './conclude.ts';
import { Evaluation } from './condition.ts';
import { usesOf } from './limit.ts';
import { remember, remembered } from './memory.ts';
import type { Outcome } from './memory.ts';

/** Decides a request by one bundle alone. Pure; throws what goes wrong inside. */
export function decideBy(compiled: Compiled, request: DecisionRequest): Decision {
  const { hits, evaluation } = applicableRules(compiled, request);
  const outcome = { compiled, request, hits, evaluation };
  const known = remembered(outcome);
  if (known !== undefined) return known;
  const decision = decisionOf(outcome);
  remember(outcome, decision);
  return decision;
}

function decisionOf({ compiled, request, hits, evaluation }: Outcome): Decision {
  const conclusion = conclude({ compiled, request, evaluation, hits: enforced(hits) });
  const matched = hits.map((hit) => hit.matched);
  const observed = hits.some(({ mode }) => mode === 'audit' || mode === 'shadow');
  const { verdict, reason, message, obligations, requirements, grantsUsed, decisive } = conclusion;
  const limits = limitsOf(conclusion, hits);
  const warnings = conclusion.unfulfilled.length === 0 && !observed ? none : warningsOf(conclusion, hits, evaluation);
  const shadow = observed ? shadowOf({ compiled, request, hits, conclusion }) : undefined;
  const { errors } = evaluation;
  const bundle = compiled.ref;
  // Written out, not spread: this is the hot path, and most decisions have neither limits nor a shadow.
  if (limits === undefined && shadow === undefined)
    return { verdict, reason, message, obligations, requirements, grantsUsed, decisive, matched, bundle, warnings, errors };
  return {
    ...{ verdict, reason, message, obligations, requirements, grantsUsed, decisive, matched, bundle, warnings, errors },
    ...(limits === undefined ? {} : { limits }),
    ...(shadow === undefined ? {} : { shadow }),
  };
}

/** The rules that count; mostly all of them. */
function enforced(hits: readonly Hit[]): readonly Hit[] {
  for (const { mode } of hits) if (mode !== 'enforce') return hits.filter((hit) => hit.mode === 'enforce');
  return hits;
}

/** Counters of limits, and of the exceptions without which the operation might not pass. */
function limitsOf({ verdict, limits }: Conclusion, hits: readonly Hit[]): Conclusion['limits'] {
  if (verdict !== 'allow' || !hits.some(({ exception }) => exception?.uses !== undefined)) return limits;
  return [...(limits ?? []), ...usesOf(hits)];
}

function warningsOf({ unfulfilled }: Conclusion, hits: readonly Hit[], evaluation: Evaluation): string[] {
  const warnings = unfulfilled.map((type) => `this point cannot do "${type}"; the operation was refused all the same`);
  for (const hit of hits) if (hit.mode === 'audit' && isAgainst(hit)) warnings.push(warningOf(hit, evaluation));
  return warnings;
}

/** The rules that apply, in the order of their ids, and the evaluation with everything they looked at. */
export function applicableRules(compiled: Compiled, request: DecisionRequest): { hits: readonly Hit[]; evaluation: Evaluation } {
  const view = viewOf(compiled, request);
  const evaluation = new Evaluation(view);
  let hits: Hit[] = [];
  const circumstances = { compiled, request, evaluation };
  for (const candidate of compiled.index.candidates(request.target, request.phase, view)) {
    const hit = applyRule(candidate, circumstances);
    // The first one makes a list of one: a list that grows from nothing takes room for many, and mostly there are one or two.
    if (hit === undefined) continue;
    if (hits.length === 0) hits = [hit];
    else hits.push(hit);
  }
  return { hits, evaluation };
}

/** The roots of a request. The target's own attributes come last and take no name that is taken: they can never pose as subject, resource, context, facts or data. */
export function viewOf(compiled: Compiled, request: DecisionRequest): View {
  const { subject, resource, context, facts = nothing, attributes } = request;
  const data = compiled.data.perishable.length === 0 ? compiled.data.lasting : dataOf(compiled, request.now);
  const view: View = { now: timestamp(request.now), subject, resource, context, facts, data, vars: nothing };
  for (const name in attributes) {
    // A constant name is stored several times faster; this is the target with the most decisions.
    if (name === 'sql') view['sql'] = attributes['sql'];
    else if (!(name in view) && Object.hasOwn(attributes, name)) view[name] = attributes[name];
  }
  return view;
}

const nothing = Object.freeze({});
const none: readonly string[] = Object.freeze([]);

function timestamp(ms: number): CelTimestamp {
  const seconds = Math.floor(ms / 1000);
  return new CelTimestamp(seconds, (ms - seconds * 1000) * 1_000_000);
}

/** Stale data is not there: reading it is an evaluation error, with the consequence the rule names. */
function dataOf({ data }: Compiled, now: number): Readonly<Record<string, unknown>> {
  const fresh = { ...data.lasting };
  for (const set of data.perishable) if (now < set.freshUntil) fresh[set.name] = set.values;
  return fresh;
}

/** The verdict with rules in shadow and audit mode enforced too; nothing when it is the same. */
function shadowOf(of: { compiled: Compiled; request: DecisionRequest; hits: readonly Hit[]; conclusion: Conclusion }): Decision['shadow'] {
  const { compiled, request, hits, conclusion } = of;
  const evaluation = new Evaluation(viewOf(compiled, request));
  const strict = conclude({ compiled, request, evaluation, hits: hits.filter((hit) => hit.mode !== 'off') });
  return strict.verdict === conclusion.verdict ? undefined : { verdict: strict.verdict, rules: strict.decisive };
}

function isAgainst(hit: Hit): boolean {
  return hit.effect === 'deny' || hit.effect === 'require';
}

function warningOf(hit: Hit, evaluation: Evaluation): string {
  const message = hit.rule.message?.fill(evaluation.view) ?? hit.rule.reason ?? hit.rule.id;
  return `not enforced yet: ${message}`;
}
