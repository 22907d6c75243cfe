import type { Mode, OnExceed } from '#model';
import type { PolicySpec } from '../documents/kinds/policy.ts';
import { tiers } from '../documents/kinds/policy.ts';
import type { RuleSpec } from '../documents/kinds/rule.ts';
import { specNode } from '../documents/document.ts';
import type { DocumentOf } from '../documents/document.ts';
import { nodeAt } from '../documents/node.ts';
import type { Node } from '../documents/node.ts';
import { compileJsonSchema } from '../match/json-schema.ts';
import { compileLine } from '../match/matcher.ts';
import type { Matcher } from '../match/matcher.ts';
import { problemAt } from '../problem.ts';
import type { Problem } from '../problem.ts';
import type { AttributeFields } from '../schema/index.ts';
import { unchanged } from './compiled.ts';
import type { CompiledData, CompiledPolicy, CompiledRule, FailMode } from './compiled.ts';
import { compileExpression } from './expression.ts';
import type { Scope } from './expression.ts';
import { compileLimits } from './limit.ts';
import { compileMatch } from './match.ts';
import { compileObligations } from './obligation.ts';
import { compileRequire } from './require.ts';
import { checkRule } from './rule-checks.ts';
import { compileTemplate } from './template.ts';

export interface RuleOptions {
  readonly document: DocumentOf<'Policy'>;
  readonly position: number;
  readonly policy: CompiledPolicy;
  readonly attributes: AttributeFields;
  readonly data: CompiledData;
  readonly pool: Map<string, Matcher>;
  readonly scope: Scope;
  readonly problems: Problem[];
}

const defaultPriority = 500;

/** Compiles one rule. The ordinal is given later, when the ids of all rules are known. */
export function compileRule(spec: RuleSpec, options: RuleOptions): CompiledRule {
  const { document, policy, attributes, scope, problems } = options;
  const node = specNode(document, ['rules', options.position]);
  const expression = (path: readonly string[], more: { tolerant?: boolean; result?: 'any' } = {}) => ({
    node: nodeAt(node, path),
    scope,
    problems,
    ...more,
  });
  const { matchers, dataMatchers } = compileMatches(spec, node, options);
  checkRule(spec, { node, document, problems, policy });
  const unlessValid =
    spec.unlessValid && compileExpression(spec.unlessValid.input, expression(['unlessValid', 'input'], { result: 'any' }));
  return {
    id: `${policy.name}/${spec.id}`,
    ordinal: 0,
    policy,
    tier: tiers.indexOf(policy.tier),
    effect: spec.effect,
    mode: modeOf(spec, document.spec),
    priority: spec.priority ?? defaultPriority,
    waivable: spec.waivable ?? true,
    overrides: new Set(spec.overrides),
    matchers,
    dataMatchers,
    when: spec.when === undefined ? undefined : compileExpression(spec.when, expression(['when'])),
    unless: spec.unless === undefined ? undefined : compileExpression(spec.unless, expression(['unless'], { tolerant: true })),
    unlessValid: spec.unlessValid &&
      unlessValid && { input: unlessValid, schema: spec.unlessValid.schema, valid: schemaOf(spec.unlessValid.schema, node, problems) },
    onError: spec.onError ?? defaultFailMode(spec),
    onUnavailable: spec.onUnavailable ?? spec.onError ?? defaultFailMode(spec),
    onErrorStated: spec.onError !== undefined,
    reason: spec.reason,
    message:
      spec.message === undefined
        ? undefined
        : compileTemplate(spec.message, { place: nodeAt(node, ['message']), attributes, problems, publicOnly: true }),
    require: spec.require && compileRequire(spec.require, { node: nodeAt(node, ['require']), attributes, problems }),
    obligations: compileObligations(spec.obligations, {
      node: nodeAt(node, ['obligations']),
      scope,
      attributes,
      problems,
      response: policy.phase === 'response',
    }),
    limits: compileLimits(spec.limits, { node: nodeAt(node, ['limits']), attributes, scope, problems }),
    onExceed: withoutUnits(spec.onExceed),
    onStoreError: withoutUnits(spec.onStoreError),
    changes: unchanged,
    place: nodeAt(node, ['id']),
    attributes,
  };
}

function modeOf(spec: RuleSpec, policy: PolicySpec): Mode {
  return spec.mode ?? policy.mode ?? 'enforce';
}

/** Conservative both ways: what restricts fails closed, what permits does not permit. */
function defaultFailMode(spec: RuleSpec): FailMode {
  return spec.effect === 'allow' || spec.effect === 'observe' ? 'skip' : 'deny';
}

/** A limit that is left out lets pass. */
function withoutUnits<M extends OnExceed>(mode: M | 'skip' | undefined): M | 'allow' | 'deny' {
  return mode === 'skip' ? 'allow' : (mode ?? 'deny');
}

function compileMatches(spec: RuleSpec, node: Node, options: RuleOptions): { matchers: Matcher[]; dataMatchers: Matcher[] } {
  const { document, attributes, data, pool, problems } = options;
  const shared = { attributes, data, pool, problems, widening: spec.effect === 'allow' };
  const ofPolicy = compileMatch(document.spec.match, {
    ...shared,
    node: specNode(document, ['match']),
    // A policy's match is compiled for each of its rules; its problems are told once.
    problems: options.position === 0 ? problems : [],
  });
  const ofRule = compileMatch(spec.match, { ...shared, node: nodeAt(node, ['match']) });
  const matchers = [...ofPolicy.plain, ...ofRule.plain];
  // INVARIANT: what was not understood is never allowed by a rule that does not say so explicitly.
  const namesCertainty = matchers.some((matcher) => matcher.path === 'context.certainty');
  if (spec.effect === 'allow' && !namesCertainty) matchers.push(onlyParsed);
  return { matchers, dataMatchers: [...ofPolicy.overData, ...ofRule.overData] };
}

/** The implicit line of every allow rule and every exception that does not speak about certainty itself. */
export const onlyParsed: Matcher = compileLine({
  path: 'context.certainty',
  value: ['parsed'],
  data: undefined,
  networks: [],
  widening: true,
});

function schemaOf(schema: unknown, node: Node, problems: Problem[]): (value: unknown) => boolean {
  const compiled = compileJsonSchema(schema);
  const place = nodeAt(node, ['unlessValid', 'schema']);
  for (const message of compiled.problems) problems.push(problemAt(place, { code: 'SCHEMA', message }));
  return compiled.validate;
}
