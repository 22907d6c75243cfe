import { unreachable } from '#model';
import type { DecisionRequest, EvaluationError, Mode } from '#model';
import { matchedBy } from '../compile/candidate.ts';
import type { Candidate, Hit } from '../compile/candidate.ts';
import { unchanged } from '../compile/compiled.ts';
import type { Compiled, CompiledException, CompiledRule, FailMode } from '../compile/compiled.ts';
import { escalation } from '../compile/require.ts';
import type { Matcher } from '../match/matcher.ts';
import type { Evaluation } from './condition.ts';
import { counterOf } from './limit.ts';
import { rolloutMode } from './rollout.ts';

export interface Circumstances {
  readonly compiled: Compiled;
  readonly request: DecisionRequest;
  readonly evaluation: Evaluation;
}

/** Whether and how a rule applies; undefined when it does not. */
export function applyRule(candidate: Candidate, circumstances: Circumstances): Hit | undefined {
  const { matchers, when, simple, plain } = candidate;
  if (!allAccept(matchers, circumstances.evaluation)) return undefined;
  if (!simple) return applyWithCare(candidate, circumstances);
  if (when === undefined) return plain;
  const answer = circumstances.evaluation.test(when);
  if (!answer.ok) return applyWithCare(candidate, circumstances);
  return answer.value ? plain : undefined;
}

/** A rule whose match holds and that has more than a `when`, or whose `when` has no answer. */
function applyWithCare({ rule, plain }: Candidate, circumstances: Circumstances): Hit | undefined {
  const { points } = rule.policy;
  if (points !== undefined && !points.has(circumstances.request.point)) return undefined;
  const effect = conditions(rule, circumstances);
  if (effect === undefined) return undefined;
  if (effect === 'applies' && rule.changes === unchanged) return plain;
  const { mode, by } = modeOf(rule, circumstances);
  if (mode === 'off' && by === undefined) return undefined;
  const failed = effect !== 'applies';
  const changed = { effect: failed ? effect : rule.effect, mode, by };
  const hit: Hit = {
    rule,
    ...changed,
    failed,
    require: effect === 'require' ? escalation : rule.require,
    obligations: failed ? [] : rule.obligations,
    exception: undefined,
    matched: matchedBy(rule.id, changed),
    constant: false,
    memory: unused,
  };
  return rule.changes.exceptions.length === 0 ? hit : except(hit, circumstances);
}

const unused: Hit['memory'] = { alone: undefined, paired: undefined };

/** `applies`, or the effect that an error has instead; undefined when the rule does not apply. */
type Applied = 'applies' | 'deny' | 'allow' | 'require' | undefined;

function conditions(rule: CompiledRule, { compiled, request, evaluation }: Circumstances): Applied {
  const { now } = request;
  if (rule.dataMatchers.length > 0) {
    const stale = compiled.data.perishable.find(
      (set) => set.freshUntil <= now && rule.dataMatchers.some((matcher) => matcher.data === set.name),
    );
    if (stale !== undefined)
      return fail(rule, rule.onUnavailable, { evaluation, now, part: 'match', path: `data.${stale.name}`, message: 'the data is stale' });
    if (!allAccept(rule.dataMatchers, evaluation)) return undefined;
  }
  for (const fact of rule.policy.facts) {
    if (factOf(request.facts, fact) !== undefined) continue;
    return fail(rule, rule.onUnavailable, { evaluation, now, part: 'facts', path: `facts.${fact}`, message: 'the fact is not available' });
  }
  if (rule.when !== undefined) {
    const answer = evaluation.test(rule.when);
    if (!answer.ok) return fail(rule, rule.onError, { evaluation, now, part: 'when', ...answer });
    if (!answer.value) return undefined;
  }
  if (rule.unlessValid !== undefined) {
    const answer = evaluation.value(rule.unlessValid.input);
    if (!answer.ok) return fail(rule, rule.onError, { evaluation, now, part: 'unlessValid', ...answer });
    if (rule.unlessValid.valid(answer.value)) return undefined;
  }
  if (rule.unless !== undefined) {
    const answer = evaluation.test(rule.unless);
    if (answer.ok && answer.value) return undefined;
    // An exemption that cannot be shown is not granted; that is an answer, not a failure of the rule.
    if (!answer.ok) note(rule, { evaluation, part: 'unless', ...answer });
  }
  return 'applies';
}

interface Failure {
  readonly evaluation: Evaluation;
  readonly now: number;
  readonly part: EvaluationError['part'];
  readonly path: string | undefined;
  readonly message: string;
}

function fail(rule: CompiledRule, mode: FailMode, failure: Failure): Applied {
  note(rule, failure);
  switch (mode) {
    case 'deny':
      return 'deny';
    case 'skip':
      return undefined;
    case 'escalate':
      return 'require';
    case 'allow':
      // INVARIANT: failing open never lets through what was not understood, nor anything once the acceptance of the risk has ended.
      return isParsed(failure.evaluation) && rule.changes.failOpenUntil.some((end) => failure.now < end) ? 'allow' : 'deny';
    default:
      return unreachable(mode);
  }
}

function isParsed({ view }: Evaluation): boolean {
  const { context } = view;
  return typeof context === 'object' && context !== null && 'certainty' in context && context.certainty === 'parsed';
}

function note(rule: CompiledRule, { evaluation, part, path, message }: Omit<Failure, 'now'>): void {
  evaluation.errors.push({ rule: rule.id, part, ...(path === undefined ? {} : { path }), message });
}

function allAccept(matchers: readonly Matcher[], { view }: Evaluation): boolean {
  for (const matcher of matchers) if (!matcher.accepts(matcher.read(view))) return false;
  return true;
}

function factOf(facts: DecisionRequest['facts'], path: string): unknown {
  let value: unknown = facts;
  for (const segment of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment)) return undefined;
    value = (value as Record<string, unknown>)[segment]; // An object that has the member.
  }
  return value ?? undefined;
}

/** Override before rollout before the rule's own mode, which has its policy's as default. */
function modeOf(rule: CompiledRule, { request, evaluation }: Circumstances): { mode: Mode; by: string | undefined } {
  const { killSwitches, rollouts } = rule.changes;
  const live = killSwitches.filter((killSwitch) => killSwitch.from <= request.now && request.now < killSwitch.until);
  // Two overrides of one rule: `audit` still records what would happen, so it is the stricter one.
  const override = live.find((candidate) => candidate.mode === 'audit') ?? live[0];
  if (override !== undefined) return { mode: override.mode, by: `override:${override.name}` };
  const [rollout] = rollouts;
  if (rollout !== undefined) return { mode: rolloutMode(rollout, evaluation, request.rolloutSteps), by: `rollout:${rollout.name}` };
  return { mode: rule.mode, by: undefined };
}

/** From what lifts most to what lifts least: of several live exceptions the strictest one counts. */
const leniency: readonly CompiledException['instead'][] = ['require', 'transform', 'audit', 'waive'];

function except(hit: Hit, circumstances: Circumstances): Hit {
  const live = hit.rule.changes.exceptions.filter((exception) => covers(exception, hit.rule, circumstances));
  const exception = leniency.map((instead) => live.find((candidate) => candidate.instead === instead)).find((found) => found !== undefined);
  if (exception === undefined) return hit;
  const changed = changedBy(exception, hit);
  return {
    ...changed,
    constant: false,
    exception: hit.mode === 'enforce' ? exception : undefined,
    matched: matchedBy(hit.rule.id, changed),
  };
}

function changedBy(exception: CompiledException, hit: Hit): Hit {
  const by = `exception:${exception.name}`;
  switch (exception.instead) {
    case 'waive':
      return { ...hit, mode: 'off', by };
    case 'audit':
      return { ...hit, mode: hit.mode === 'enforce' ? 'audit' : hit.mode, by };
    case 'require':
      return { ...hit, effect: 'require', require: exception.require, obligations: [], failed: false, by };
    case 'transform':
      return { ...hit, effect: 'transform', require: undefined, obligations: exception.obligations, failed: false, by };
    default:
      return unreachable(exception.instead);
  }
}

function isUsedUp({ name, uses }: CompiledException, { exceptionUses = {} }: DecisionRequest): boolean {
  if (uses === undefined) return false;
  const counter = `${counterOf(name)} ${uses.key}`;
  return (Object.hasOwn(exceptionUses, counter) ? (exceptionUses[counter] ?? 0) : 0) >= uses.max;
}

function covers(exception: CompiledException, rule: CompiledRule, { request, evaluation }: Circumstances): boolean {
  if (request.now < exception.from || request.now >= exception.until || isUsedUp(exception, request)) return false;
  if (!allAccept(exception.matchers, evaluation)) return false;
  if (exception.when === undefined) return true;
  const answer = evaluation.test(exception.when);
  if (!answer.ok) note(rule, { evaluation, part: 'when', path: answer.path, message: `exception ${exception.name}: ${answer.message}` });
  return answer.ok && answer.value;
}
