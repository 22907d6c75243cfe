import { isKind, specNode } from '../documents/document.ts';
import type { Document } from '../documents/document.ts';
import { instantMs } from '../documents/time.ts';
import { didYouMean, policyOf, problemAt } from '../problem.ts';
import type { Complaint, Problem } from '../problem.ts';
import type { Steps } from '../steps.ts';
import { changesOf } from './compiled.ts';
import type { CompiledRule } from './compiled.ts';

/** Checks what rules say about each other and about points. */
export function* checkLinks(documents: readonly Document[], rules: ReadonlyMap<string, CompiledRule>, problems: Problem[]): Steps<void> {
  for (const rule of rules.values()) {
    for (const id of rule.overrides) checkOverride(rule, id, { rules, problems });
  }
  yield;
  const accepted = acceptances(documents, rules, problems);
  for (const rule of rules.values()) {
    // In a higher risk class failing open was refused already.
    if (rule.policy.risk === 'low' && (rule.onError === 'allow' || rule.onUnavailable === 'allow') && !accepted.has(`${rule.id} `)) {
      const hint = 'write a RiskAcceptance for the rule, or let it fail closed';
      problems.push(problemAt(rule.place, { code: 'P302', message: `the rule "${rule.id}" fails open and nobody accepted that`, hint }));
    }
  }
  for (const document of documents) {
    if (!isKind(document, 'EnforcementPoint')) continue;
    yield;
    for (const rule of rules.values()) checkCapability(rule, document, { accepted, problems });
  }
}

function checkOverride(
  rule: CompiledRule,
  id: string,
  { rules, problems }: { rules: ReadonlyMap<string, CompiledRule>; problems: Problem[] },
): void {
  const complain = (message: string, more: Pick<Complaint, 'hint' | 'missing'> = {}): void => {
    problems.push(problemAt(rule.place, { code: 'P104', message: `the rule "${rule.id}" cannot override "${id}": ${message}`, ...more }));
  };
  const denied = rules.get(id);
  if (denied === undefined) return complain('there is no such rule', { hint: didYouMean(id, rules.keys()), missing: policyOf(id) });
  if (denied.effect !== 'deny') return complain('it does not deny');
  if (denied.policy.target !== rule.policy.target || denied.policy.phase !== rule.policy.phase)
    return complain('it is about other operations');
  if (!denied.waivable) return complain('it is not waivable');
  if (rule.tier > denied.tier) return complain(`its tier (${denied.policy.tier}) is higher`);
  if (rule.tier === denied.tier && rule.priority <= denied.priority) complain('in the same tier it needs a higher priority');
}

/** `rule point` for every acceptance; the point is empty where a rule fails open. */
function acceptances(documents: readonly Document[], rules: ReadonlyMap<string, CompiledRule>, problems: Problem[]): ReadonlySet<string> {
  const accepted = new Set<string>();
  for (const document of documents) {
    if (!isKind(document, 'RiskAcceptance')) continue;
    const { rule, point, expires } = document.spec;
    accepted.add(`${rule} ${point ?? ''}`);
    const accepting = rules.get(rule);
    if (point === undefined && accepting !== undefined) changesOf(accepting).failOpenUntil.push(instantMs(expires));
    if (!rules.has(rule)) {
      problems.push(
        problemAt(specNode(document, ['rule']), {
          code: 'REFERENCE',
          message: `there is no rule "${rule}"`,
          hint: didYouMean(rule, rules.keys()),
          missing: policyOf(rule),
        }),
      );
    }
  }
  return accepted;
}

function checkCapability(
  rule: CompiledRule,
  point: Document & { readonly kind: 'EnforcementPoint' },
  { accepted, problems }: { accepted: ReadonlySet<string>; problems: Problem[] },
): void {
  const { targets, phases, obligations } = point.spec;
  const { policy } = rule;
  const concerned = targets.includes(policy.target) && phases.includes(policy.phase) && (policy.points?.has(point.name) ?? true);
  if (!concerned || rule.mode === 'off' || accepted.has(`${rule.id} ${point.name}`)) return;
  const missing = needsOf(rule).filter((need) => !obligations.includes(need));
  if (missing.length === 0) return;
  const message = `the point "${point.name}" cannot do what the rule "${rule.id}" asks for: ${missing.join(', ')}`;
  const hint = 'restrict the policy with "points", or write a RiskAcceptance';
  problems.push(problemAt(rule.place, { code: 'P301', message, hint }));
}

/** Obligation types and challenges a point must be able to make true for a rule. A deny without its notification still denies. */
function needsOf(rule: CompiledRule): string[] {
  const needs = rule.effect === 'deny' ? [] : rule.obligations.map(({ spec }) => spec.type as string);
  if (rule.effect !== 'deny' && rule.obligations.some(({ spec }) => spec.type === 'record' && spec.recording === 'required'))
    needs.push('recording');
  for (const kind of ['approval', 'justification', 'stepUp'] as const) if (rule.require?.[kind] !== undefined) needs.push(kind);
  // Who is asked when the rule names nobody is the owner of the resource: that is an approval, too.
  if (rule.effect === 'limit' && rule.onExceed === 'escalate') needs.push('approval');
  return [...new Set(needs)];
}
