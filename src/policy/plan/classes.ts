import { limits } from '#model';
import type { DecisionRequest, Phase, Target } from '#model';
import type { Axis } from './cells.ts';
import { changeWords, directionOf } from './outcome.ts';
import type { Direction, Outcome } from './outcome.ts';

/** Requests for which the two bundles give different outcomes in the same way. */
export interface ChangeClass {
  readonly target: Target;
  readonly phase: Phase;
  readonly change: string;
  readonly direction: Direction;
  readonly from: Outcome;
  readonly to: Outcome;
  /** How many of the cells are in the class. */
  readonly cells: number;
  /** On each axis that matters, the values that occur; axes on which every value occurs are left out. */
  readonly where: Readonly<Record<string, readonly string[]>>;
  /** The most ordinary request of the class. Decide it with both bundles and see. */
  readonly witness: DecisionRequest;
  /** Names of test cases that are in the class. */
  readonly cases: readonly string[];
}

/**
 * What makes two changes the same to a reviewer: the outcomes, and the rules behind the stricter one of them. Who may do what is granted by
 * many rules, and which of them no longer matters.
 */
export function classKey(from: Outcome, to: Outcome): string {
  const direction = directionOf(from, to);
  return JSON.stringify([from.key, to.key, direction === 'stricter' ? [] : from.rules, direction === 'looser' ? [] : to.rules]);
}

/** The outcome with the rules of another one too. */
export function joined(outcome: Outcome, other: Outcome): Outcome {
  const rules = [...new Set([...outcome.rules, ...other.rules])].sort();
  return rules.length === outcome.rules.length ? outcome : { ...outcome, rules };
}

interface Growing {
  from: Outcome;
  to: Outcome;
  cells: number;
  readonly seen: Set<number>[];
  witness: DecisionRequest;
  /** How far the witness is from the unremarkable request: axes on which it differs. */
  distance: number;
  readonly cases: string[];
}

/** Sorts changed cells into classes. */
export class ClassCollector {
  readonly #axes: readonly Axis[];
  readonly #about: { readonly target: Target; readonly phase: Phase };
  readonly #classes = new Map<string, Growing>();
  /** Changed cells that belong to classes beyond the limit. */
  beyond = 0;

  constructor(axes: readonly Axis[], about: { readonly target: Target; readonly phase: Phase }) {
    this.#axes = axes;
    this.#about = about;
  }

  add(
    outcomes: { readonly from: Outcome; readonly to: Outcome },
    request: DecisionRequest,
    place: { choice: readonly number[] } | { test: string },
  ): void {
    const { from, to } = outcomes;
    const key = classKey(from, to);
    let growing = this.#classes.get(key);
    const distance = 'choice' in place ? place.choice.filter((index) => index > 0).length : Number.POSITIVE_INFINITY;
    if (growing === undefined) {
      if (this.#classes.size >= limits.planClassesMax) {
        this.beyond += 1;
        return;
      }
      growing = { from, to, cells: 0, seen: this.#axes.map(() => new Set()), witness: request, distance, cases: [] };
      this.#classes.set(key, growing);
    }
    growing.from = joined(growing.from, from);
    growing.to = joined(growing.to, to);
    if ('test' in place) growing.cases.push(place.test);
    else {
      growing.cells += 1;
      for (const [i, index] of place.choice.entries()) growing.seen[i]?.add(index);
    }
    if (distance >= growing.distance) return;
    growing.distance = distance;
    growing.witness = request;
  }

  /** The biggest loosening first: that is what a reviewer must not miss. */
  classes(): ChangeClass[] {
    const order: Readonly<Record<Direction, number>> = { looser: 0, stricter: 1, different: 2 };
    const done = [...this.#classes.values()].map((growing): ChangeClass => {
      const { from, to, cells, witness, cases } = growing;
      const where = Object.fromEntries(
        this.#axes.flatMap((axis, i) => {
          const seen = growing.seen[i] ?? new Set();
          if (seen.size === 0 || seen.size === axis.values.length) return [];
          return [[axis.name, [...seen].sort((a, b) => a - b).map((index) => axis.values[index]?.label ?? '')]];
        }),
      );
      return { ...this.#about, change: changeWords(from, to), direction: directionOf(from, to), from, to, cells, where, witness, cases };
    });
    return done.sort((a, b) => order[a.direction] - order[b.direction] || b.cells - a.cells || (a.change < b.change ? -1 : 1));
  }
}
