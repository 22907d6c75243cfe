import { limits } from '#model';
import { check, type Checked } from './check.ts';
import { costOf } from './cost.ts';
import { EvalError } from './eval-error.ts';
import { type Activation, type Code, Frame } from './frame.ts';
import { parseSource } from './parser.ts';
import { Planner } from './plan.ts';
import { type CelProblem, locate, type ProblemDraft, ProblemSignal } from './problem.ts';
import { readsOf } from './reads.ts';
import { dynType } from './types.ts';
import { type CelValue, kindOf } from './values.ts';
import type { CelExpression } from './ast.ts';
import type { CelType, Environment } from './types.ts';

/** A compiled expression. Immutable; may be evaluated any number of times, also from within an activation. */
export interface Program {
  readonly source: string;
  readonly type: CelType;
  /** Attribute paths it may read, e.g. `["sql.effects", "subject.groups"]`: the longest static paths, sorted. */
  readonly reads: readonly string[];
  /** Static bound of the steps of one evaluation. */
  readonly cost: number;
  readonly ast: CelExpression;
  /**
   * Evaluates against plain JS data (strings, numbers, booleans, null, arrays, plain objects, bigints, `Uint8Array`s, CEL values).
   * A member that is absent or `undefined` is a missing attribute. Throws an `EvalError`.
   */
  evaluate(activation: Activation): CelValue;
  /** Evaluates a condition. Throws an `EvalError`, also when the result is not a bool. */
  test(activation: Activation): boolean;
}

export type ParseResult =
  | { readonly ok: true; readonly ast: CelExpression }
  | { readonly ok: false; readonly problems: readonly CelProblem[] };
export type CompileResult =
  | { readonly ok: true; readonly program: Program }
  | { readonly ok: false; readonly problems: readonly CelProblem[] };

/** Parses an expression without knowing its attributes. */
export function parse(source: string, sourceMax: number = limits.celSourceCharsMax): ParseResult {
  if (source.length > sourceMax) {
    const message = `the expression has ${source.length} characters, at most ${sourceMax} are allowed`;
    return {
      ok: false,
      problems: [locate(source, { code: 'TOO_LARGE', message, start: 0, end: 1, hint: 'move parts of it into variables' })],
    };
  }
  try {
    return { ok: true, ast: parseSource(source) };
  } catch (thrown) {
    if (!(thrown instanceof ProblemSignal)) throw thrown;
    return { ok: false, problems: [locate(source, thrown.draft)] };
  }
}

/** Parses, checks and plans an expression. All problems are reported that can be told apart in one pass. */
export function compile(source: string, environment: Environment): CompileResult {
  const parsed = parse(source, environment.sourceMax);
  if (!parsed.ok) return parsed;
  const checked = check(parsed.ast, environment);
  const problems = [...checked.problems];
  const cost = costOf(parsed.ast, checked);
  const costMax = environment.costMax ?? limits.celCostMax;
  if (cost > costMax && problems.length === 0) problems.push(costProblem(parsed.ast, cost, costMax));
  if (problems.length > 0) return { ok: false, problems: problems.map((draft) => locate(source, draft)) };
  return { ok: true, program: new Compiled({ source, ast: parsed.ast, checked, cost }) };
}

/**
 * Evaluates an expression that the check refused, the way the specification describes an evaluation without a check: what does not fit is
 * an error of the evaluation, and another operand may decide all the same. For looking into expressions, never for policies.
 * Throws an `EvalError`; undefined when the text does not parse.
 */
export function evaluateUnchecked(source: string, environment: Environment, activation: Activation): CelValue | undefined {
  const parsed = parse(source, environment.sourceMax);
  if (!parsed.ok) return undefined;
  const checked = check(parsed.ast, environment);
  return new Planner(checked).plan(parsed.ast)(new Frame(activation, checked.slots));
}

function costProblem(ast: CelExpression, cost: number, costMax: number): ProblemDraft {
  return {
    code: 'COST',
    message: `the expression may take ${cost} steps, at most ${costMax} are allowed`,
    start: ast.start,
    end: ast.end,
    hint: 'loops inside loops multiply; look into one list at a time',
  };
}

/** What `partial` needs of a program and a reader of a program does not. */
const insides = new WeakMap<Program, Checked>();

export function checkedOf(program: Program): Checked {
  const checked = insides.get(program);
  if (checked === undefined) throw new Error('the program was not made by compile()');
  return checked;
}

class Compiled implements Program {
  readonly source: string;
  readonly type: CelType;
  readonly reads: readonly string[];
  readonly cost: number;
  readonly ast: CelExpression;
  readonly #code: Code;
  readonly #slots: number;

  constructor(parts: { source: string; ast: CelExpression; checked: Checked; cost: number }) {
    this.source = parts.source;
    this.ast = parts.ast;
    this.cost = parts.cost;
    this.type = parts.checked.types.get(parts.ast.id) ?? dynType;
    this.reads = readsOf(parts.ast, parts.checked.references);
    this.#slots = parts.checked.slots;
    this.#code = new Planner(parts.checked).plan(parts.ast);
    insides.set(this, parts.checked);
  }

  evaluate(activation: Activation): CelValue {
    return this.#code(new Frame(activation, this.#slots));
  }

  test(activation: Activation): boolean {
    const value = this.#code(new Frame(activation, this.#slots));
    if (typeof value !== 'boolean') throw new EvalError('TYPE', `the condition gave ${kindOf(value)}, not a bool`);
    return value;
  }
}
