import type { EvaluationError } from '#model';
import { EvalError } from '../cel/index.ts';
import type { Condition, View } from '../compile/compiled.ts';

/** What a condition gave: a value, or why there is none. */
export type Answer<T> = { readonly ok: true; readonly value: T } | Failed;

export interface Failed {
  readonly ok: false;
  readonly path: string | undefined;
  readonly message: string;
}

/** The state of one decision: the roots, computed variables, and what went wrong on the way. */
export class Evaluation {
  readonly view: View;
  readonly errors: EvaluationError[];
  /** Answers of computed variables; a name means the same program only within one policy, so the program is the key. */
  private computed: Map<unknown, Answer<unknown>> | undefined;

  // Plain assignments: one of these is made for every decision, and fields with initialisers or a # take twice as long.
  constructor(view: View) {
    this.view = view;
    this.errors = [];
    this.computed = undefined;
  }

  test(condition: Condition): Answer<boolean> {
    if (condition.variables.length === 0) {
      try {
        return condition.program.test(this.view) ? yes : no;
      } catch (error) {
        return failure(error);
      }
    }
    return this.with(condition, (view) => condition.program.test(view));
  }

  value(condition: Condition): Answer<unknown> {
    return this.with(condition, (view) => condition.program.evaluate(view));
  }

  /**
   * Computes the variables a condition reads, then the condition. A variable that cannot be computed is absent: only a condition that
   * really needs it fails, and it then names what the variable lacked.
   */
  private with<T>(condition: Condition, run: (view: View) => T): Answer<T> {
    const vars: Record<string, unknown> = {};
    this.view['vars'] = vars;
    const computed = (this.computed ??= new Map());
    for (const { name, program } of condition.variables) {
      let answer = computed.get(program);
      if (answer === undefined) {
        answer = attempt(() => program.evaluate(this.view));
        computed.set(program, answer);
      }
      if (answer.ok) vars[name] = answer.value;
    }
    const answer = attempt(() => run(this.view));
    return answer.ok ? answer : this.caused(answer, condition);
  }

  /** Names the cause behind a variable that is absent because it could not be computed. */
  private caused(failed: Failed, condition: Condition): Failed {
    const name = failed.path?.startsWith('vars.') === true ? failed.path.split('.')[1] : undefined;
    const variable = condition.variables.find((candidate) => candidate.name === name);
    const cause = variable && this.computed?.get(variable.program);
    return cause === undefined || cause.ok ? failed : { ok: false, path: cause.path, message: `${failed.path}: ${cause.message}` };
  }
}

const yes: Answer<boolean> = { ok: true, value: true };
const no: Answer<boolean> = { ok: true, value: false };

function attempt<T>(run: () => T): Answer<T> {
  try {
    return { ok: true, value: run() };
  } catch (error) {
    return failure(error);
  }
}

function failure(error: unknown): Failed {
  // Anything but an evaluation error is a fault of the engine and ends the decision.
  if (!(error instanceof EvalError)) throw error;
  return { ok: false, path: error.path, message: error.message };
}
