import type { BundleRef, Decision, DecisionRequest, MatchedRule } from '#model';
import type { Bundle } from '../bundle.ts';
import { CelTimestamp } from '../cel/index.ts';
import type { Compiled, View } from '../compile/compiled.ts';
import { applyRule } from './applicable.ts';
import type { Hit } from './applicable.ts';
import { conclude } from './conclude.ts';
import type { Conclusion } from './conclude.ts';
import { Evaluation } from './condition.ts';

/**
 * Decides a request. Pure and total: the same bundle and request always give the same decision, and whatever goes wrong inside is a deny
 * with the reason `POLICY_FAULT`.
 */
export function decide(bundle: Bundle, request: DecisionRequest): Decision {
  try {
    return decideOrThrow(bundle.compiled, request);
  } catch (error) {
    return fault(bundle.ref, error);
  }
}

function decideOrThrow(compiled: Compiled, request: DecisionRequest): Decision {
  const { hits, evaluation } = applicableRules(compiled, request);
  const enforced = hits.filter((hit) => hit.mode === 'enforce');
  const conclusion = conclude({ compiled, request, evaluation, hits: enforced });
  const matched: MatchedRule[] = hits.map(({ rule, effect, mode, by }) => ({
    rule: rule.id,
    effect,
    mode,
    ...(by === undefined ? {} : { by }),
  }));
  const warnings = conclusion.unfulfilled.map((type) => `this point cannot do "${type}"; the operation was refused all the same`);
  const shadow = shadowOf({ compiled, request, hits, conclusion });
  for (const hit of hits) if (hit.mode === 'audit' && isAgainst(hit)) warnings.push(warningOf(hit, evaluation));
  const { verdict, reason, message, obligations, requirements, limits, grantsUsed, decisive } = conclusion;
  const decision = { verdict, reason, message, obligations, requirements, grantsUsed, decisive, matched };
  return {
    ...decision,
    ...(limits === undefined ? {} : { limits }),
    bundle: compiled.ref,
    ...(shadow === undefined ? {} : { shadow }),
    warnings,
    errors: evaluation.errors,
  };
}

/** The rules that apply, in the order of their ids, and the evaluation with everything they looked at. */
export function applicableRules(compiled: Compiled, request: DecisionRequest): { hits: readonly Hit[]; evaluation: Evaluation } {
  const view = viewOf(compiled, request);
  const evaluation = new Evaluation(view);
  const hits: Hit[] = [];
  const circumstances = { compiled, request, evaluation };
  for (const candidate of compiled.index.candidates(request.target, request.phase, view)) {
    const hit = applyRule(candidate, circumstances);
    if (hit !== undefined) hits.push(hit);
  }
  return { hits, evaluation };
}

/** The roots of a request. The target's own attributes come first: they can never pose as subject, resource, context, facts or data. */
export function viewOf(compiled: Compiled, request: DecisionRequest): View {
  const { subject, resource, context, facts = none } = request;
  const now = timestamp(request.now);
  return { ...request.attributes, now, subject, resource, context, facts, data: dataOf(compiled, request.now), vars: none };
}

const none = Object.freeze({});

function timestamp(ms: number): CelTimestamp {
  const seconds = Math.floor(ms / 1000);
  return new CelTimestamp(seconds, (ms - seconds * 1000) * 1_000_000);
}

/** Stale data is not there: reading it is an evaluation error, with the consequence the rule names. */
function dataOf({ data }: Compiled, now: number): Readonly<Record<string, unknown>> {
  if (data.perishable.length === 0) return data.lasting;
  const fresh = { ...data.lasting };
  for (const set of data.perishable) if (now < set.freshUntil) fresh[set.name] = set.values;
  return fresh;
}

/** The verdict with rules in shadow and audit mode enforced too; nothing when it is the same. */
function shadowOf(of: { compiled: Compiled; request: DecisionRequest; hits: readonly Hit[]; conclusion: Conclusion }): Decision['shadow'] {
  const { compiled, request, hits, conclusion } = of;
  if (!hits.some((hit) => hit.mode === 'audit' || hit.mode === 'shadow')) return undefined;
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

function fault(bundle: BundleRef, error: unknown): Decision {
  const message = error instanceof Error ? `${error.name}: ${error.message}` : 'unknown failure';
  return {
    verdict: 'deny',
    reason: 'POLICY_FAULT',
    message: 'Evaluating the policy failed, so the operation was refused. Tell the policy owner.',
    obligations: [],
    requirements: [],
    grantsUsed: [],
    decisive: [],
    matched: [],
    bundle,
    warnings: [],
    errors: [{ rule: '', part: 'when', message }],
  };
}
