import type { Effect, MatchedRule, Mode } from '#model';
import type { Memory } from '../decide/memory.ts';
import type { Matcher } from '../match/matcher.ts';
import { unchanged } from './compiled.ts';
import type { CompiledException, CompiledObligation, CompiledRequire, CompiledRule, Condition } from './compiled.ts';

/** A rule that applies to the request, with what exceptions, rollouts, overrides and errors made of it. */
export interface Hit {
  readonly rule: CompiledRule;
  readonly effect: Effect;
  readonly mode: Mode;
  /** Which document changed the rule, e.g. `exception:batch-refunds`. */
  readonly by: string | undefined;
  /** The rule applies because it could not be evaluated. */
  readonly failed: boolean;
  readonly require: CompiledRequire | undefined;
  readonly obligations: readonly CompiledObligation[];
  /** The exception that changed it, where the rule would have counted without. */
  readonly exception: CompiledException | undefined;
  /** How the decision tells it. */
  readonly matched: MatchedRule;
  /** What it contributes is the same for every request it applies to. */
  readonly constant: boolean;
  readonly memory: Memory;
}

/** A rule and the lines of its match that the way to it has not answered yet. */
export interface Candidate {
  readonly rule: CompiledRule;
  /** Of the rule, here as `when` is, so that a decision does not touch a rule that does not apply: with thousands of them that is felt. */
  readonly ordinal: number;
  readonly when: Condition | undefined;
  readonly matchers: readonly Matcher[];
  /** Nothing but these lines and `when` decides whether the rule applies, and nothing changes what it does then. */
  readonly simple: boolean;
  /** The hit of a rule that applies as written, made once for all decisions; absent when its mode is off. */
  readonly plain: Hit | undefined;
}

/** The candidate of a rule of which nothing is answered yet. */
export function candidateOf(rule: CompiledRule): Candidate {
  const { policy, dataMatchers, unless, unlessValid, changes, effect, mode, require, obligations } = rule;
  const conditional = dataMatchers.length > 0 || policy.facts.length > 0 || unless !== undefined || unlessValid !== undefined;
  const simple = policy.points === undefined && !conditional && changes === unchanged;
  const matched: MatchedRule = Object.freeze({ rule: rule.id, effect, mode });
  const plain: Hit = {
    rule,
    effect,
    mode,
    by: undefined,
    failed: false,
    require,
    obligations,
    exception: undefined,
    matched,
    constant: isConstant(rule),
    memory: { alone: undefined, paired: undefined },
  };
  return { rule, ordinal: rule.ordinal, when: rule.when, matchers: rule.matchers, simple, plain: mode === 'off' ? undefined : plain };
}

/** Challenges ask for grants, limits charge keys, and other modes warn; templates are filled with what the request has. */
function isConstant({ effect, mode, message, obligations }: CompiledRule): boolean {
  const fixed = (message?.reads ?? []).length === 0 && obligations.every(({ templates }) => !templates);
  return fixed && mode === 'enforce' && effect !== 'require' && effect !== 'limit';
}

const noLines: readonly Matcher[] = [];

/** The candidate where these lines are answered already. */
export function without({ rule, ordinal, when, matchers, simple, plain }: Candidate, done: readonly Matcher[]): Candidate {
  const left = matchers.filter((line) => !done.includes(line));
  return { rule, ordinal, when, matchers: left.length === 0 ? noLines : left, simple, plain };
}

/** How a decision tells of a rule that another document changed. */
export function matchedBy(rule: string, { effect, mode, by }: Pick<Hit, 'effect' | 'mode' | 'by'>): MatchedRule {
  return by === undefined ? { rule, effect, mode } : { rule, effect, mode, by };
}
