import { EvalError } from './eval-error.ts';
import { type CelValue } from './values.ts';
import { runOverload } from './functions/overload.ts';
import type { CallExpression } from './ast.ts';
import type { Checker } from './check.ts';
import { patternProblem } from './functions/regex.ts';

/** Functions that read a text of a certain form: with a constant text, a bad form is a problem of the policy, not of a request. */
const readers = new Set(['timestamp', 'duration', 'ip', 'cidr', 'url', 'quantity', 'semver']);
const patterns = new Set(['matches', 'regex.extract', 'regex.extractAll', 'regex.replace', 'find', 'findAll']);

/** Reports a constant argument that cannot work. */
export function constantProblem(checker: Checker, e: CallExpression, name: string): void {
  const [first] = e.args;
  if (readers.has(name) && first?.kind === 'literal' && typeof first.value === 'string') tryCall(checker, e, first.value);
  if (!patterns.has(name)) return;
  const pattern = e.target === undefined || checker.qualified.has(e.id) ? e.args[1] : first;
  if (pattern?.kind === 'literal' && typeof pattern.value === 'string') tryPattern(checker, { ...pattern, value: pattern.value });
}

function tryCall(checker: Checker, e: CallExpression, text: CelValue): void {
  const [overload] = checker.calls.get(e.id) ?? [];
  if (overload === undefined || overload.member || overload.params.length !== 1) return;
  try {
    runOverload(overload, [text]);
  } catch (thrown) {
    if (!(thrown instanceof EvalError)) throw thrown;
    const { start, end } = e;
    checker.problem({ code: 'CONSTANT', message: thrown.message, start, end });
  }
}

function tryPattern(checker: Checker, literal: { readonly start: number; readonly end: number; readonly value: string }): void {
  const message = patternProblem(literal.value);
  if (message !== undefined) checker.problem({ code: 'REGEX', message, start: literal.start, end: literal.end });
}
