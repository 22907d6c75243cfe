import { compile, evaluateUnchecked } from './compile.ts';
import { EvalError } from './eval-error.ts';
import { fromTaggedJson, type TaggedJson, TaggedJsonMistake, toTaggedJson } from './tagged-json.ts';
import type { Environment } from './types.ts';
import type { CelValue } from './values.ts';

/** The answer to one line: a value, or why there is none. `id` is that of the line, where it has one. */
export type LineAnswer = { readonly id?: string | number } & (Valued | { readonly error: LineError });

interface Valued {
  readonly value: TaggedJson;
  /** What the check has against the expression; the value is then that of an evaluation without a check. */
  readonly unchecked?: LineError;
}

interface LineError {
  /** `input`: the line is wrong; `compile`: the expression is; `evaluate`: it has no value with these bindings. */
  readonly stage: 'input' | 'compile' | 'evaluate';
  readonly code: string;
  readonly message: string;
  /** Place in the expression, from 1. */
  readonly line?: number;
  readonly column?: number;
}

const dynamic = { type: { kind: 'dyn' } } as const;

/**
 * Evaluates one line `{"expr": …, "bindings": {…}, "container": …, "id": …, "check": …}`. Every binding has the type dyn, so types are
 * checked when the values are known. Total: whatever the line, the answer is an answer.
 *
 * SPEC: docs/formats/cel-values.md
 */
export function evaluateLine(line: string): LineAnswer {
  let id: string | number | undefined;
  const answer = (rest: Valued | { readonly error: LineError }): LineAnswer => (id === undefined ? rest : { id, ...rest });
  try {
    const input = inputOf(line);
    id = input.id;
    const bindings = bindingsOf(input.bindings);
    const environment: Environment = {
      variables: Object.fromEntries(Object.keys(bindings).map((name) => [name, dynamic])),
      ...(input.container === '' ? {} : { container: input.container }),
    };
    const compiled = compile(input.expr, environment);
    if (compiled.ok) return answer({ value: toTaggedJson(compiled.program.evaluate(bindings)) });
    const { code = 'SYNTAX', message = 'does not compile', line: at = 1, column = 1 } = compiled.problems[0] ?? {};
    const error: LineError = { stage: 'compile', code, message, line: at, column };
    const value = input.check ? undefined : withoutCheck(() => evaluateUnchecked(input.expr, environment, bindings));
    return answer(value === undefined ? { error } : { value: toTaggedJson(value), unchecked: error });
  } catch (thrown) {
    return answer({ error: errorOf(thrown) });
  }
}

/** The value of an expression that did not pass the check; undefined when there is none: then what the check said is the better answer. */
function withoutCheck(evaluate: () => CelValue | undefined): CelValue | undefined {
  try {
    return evaluate();
  } catch (thrown) {
    if (thrown instanceof EvalError) return undefined;
    throw thrown;
  }
}

function errorOf(thrown: unknown): LineError {
  if (thrown instanceof TaggedJsonMistake) return { stage: 'input', code: 'INPUT', message: thrown.message };
  if (thrown instanceof EvalError) return { stage: 'evaluate', code: thrown.kind, message: thrown.message };
  // A mistake of the engine must not end the run either; it is said as what it is.
  return { stage: 'evaluate', code: 'INTERNAL', message: thrown instanceof Error ? thrown.message : String(thrown) };
}

interface Input {
  readonly expr: string;
  readonly bindings: Readonly<Record<string, unknown>>;
  readonly container: string;
  readonly id: string | number | undefined;
  /** An expression that does not pass the check has no value. */
  readonly check: boolean;
}

function inputOf(line: string): Input {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    throw new TaggedJsonMistake('the line is not JSON');
  }
  if (!isRecord(json)) throw new TaggedJsonMistake('the line is not a JSON object');
  const { expr, bindings = {}, container = '', id, check = false } = json;
  if (typeof expr !== 'string') throw new TaggedJsonMistake('"expr" must be a string');
  if (!isRecord(bindings)) throw new TaggedJsonMistake('"bindings" must be an object');
  if (typeof container !== 'string') throw new TaggedJsonMistake('"container" must be a string');
  if (typeof check !== 'boolean') throw new TaggedJsonMistake('"check" must be true or false');
  if (id !== undefined && typeof id !== 'string' && typeof id !== 'number')
    throw new TaggedJsonMistake('"id" must be a string or a number');
  return { expr, bindings, container, id, check };
}

function bindingsOf(json: Readonly<Record<string, unknown>>): Record<string, CelValue> {
  return Object.fromEntries(
    Object.entries(json).map(([name, content]) => {
      try {
        return [name, fromTaggedJson(content)];
      } catch (thrown) {
        if (!(thrown instanceof TaggedJsonMistake) && !(thrown instanceof EvalError)) throw thrown;
        throw new TaggedJsonMistake(`binding "${name}": ${thrown.message}`);
      }
    }),
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
