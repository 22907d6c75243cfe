import type { DecisionRequest, Effect, Mode, Verdict } from '#model';
import { compile } from '../cel/index.ts';
import type { Document, DocumentOf } from '../documents/document.ts';
import { isKind } from '../documents/document.ts';
import { tiers } from '../documents/kinds/policy.ts';
import type { PolicySpec } from '../documents/kinds/policy.ts';
import type { MatchSpec, RuleSpec } from '../documents/kinds/rule.ts';
import { instantMs } from '../documents/time.ts';
import { bucketOf } from './rollout.ts';

/**
 * The decision semantics once more, slow and obvious: no index, no compiled closures, every document looked at for every request. Used
 * only by tests, as the oracle for the engine. It answers for verdict, reason and deciding rules; obligations are merged elsewhere.
 */
export function referenceDecide(
  documents: readonly Document[],
  request: DecisionRequest,
): { verdict: Verdict; reason: string; decisive: string[] } {
  const applied: Applied[] = [];
  for (const document of documents) {
    if (!isKind(document, 'Policy')) continue;
    if (document.spec.target !== request.target || (document.spec.phase ?? 'request') !== request.phase) continue;
    for (const rule of document.spec.rules) {
      const result = applyOne(document, rule, documents, request);
      if (result !== undefined && result.mode === 'enforce') applied.push(result);
    }
  }
  applied.sort((a, b) => a.tier - b.tier || b.priority - a.priority || (a.id < b.id ? -1 : 1));
  const allows = applied.filter(({ effect }) => effect === 'allow');
  const denies = applied.filter((deny) => deny.effect === 'deny' && !allows.some((allow) => mayOverride(allow, deny)));
  if (denies[0] !== undefined) {
    return {
      verdict: 'deny',
      reason: denies[0].failed ? 'EVALUATION_ERROR' : (denies[0].rule.reason ?? 'DENIED'),
      decisive: denies.map(({ id }) => id),
    };
  }
  // Grants do not occur in the generated requests, so every challenge is open.
  const open = applied.filter(({ effect }) => effect === 'require');
  if (open[0] !== undefined) {
    return {
      verdict: 'pending',
      reason: open[0].failed ? 'EVALUATION_ERROR' : (open[0].rule.reason ?? 'REQUIREMENT_OPEN'),
      decisive: open.map(({ id }) => id),
    };
  }
  if (allows.length === 0)
    return {
      verdict: request.phase === 'response' ? 'allow' : 'deny',
      reason: request.phase === 'response' ? 'ALLOWED' : 'NO_MATCHING_ALLOW',
      decisive: [],
    };
  return { verdict: 'allow', reason: allows[0]?.rule.reason ?? 'ALLOWED', decisive: allows.map(({ id }) => id).sort() };
}

interface Applied {
  readonly id: string;
  readonly rule: RuleSpec;
  readonly effect: Effect;
  readonly mode: Mode;
  readonly tier: number;
  readonly priority: number;
  readonly failed: boolean;
}

function mayOverride(allow: Applied, deny: Applied): boolean {
  if (allow.failed || deny.rule.waivable === false || !(allow.rule.overrides ?? []).includes(deny.id)) return false;
  return allow.tier < deny.tier || (allow.tier === deny.tier && allow.priority > deny.priority);
}

function applyOne(
  document: DocumentOf<'Policy'>,
  rule: RuleSpec,
  documents: readonly Document[],
  request: DecisionRequest,
): Applied | undefined {
  const { spec } = document;
  const id = `${document.name}/${rule.id}`;
  const base = { id, rule, tier: tiers.indexOf(spec.tier), priority: rule.priority ?? 500 };
  if (spec.points !== undefined && !spec.points.includes(request.point)) return undefined;
  const widening = rule.effect === 'allow';
  const certain = namesCertainty(spec.match) || namesCertainty(rule.match) || request.context['certainty'] === 'parsed';
  if (!matches(spec.match, request, widening) || !matches(rule.match, request, widening) || (widening && !certain)) return undefined;
  const outcome = conditions(rule, spec, request);
  if (outcome === undefined) return undefined;
  const mode = modeOf(id, rule, spec, { documents, request });
  const failed = outcome !== 'applies';
  const plain: Applied = { ...base, effect: failed ? outcome : rule.effect, mode, failed };
  return excepted(plain, documents, request);
}

function conditions(rule: RuleSpec, policy: PolicySpec, request: DecisionRequest): 'applies' | 'deny' | 'allow' | 'require' | undefined {
  const onError = rule.onError ?? (rule.effect === 'allow' || rule.effect === 'observe' ? 'skip' : 'deny');
  for (const fact of policy.requires?.facts ?? []) {
    if ((request.facts ?? {})[fact] === undefined) return onFailure(rule.onUnavailable ?? onError);
  }
  if (rule.when !== undefined) {
    const value = test(rule.when, request);
    if (value === 'error') return onFailure(onError);
    if (!value) return undefined;
  }
  if (rule.unless !== undefined && test(rule.unless, request) === true) return undefined;
  return 'applies';
}

function onFailure(mode: 'deny' | 'allow' | 'skip' | 'escalate'): 'deny' | 'allow' | 'require' | undefined {
  return mode === 'skip' ? undefined : mode === 'escalate' ? 'require' : mode;
}

const dynamic = { type: { kind: 'dyn' } } as const;

function test(source: string, request: DecisionRequest): boolean | 'error' {
  const roots = rootsOf(request);
  const compiled = compile(source, { variables: Object.fromEntries(Object.keys(roots).map((name) => [name, dynamic])) });
  if (!compiled.ok) throw new Error(compiled.problems[0]?.message);
  try {
    return compiled.program.test(roots);
  } catch {
    return 'error';
  }
}

function rootsOf(request: DecisionRequest): Record<string, unknown> {
  const { subject, resource, context, facts = {} } = request;
  return { ...request.attributes, subject, resource, context, facts };
}

function namesCertainty(match: MatchSpec | undefined): boolean {
  return match !== undefined && 'context.certainty' in match;
}

function matches(match: MatchSpec | undefined, request: DecisionRequest, widening: boolean): boolean {
  return Object.entries(match ?? {}).every(([path, wanted]) => {
    let value: unknown = rootsOf(request);
    for (const segment of path.split('.')) value = (value as Record<string, unknown> | undefined)?.[segment];
    const values = Array.isArray(value) ? value : value === undefined ? [] : [value];
    const within = (atoms: readonly unknown[]): boolean => values.some((one) => atoms.some((atom) => covers(String(atom), String(one))));
    if (Array.isArray(wanted)) return within(wanted);
    const operators = wanted as Exclude<MatchSpec[string], readonly unknown[]>; // Array.isArray does not narrow readonly arrays away.
    if (operators.in !== undefined && !within(operators.in)) return false;
    if (operators.notIn !== undefined && (value === undefined ? widening : within(operators.notIn))) return false;
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

function modeOf(id: string, rule: RuleSpec, policy: PolicySpec, world: { documents: readonly Document[]; request: DecisionRequest }): Mode {
  const { documents, request } = world;
  const overrides = documents
    .filter((document) => isKind(document, 'Override'))
    .filter(({ spec }) => spec.rules.includes(id) && live(spec, request.now));
  if (overrides.length > 0) return overrides.some(({ spec }) => spec.mode === 'audit') ? 'audit' : 'off';
  const rollout = documents
    .filter((document) => isKind(document, 'Rollout'))
    .find(({ spec }) => {
      const [policyName, name = ''] = id.split('/');
      return spec.subject.policy === policyName && (spec.subject.rules?.includes(name) ?? true);
    });
  if (rollout === undefined) return rule.mode ?? policy.mode ?? 'enforce';
  const { spec } = rollout;
  const steps = spec.steps.slice(0, spec.step ?? 1);
  const key = spec.key
    .split('.')
    .reduce<unknown>((value, segment) => (value as Record<string, unknown> | undefined)?.[segment], rootsOf(request));
  const inside = steps.some(
    (step) =>
      (step.cohort !== undefined && test(step.cohort, request) === true) ||
      (step.percent !== undefined && typeof key === 'string' && bucketOf(spec.salt, key) < step.percent * 100),
  );
  if (inside) return spec.to;
  return spec.from === 'off' && steps.some((step) => step.shadow === true) ? 'shadow' : spec.from;
}

function excepted(applied: Applied, documents: readonly Document[], request: DecisionRequest): Applied | undefined {
  const [policy, name = ''] = applied.id.split('/');
  const instead = documents
    .filter((document) => isKind(document, 'Exception'))
    .filter(({ spec }) => spec.waives.some((waived) => waived.policy === policy && waived.rules.includes(name)))
    .filter(({ spec }) => live({ notBefore: spec.notBefore ?? '0001-01-01', expires: spec.expires }, request.now))
    .filter(({ spec }) => namesCertainty(spec.scope.match) || request.context['certainty'] === 'parsed')
    .filter(
      ({ spec }) => matches(spec.scope.match, request, true) && (spec.scope.when === undefined || test(spec.scope.when, request) === true),
    )
    .map(({ spec }) => spec.instead ?? 'waive');
  const block = instead.find((one) => typeof one !== 'string' && one.require !== undefined);
  if (block !== undefined) return { ...applied, effect: 'require', failed: false };
  if (instead.some((one) => typeof one !== 'string')) return { ...applied, effect: 'transform', failed: false };
  if (instead.includes('audit')) return { ...applied, mode: applied.mode === 'enforce' ? 'audit' : applied.mode };
  return instead.includes('waive') ? undefined : applied;
}

function live(window: { readonly notBefore: string; readonly expires: string }, now: number): boolean {
  return instantMs(window.notBefore) <= now && now < instantMs(window.expires);
}
