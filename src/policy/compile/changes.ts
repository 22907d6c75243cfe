import { isKind, specNode } from '../documents/document.ts';
import type { Document, DocumentOf } from '../documents/document.ts';
import type { RiskClass } from '../documents/kinds/policy.ts';
import { dayMs, durationMs, instantMs } from '../documents/time.ts';
import { compilePath } from '../match/matcher.ts';
import { didYouMean, policyOf, problemAt } from '../problem.ts';
import type { Place, Problem } from '../problem.ts';
import { resolveAttribute } from '../schema/index.ts';
import { changesOf } from './compiled.ts';
import type { CompiledData, CompiledException, CompiledRule, Condition } from './compiled.ts';
import { compileExpression } from './expression.ts';
import { compileMatch } from './match.ts';
import { compileObligations } from './obligation.ts';
import type { Realm } from './policy.ts';
import { compileRequire } from './require.ts';
import { checkGates } from './rollout-gates.ts';
import { stagesOf } from './stages.ts';
import { onlyParsed } from './rule.ts';

export interface ChangeContext {
  readonly rules: ReadonlyMap<string, CompiledRule>;
  readonly policies: ReadonlySet<string>;
  readonly realm: (rule: CompiledRule) => Realm;
  readonly data: CompiledData;
  /** Rules that no override may drop. */
  readonly baseline: ReadonlySet<string>;
  readonly problems: Problem[];
}

/** Attaches exceptions, rollouts and overrides to the rules they name. */
export function applyChanges(documents: readonly Document[], context: ChangeContext): void {
  for (const document of documents) {
    if (isKind(document, 'Exception')) applyException(document, context);
    else if (isKind(document, 'Rollout')) applyRollout(document, context);
    else if (isKind(document, 'Override')) applyOverride(document, context);
  }
}

/** Longest life of an exception by the risk class of the policy; a longer one needs two approvers. */
const exceptionDaysMax: Readonly<Record<RiskClass, number>> = { critical: 7, high: 30, medium: 90, low: 180 };

function applyException(document: Document & DocumentOf<'Exception'>, context: ChangeContext): void {
  const { spec } = document;
  const { problems } = context;
  const complain = complainer(document, problems);
  const from = spec.notBefore === undefined ? Number.NEGATIVE_INFINITY : instantMs(spec.notBefore);
  const until = instantMs(spec.expires);
  if (until <= from) complain(['expires'], 'P401', 'the exception expires before it begins');
  for (const [w, waived] of spec.waives.entries()) {
    if (!context.policies.has(waived.policy)) {
      noPolicy(specNode(document, ['waives', w, 'policy']), 'P401', { name: waived.policy, context });
      continue;
    }
    for (const [r, name] of waived.rules.entries()) {
      const at = ['waives', w, 'rules', r];
      if (isNamedBefore(spec.waives, w, r)) {
        complain(at, 'DUPLICATE', `the exception names the rule "${waived.policy}/${name}" twice`);
        continue;
      }
      const rule = context.rules.get(`${waived.policy}/${name}`);
      if (rule === undefined) {
        complain(at, 'P401', `the policy "${waived.policy}" has no rule "${name}"`, didYouMean(name, ruleNames(waived.policy, context)));
        continue;
      }
      if (!rule.waivable) {
        complain(at, 'P401', `the rule "${rule.id}" is not waivable`);
        continue;
      }
      const days = exceptionDaysMax[rule.policy.risk];
      if (until - from > days * dayMs && new Set(spec.approvedBy).size < 2) {
        const length =
          from === Number.NEGATIVE_INFINITY ? 'without "notBefore" its length is unknown' : `it lasts longer than ${days} days`;
        complain(['approvedBy'], 'P401', `two people must approve this exception: ${length}, and the policy's risk is ${rule.policy.risk}`);
      }
      changesOf(rule).exceptions.push(compileException(document, rule, { context, from, until }));
    }
  }
}

function isNamedBefore(waives: DocumentOf<'Exception'>['spec']['waives'], w: number, r: number): boolean {
  const name = waives[w]?.rules[r];
  return waives.some(
    ({ policy, rules }, i) => policy === waives[w]?.policy && rules.some((rule, k) => rule === name && (i < w || (i === w && k < r))),
  );
}

function compileException(
  document: Document & DocumentOf<'Exception'>,
  rule: CompiledRule,
  { context, from, until }: { context: ChangeContext; from: number; until: number },
): CompiledException {
  const { scope, instead = 'waive', maxUses, notBefore, expires } = document.spec;
  const { problems, data } = context;
  const realm = context.realm(rule);
  const shared = { attributes: realm.attributes, problems };
  const found = compileMatch(scope.match, {
    ...shared,
    data,
    pool: realm.pool,
    node: specNode(document, ['scope', 'match']),
    widening: true,
  });
  const matchers = [...found.plain];
  if (found.overData.length > 0)
    complainer(document, problems)(['scope', 'match'], 'UNSUPPORTED', 'the scope of an exception cannot use inData');
  // A condition over no statements at all is easily true; what was not understood is never waived unless the scope says so.
  if (!matchers.some((matcher) => matcher.path === 'context.certainty')) matchers.push(onlyParsed);
  const when: Condition | undefined =
    scope.when === undefined
      ? undefined
      : compileExpression(scope.when, { scope: realm.scope, node: specNode(document, ['scope', 'when']), problems });
  const block = typeof instead === 'string' ? undefined : instead;
  if (block?.require !== undefined && block.transform !== undefined)
    complainer(document, problems)(['instead'], 'SCHEMA', 'choose "require" or "transform", not both');
  if (block?.require !== undefined && rule.policy.phase === 'response')
    complainer(document, problems)(['instead', 'require'], 'PHASE', 'nobody can be asked in the response phase');
  return {
    name: document.name,
    from,
    until,
    matchers,
    when,
    instead: typeof instead === 'string' ? instead : instead.require === undefined ? 'transform' : 'require',
    // A renewed exception is another one: its uses are counted from the beginning.
    uses: maxUses === undefined ? undefined : { max: maxUses, key: `${notBefore ?? ''}/${expires}` },
    require: block?.require && compileRequire(block.require, { ...shared, node: specNode(document, ['instead', 'require']) }),
    obligations: compileObligations(block?.transform, {
      ...shared,
      scope: realm.scope,
      node: specNode(document, ['instead', 'transform']),
      response: rule.policy.phase === 'response',
    }),
  };
}

function applyRollout(document: Document & DocumentOf<'Rollout'>, context: ChangeContext): void {
  const { spec } = document;
  const complain = complainer(document, context.problems);
  const { policy, rules, bundle } = spec.subject;
  checkGates(document, context.problems);
  const step = spec.step ?? 1;
  if (step > spec.steps.length) complain(['step'], 'REFERENCE', `there are only ${spec.steps.length} steps`);
  // A whole bundle is compiled where all targets are known.
  if (bundle !== undefined) return;
  if (policy === undefined)
    return complain(['subject'], 'SCHEMA', 'the rollout needs a subject', 'name a "policy" and, if not all, its "rules"; or a "bundle"');
  if (!context.policies.has(policy)) return noPolicy(specNode(document, ['subject', 'policy']), 'REFERENCE', { name: policy, context });
  for (const [i, name] of (rules ?? ruleNames(policy, context)).entries()) {
    const rule = context.rules.get(`${policy}/${name}`);
    if (rule === undefined) {
      complain(
        ['subject', 'rules', i],
        'REFERENCE',
        `the policy "${policy}" has no rule "${name}"`,
        didYouMean(name, ruleNames(policy, context)),
      );
      continue;
    }
    if (context.baseline.has(rule.id))
      complain(['subject'], 'P401', `the rule "${rule.id}" is part of the baseline; no rollout may change its mode`);
    if (rule.changes.rollouts.length > 0) complain(['subject'], 'DUPLICATE', `the rule "${rule.id}" is in two rollouts`);
    const realm = context.realm(rule);
    if (!resolveAttribute(realm.attributes, spec.key).found) complain(['key'], 'P201', `there is no attribute "${spec.key}"`);
    const cohorts = spec.steps.map((candidate, n) =>
      candidate.cohort === undefined
        ? undefined
        : compileExpression(candidate.cohort, {
            scope: realm.scope,
            node: specNode(document, ['steps', n, 'cohort']),
            problems: context.problems,
          }),
    );
    changesOf(rule).rollouts.push({
      name: document.name,
      inside: spec.to,
      keyPath: spec.key,
      key: compilePath(spec.key),
      salt: spec.salt,
      step: Math.min(step, spec.steps.length),
      stages: stagesOf(spec, cohorts),
    });
  }
}

const overrideMsMax = durationMs('PT4H');

function applyOverride(document: Document & DocumentOf<'Override'>, context: ChangeContext): void {
  const { spec } = document;
  const complain = complainer(document, context.problems);
  const from = instantMs(spec.notBefore);
  const until = instantMs(spec.expires);
  if (until <= from || until - from > overrideMsMax) complain(['expires'], 'P401', 'an override lasts at most four hours');
  if (new Set(spec.approvedBy).size < 2) complain(['approvedBy'], 'P401', 'an override needs two different approvers');
  for (const [i, id] of spec.rules.entries()) {
    const rule = context.rules.get(id);
    if (rule === undefined) {
      const hint = didYouMean(id, context.rules.keys());
      const complaint = { code: 'REFERENCE', message: `there is no rule "${id}"`, hint, missing: policyOf(id) };
      context.problems.push(problemAt(specNode(document, ['rules', i]), complaint));
    } else if (context.baseline.has(id))
      complain(['rules', i], 'P401', `the rule "${id}" is part of the baseline; no override may drop it`);
    else changesOf(rule).killSwitches.push({ name: document.name, from, until, mode: spec.mode });
  }
}

function noPolicy(place: Place, code: string, { name, context }: { readonly name: string; readonly context: ChangeContext }): void {
  const hint = didYouMean(name, context.policies);
  context.problems.push(problemAt(place, { code, message: `there is no policy "${name}"`, hint, missing: { kind: 'Policy', name } }));
}

function ruleNames(policy: string, { rules }: ChangeContext): string[] {
  return [...rules.values()].filter((rule) => rule.policy.name === policy).map((rule) => rule.id.slice(policy.length + 1));
}

function complainer(document: Document, problems: Problem[]) {
  return (path: readonly (string | number)[], code: string, message: string, hint?: string): void => {
    problems.push(problemAt(specNode(document, path), { code, message, hint }));
  };
}
