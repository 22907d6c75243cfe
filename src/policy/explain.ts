import type { Decision, DecisionRequest, Effect, EvaluationError, Mode } from '#model';
import type { Bundle } from './bundle.ts';
import { atomsOf } from './compile/atoms.ts';
import { candidateOf } from './compile/candidate.ts';
import type { CompiledRule, Condition } from './compile/compiled.ts';
import { applyRule } from './decide/applicable.ts';
import { Evaluation } from './decide/condition.ts';
import type { Answer } from './decide/condition.ts';
import { decide } from './decide/decide.ts';
import { viewOf } from './decide/decide-by.ts';
import { compilePath } from './match/matcher.ts';

/** Why a decision came out as it did: the decision, and for every rule which part held and which did not. */
export interface Explanation {
  readonly decision: Decision;
  readonly rules: readonly RuleExplanation[];
  /** Rules of the target and phase that are not listed because one of their indexed attributes has another value. */
  readonly others: number;
}

export interface RuleExplanation {
  /** `policy/rule` */
  readonly rule: string;
  readonly path: string;
  readonly line: number;
  readonly effect: Effect;
  readonly mode: Mode;
  readonly by?: string;
  readonly applies: boolean;
  /** The first thing that kept the rule from applying, in words. */
  readonly because?: string;
  readonly match: readonly { readonly path: string; readonly wanted: string; readonly seen: unknown; readonly holds: boolean }[];
  readonly conditions: readonly ConditionExplanation[];
  readonly errors: readonly EvaluationError[];
}

export interface ConditionExplanation {
  readonly part: 'when' | 'unless' | 'unlessValid';
  readonly source: string;
  readonly result: boolean | 'error' | 'valid' | 'invalid';
  readonly error?: string;
  readonly atoms: readonly AtomExplanation[];
}

export interface AtomExplanation {
  readonly text: string;
  readonly result: boolean | 'error';
  readonly error?: string;
  /** Attributes the atom reads, with the values it saw; absent ones are left out. */
  readonly saw: Readonly<Record<string, unknown>>;
}

/** Up to this many rules of a target and phase are all explained; beyond, only the candidates of the index. */
const allRulesMax = 200;

/** Explains a decision: the same evaluation, with nothing cut short. Slower than deciding; for people and tools. */
export function explain(bundle: Bundle, request: DecisionRequest): Explanation {
  const { compiled } = bundle;
  const view = viewOf(compiled, request);
  const all = compiled.index.all(request.target, request.phase);
  const listed = all.length <= allRulesMax ? all : compiled.index.candidates(request.target, request.phase, view);
  const rules = listed.map(({ rule }) => explainRule(rule, bundle, request));
  return { decision: decide(bundle, request), rules, others: all.length - listed.length };
}

function explainRule(rule: CompiledRule, { compiled }: Bundle, request: DecisionRequest): RuleExplanation {
  const evaluation = new Evaluation(viewOf(compiled, request));
  const hit = applyRule(candidateOf(rule), { compiled, request, evaluation });
  const match = [...rule.matchers, ...rule.dataMatchers].map((matcher) => {
    const seen = matcher.read(evaluation.view);
    return { path: matcher.path, wanted: matcher.wanted, seen, holds: matcher.accepts(seen) };
  });
  const conditions = explainConditions(rule, evaluation);
  const because = hit === undefined ? reasonWhyNot(rule, { match, conditions, request, errors: evaluation.errors }) : undefined;
  return {
    rule: rule.id,
    path: rule.place.file.path,
    line: rule.place.line,
    effect: hit?.effect ?? rule.effect,
    mode: hit?.mode ?? rule.mode,
    ...(hit?.by === undefined ? {} : { by: hit.by }),
    applies: hit !== undefined,
    ...(because === undefined ? {} : { because }),
    match,
    conditions,
    errors: evaluation.errors,
  };
}

function explainConditions(rule: CompiledRule, evaluation: Evaluation): readonly ConditionExplanation[] {
  const explained: ConditionExplanation[] = [];
  for (const part of ['when', 'unless'] as const) {
    const condition = rule[part];
    if (condition === undefined) continue;
    const answer = evaluation.test(condition);
    explained.push({ part, source: condition.program.source, ...told(answer), atoms: explainAtoms(condition, rule, evaluation) });
  }
  if (rule.unlessValid !== undefined) {
    const { input, valid } = rule.unlessValid;
    const answer = evaluation.value(input);
    const result = !answer.ok ? 'error' : valid(answer.value) ? 'valid' : 'invalid';
    explained.push({
      part: 'unlessValid',
      source: input.program.source,
      result,
      ...(answer.ok ? {} : { error: answer.message }),
      atoms: [],
    });
  }
  return explained;
}

function explainAtoms(condition: Condition, rule: CompiledRule, evaluation: Evaluation): readonly AtomExplanation[] {
  return atomsOf(condition, rule).map((atom) => {
    const saw: Record<string, unknown> = {};
    for (const path of atom.condition.program.reads) {
      const value = path.startsWith('vars.') ? undefined : compilePath(path)(evaluation.view);
      if (value !== undefined) saw[path] = value;
    }
    return { text: atom.text, ...told(evaluation.test(atom.condition)), saw };
  });
}

function told(answer: Answer<boolean>): { result: boolean | 'error'; error?: string } {
  return answer.ok ? { result: answer.value } : { result: 'error', error: answer.message };
}

function reasonWhyNot(
  rule: CompiledRule,
  of: Pick<RuleExplanation, 'match' | 'conditions' | 'errors'> & { readonly request: DecisionRequest },
): string {
  if (rule.policy.points !== undefined && !rule.policy.points.has(of.request.point)) return `it is not for the point "${of.request.point}"`;
  const line = of.match.find(({ holds }) => !holds);
  if (line !== undefined) return `${line.path} is ${show(line.seen)}, wanted ${line.wanted}`;
  if (rule.mode === 'off') return 'its mode is off';
  const [error] = of.errors;
  for (const { part, result } of of.conditions) {
    if (part === 'when' && result === false) return 'its condition "when" is false';
    if (part === 'unlessValid' && result === 'valid') return 'its input is valid';
    if (part === 'unless' && result === true) return 'its exemption "unless" holds';
  }
  return error === undefined ? 'it does not apply' : `${error.part} could not be evaluated: ${error.message}`;
}

const shownCharsMax = 120;

function show(value: unknown): string {
  if (value === undefined) return 'absent';
  const text = JSON.stringify(value, (_, member: unknown) => (typeof member === 'bigint' ? String(member) : member)) ?? typeof value;
  return text.length > shownCharsMax ? `${text.slice(0, shownCharsMax)}…` : text;
}

/** An explanation as text for a terminal. */
export function formatExplanation({ decision, rules, others }: Explanation): string {
  const lines = [`${decision.verdict} ${decision.reason}`];
  if (decision.message !== '') lines.push(`  ${decision.message}`);
  for (const rule of rules) {
    const decisive = decision.decisive.includes(rule.rule) ? ', decisive' : '';
    const by = rule.by === undefined ? '' : ` by ${rule.by}`;
    lines.push(
      '',
      `${rule.applies ? 'applies' : 'does not apply'}: ${rule.rule} (${rule.effect}, ${rule.mode}${by}${decisive}) ${rule.path}:${rule.line}`,
    );
    if (rule.because !== undefined) lines.push(`  because ${rule.because}`);
    for (const line of rule.match) lines.push(`  ${line.holds ? '+' : '-'} match ${line.path} ${line.wanted}: saw ${show(line.seen)}`);
    for (const condition of rule.conditions) {
      lines.push(
        `  ${condition.part}: ${condition.source} = ${condition.result}${condition.error === undefined ? '' : ` (${condition.error})`}`,
      );
      for (const atom of condition.atoms) {
        const saw = Object.entries(atom.saw).map(([path, value]) => `${path} = ${show(value)}`);
        lines.push(
          `    ${atom.text} = ${atom.result}${atom.error === undefined ? '' : ` (${atom.error})`}${saw.length === 0 ? '' : `; ${saw.join('; ')}`}`,
        );
      }
    }
  }
  if (others > 0) lines.push('', `${others} more rules of this target cannot apply to this request.`);
  return lines.join('\n');
}
