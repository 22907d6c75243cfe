import type { DecisionRequest, Effect, Mode } from '#model';
import { compile } from '../cel/index.ts';
import type { Document, DocumentOf } from '../documents/document.ts';
import { isKind } from '../documents/document.ts';
import { tiers } from '../documents/kinds/policy.ts';
import type { PolicySpec } from '../documents/kinds/policy.ts';
import type { MatchSpec, ObligationSpec, RequireSpec, RuleSpec } from '../documents/kinds/rule.ts';
import { durationMs, instantMs } from '../documents/time.ts';
import { bucketOf } from './rollout.ts';

/** What a rule came to for one request. */
export interface Applied {
  readonly id: string;
  readonly rule: RuleSpec;
  readonly effect: Effect;
  readonly mode: Mode;
  readonly by?: string;
  readonly tier: number;
  readonly priority: number;
  readonly failed: boolean;
  readonly require: RequireSpec | undefined;
  readonly obligations: readonly ObligationSpec[];
  /** The exception that changed a rule in force, with its uses and window. */
  readonly exception?: { readonly name: string; readonly maxUses?: number | undefined; readonly window: string };
}

/** The whole world of a decision: every document, and the request. */
export interface World {
  readonly documents: readonly Document[];
  readonly request: DecisionRequest;
}

/** What an error asks for with `onError: escalate`, and a limit that names nobody: whoever owns the resource looks at it. */
export const escalation: RequireSpec = {
  approval: { reviewers: [{ ownerOf: 'resource' }], quorum: 1, timeout: 'PT30M', onTimeout: 'deny', bind: [] },
};

/** One rule for one request; undefined when it does not apply. */
export function applyOne(document: DocumentOf<'Policy'>, rule: RuleSpec, world: World): Applied | undefined {
  const { spec } = document;
  const { request } = world;
  if (spec.target !== request.target || (spec.phase ?? 'request') !== request.phase) return undefined;
  if (spec.points !== undefined && !spec.points.includes(request.point)) return undefined;
  const widening = rule.effect === 'allow';
  const certain = namesCertainty(spec.match) || namesCertainty(rule.match) || request.context['certainty'] === 'parsed';
  if (widening && !certain) return undefined;
  const outcome = conditions(rule, spec, { world, id: `${document.name}/${rule.id}`, widening });
  if (outcome === undefined) return undefined;
  const id = `${document.name}/${rule.id}`;
  const { mode, by } = modeOf(id, rule, spec, world);
  if (mode === 'off' && by === undefined) return undefined;
  const failed = outcome !== 'applies';
  const plain: Applied = {
    id,
    rule,
    effect: failed ? outcome : rule.effect,
    mode,
    ...(by === undefined ? {} : { by }),
    tier: tiers.indexOf(spec.tier),
    priority: rule.priority ?? 500,
    failed,
    require: outcome === 'require' ? escalation : rule.require,
    obligations: failed ? [] : (rule.obligations ?? []),
  };
  return excepted(plain, world);
}

type Outcome = 'applies' | 'deny' | 'allow' | 'require' | undefined;

function conditions(rule: RuleSpec, policy: PolicySpec, given: { world: World; id: string; widening: boolean }): Outcome {
  const { world, id, widening } = given;
  const onError = rule.onError ?? (rule.effect === 'allow' || rule.effect === 'observe' ? 'skip' : 'deny');
  const fail = (mode: typeof onError): Outcome => {
    if (mode === 'skip') return undefined;
    if (mode === 'escalate') return 'require';
    return mode === 'allow' && accepted(id, world) && world.request.context['certainty'] === 'parsed' ? 'allow' : 'deny';
  };
  // A stale DataSet makes a match unanswerable, but only where the rest of the match holds.
  for (const overData of [false, true]) {
    if (overData && readsStaleData([policy.match, rule.match], world)) return fail(rule.onUnavailable ?? onError);
    if (![policy.match, rule.match].every((match) => matches(match, world, { widening, overData }))) return undefined;
  }
  for (const fact of policy.requires?.facts ?? []) {
    if ((world.request.facts ?? {})[fact] === undefined) return fail(rule.onUnavailable ?? onError);
  }
  const roots = { ...rootsOf(world), vars: variablesOf(policy, world) };
  if (rule.when !== undefined) {
    const value = evaluate(rule.when, roots);
    if (typeof value !== 'boolean') return fail(onError);
    if (!value) return undefined;
  }
  if (rule.unlessValid !== undefined) {
    const value = evaluate(rule.unlessValid.input, roots);
    if (value === undefined) return fail(onError);
    const { enum: allowed } = rule.unlessValid.schema as { enum: readonly unknown[] }; // The only schemas that are generated.
    if (allowed.includes(value)) return undefined;
  }
  if (rule.unless !== undefined && evaluate(rule.unless, roots) === true) return undefined;
  return 'applies';
}

function accepted(id: string, { documents, request }: World): boolean {
  return documents.some(
    (document) => isKind(document, 'RiskAcceptance') && document.spec.rule === id && request.now < instantMs(document.spec.expires),
  );
}

const dynamic = { type: { kind: 'dyn' } } as const;

/** The value of an expression; undefined when it has none. */
function evaluate(source: string, roots: Readonly<Record<string, unknown>>): unknown {
  const compiled = compile(source, { variables: Object.fromEntries(Object.keys(roots).map((name) => [name, dynamic])) });
  if (!compiled.ok) throw new Error(compiled.problems[0]?.message);
  try {
    return compiled.program.evaluate(roots);
  } catch {
    return undefined;
  }
}

/** Variables of libraries and of the policy; one that has no value is absent. */
function variablesOf(policy: PolicySpec, world: World): Readonly<Record<string, unknown>> {
  const libraries = world.documents.flatMap((document) => (isKind(document, 'Library') ? Object.entries(document.spec.variables) : []));
  const vars: Record<string, unknown> = {};
  for (const [name, source] of [...libraries, ...Object.entries(policy.variables ?? {})]) {
    const value = evaluate(source, { ...rootsOf(world), vars });
    if (value !== undefined) vars[name] = value;
  }
  return vars;
}

function rootsOf({ documents, request }: World): Record<string, unknown> {
  const { subject, resource, context, facts = {} } = request;
  const data: Record<string, unknown> = {};
  for (const document of documents)
    if (isKind(document, 'DataSet') && isFresh(document, request.now)) data[document.name] = document.spec.values;
  return { ...request.attributes, subject, resource, context, facts, data };
}

function isFresh({ spec }: DocumentOf<'DataSet'>, now: number): boolean {
  return spec.asOf === undefined || spec.maxAge === undefined || now < instantMs(spec.asOf) + durationMs(spec.maxAge);
}

function namesCertainty(match: MatchSpec | undefined): boolean {
  return match !== undefined && 'context.certainty' in match;
}

function readsStaleData(specs: readonly (MatchSpec | undefined)[], { documents, request }: World): boolean {
  const named = specs.flatMap((match) => Object.values(match ?? {})).flatMap((wanted) => ('inData' in wanted ? [wanted.inData] : []));
  return documents.some((document) => isKind(document, 'DataSet') && named.includes(document.name) && !isFresh(document, request.now));
}

/** Lines over DataSets are looked at apart from the others. */
function matches(match: MatchSpec | undefined, world: World, { widening, overData }: { widening: boolean; overData: boolean }): boolean {
  return Object.entries(match ?? {}).every(([path, wanted]) => {
    if ('inData' in wanted !== overData) return true;
    let value: unknown = rootsOf(world);
    for (const segment of path.split('.')) value = (value as Record<string, unknown> | undefined)?.[segment];
    const values = Array.isArray(value) ? value : value === undefined ? [] : [value];
    const within = (atoms: readonly unknown[]): boolean => values.some((one) => atoms.some((atom) => covers(String(atom), String(one))));
    if (Array.isArray(wanted)) return within(wanted);
    const operators = wanted as Exclude<MatchSpec[string], readonly unknown[]>; // Array.isArray does not narrow readonly arrays away.
    if (operators.in !== undefined && !within(operators.in)) return false;
    if (operators.notIn !== undefined && (value === undefined ? widening : within(operators.notIn))) return false;
    if (operators.inData !== undefined) {
      const set = world.documents.find((document) => isKind(document, 'DataSet') && document.name === operators.inData);
      return within(set !== undefined && isKind(set, 'DataSet') ? (set.spec.values as readonly unknown[]) : []);
    }
    return operators.exists === undefined || (value !== undefined) === operators.exists;
  });
}

/** Globs by plain recursion. */
function covers(glob: string, text: string): boolean {
  if (glob === '') return text === '';
  if (glob.startsWith('**')) return covers(glob.slice(2), text) || (text !== '' && covers(glob, text.slice(1)));
  if (glob.startsWith('*')) return covers(glob.slice(1), text) || (text !== '' && text[0] !== '/' && covers(glob, text.slice(1)));
  return text !== '' && glob[0] === text[0] && covers(glob.slice(1), text.slice(1));
}

function modeOf(id: string, rule: RuleSpec, policy: PolicySpec, world: World): { mode: Mode; by?: string } {
  const { documents, request } = world;
  const overrides = documents
    .filter((document) => isKind(document, 'Override'))
    .filter(({ spec }) => spec.rules.includes(id) && live(spec, request.now));
  const override = overrides.find(({ spec }) => spec.mode === 'audit') ?? overrides[0];
  if (override !== undefined) return { mode: override.spec.mode, by: `override:${override.name}` };
  const [policyName, name = ''] = id.split('/');
  const rollout = documents
    .filter((document) => isKind(document, 'Rollout'))
    .find(({ spec }) => spec.subject.policy === policyName && (spec.subject.rules?.includes(name) ?? true));
  if (rollout === undefined) return { mode: rule.mode ?? policy.mode ?? 'enforce' };
  const { spec } = rollout;
  const moved = world.request.rolloutSteps?.[rollout.name];
  const steps = spec.steps.slice(0, moved !== undefined && moved <= spec.steps.length ? moved : (spec.step ?? 1));
  const roots = rootsOf(world);
  const key = spec.key.split('.').reduce<unknown>((value, segment) => (value as Record<string, unknown> | undefined)?.[segment], roots);
  const inside = steps.some(
    (step) =>
      (step.cohort !== undefined && evaluate(step.cohort, roots) === true) ||
      (step.percent !== undefined && typeof key === 'string' && bucketOf(spec.salt, key) < step.percent * 100),
  );
  const outside = spec.from === 'off' && steps.some((step) => step.shadow === true) ? 'shadow' : spec.from;
  return { mode: inside ? spec.to : outside, by: `rollout:${rollout.name}` };
}

/** From what lifts most to what lifts least. */
const leniency = ['require', 'transform', 'audit', 'waive'] as const;

function excepted(applied: Applied, world: World): Applied {
  const { documents, request } = world;
  const [policy, name = ''] = applied.id.split('/');
  const found = documents
    .filter((document) => isKind(document, 'Exception'))
    .filter(({ spec }) => spec.waives.some((waived) => waived.policy === policy && waived.rules.includes(name)))
    .filter(({ spec }) => live({ notBefore: spec.notBefore ?? '0001-01-01', expires: spec.expires }, request.now))
    .filter((document) => usesMade(document, request) < (document.spec.maxUses ?? Number.POSITIVE_INFINITY))
    .filter(({ spec }) => namesCertainty(spec.scope.match) || request.context['certainty'] === 'parsed')
    .filter(({ spec }) => matches(spec.scope.match, world, { widening: true, overData: false }))
    .filter(({ spec }) => spec.scope.when === undefined || evaluate(spec.scope.when, rootsOf(world)) === true);
  const kindOf = ({ spec }: DocumentOf<'Exception'>): (typeof leniency)[number] =>
    typeof spec.instead === 'object' ? (spec.instead.require === undefined ? 'transform' : 'require') : (spec.instead ?? 'waive');
  const exception = leniency.map((kind) => found.find((document) => kindOf(document) === kind)).find((one) => one !== undefined);
  if (exception === undefined) return applied;
  const { instead, maxUses } = exception.spec;
  const changed = {
    ...applied,
    by: `exception:${exception.name}`,
    ...(applied.mode === 'enforce' ? { exception: { name: exception.name, maxUses, window: windowOf(exception) } } : {}),
  };
  switch (kindOf(exception)) {
    case 'require':
      return { ...changed, effect: 'require', failed: false, require: (instead as { require: RequireSpec }).require, obligations: [] };
    case 'transform':
      return {
        ...changed,
        effect: 'transform',
        failed: false,
        require: undefined,
        obligations: (instead as { transform: ObligationSpec[] }).transform,
      };
    case 'audit':
      return { ...changed, mode: applied.mode === 'enforce' ? 'audit' : applied.mode };
    case 'waive':
      return { ...changed, mode: 'off' };
  }
}

function windowOf({ spec }: DocumentOf<'Exception'>): string {
  return `${spec.notBefore ?? ''}/${spec.expires}`;
}

function usesMade(document: DocumentOf<'Exception'>, { exceptionUses = {} }: DecisionRequest): number {
  return exceptionUses[`exception:${document.name} ${windowOf(document)}`] ?? 0;
}

function live(window: { readonly notBefore: string; readonly expires: string }, now: number): boolean {
  return instantMs(window.notBefore) <= now && now < instantMs(window.expires);
}
