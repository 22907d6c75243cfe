import { EvalError } from './eval-error.ts';
import { limits } from '#model';
import type { CelValue } from './values.ts';

/** Where an evaluation finds its variables: a function, or a record of them. `undefined` means there is no such variable. */
export type Activation = ((name: string) => unknown) | Readonly<Record<string, unknown>>;

/** A part of a program, compiled to a closure. */
export type Code = (frame: Frame) => CelValue;

/** The state of one evaluation. */
export class Frame {
  private readonly find: ((name: string) => unknown) | undefined;
  private readonly record: Readonly<Record<string, unknown>>;
  /** Values of local variables; a `Suspended` one is a `cel.bind` that nobody needed yet. */
  readonly slots: unknown[];
  private steps: number;

  // Plain assignments: one of these is made for every evaluation, and fields with initialisers or a # take twice as long.
  constructor(activation: Activation, slots: number) {
    if (typeof activation === 'function') {
      this.find = activation;
      this.record = noVariables;
    } else {
      this.find = undefined;
      this.record = activation;
    }
    // A list that grows from nothing takes room for many; most conditions have one local variable or none.
    this.slots = slots === 0 ? noSlots : slots === 1 ? [undefined] : [undefined, undefined];
    this.steps = limits.celStepsMax;
  }

  lookup(name: string): unknown {
    return this.find === undefined ? this.record[name] : this.find(name);
  }

  /** Counts work done; an evaluation that does too much ends with an error that nothing absorbs. */
  charge(steps: number): void {
    this.steps -= steps;
    if (this.steps < 0) throw new EvalError('STEPS', `the evaluation took more than ${limits.celStepsMax} steps`);
  }

  /** Counts a string that was made or read. */
  chargeText(chars: number): void {
    this.charge(chars >> 3);
  }
}

const noSlots: unknown[] = [];
const noVariables: Readonly<Record<string, unknown>> = {};

/** The error as a value, where the language lets another operand decide. Running out of steps is never absorbed. */
export function absorb(thrown: unknown): EvalError {
  if (thrown instanceof EvalError && thrown.kind !== 'STEPS') return thrown;
  throw thrown;
}

/** Counts the size of a result that grew out of its operands, so that doubling cannot eat the memory. */
export function chargeFor(frame: Frame, result: CelValue): void {
  if (typeof result === 'string') frame.chargeText(result.length);
  else if (Array.isArray(result) || result instanceof Uint8Array) frame.charge(result.length);
}
