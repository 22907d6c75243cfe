import type { Decision, DecisionRequest } from '#model';
import { decide } from '../decide/decide.ts';
import type { CaseInputs, Expectation, PropertySpec } from '../documents/kinds/policy-test.ts';
import type { SourceFile } from '../source.ts';
import { differences } from './expect.ts';
import { inputsOf, samplesOf } from './property.ts';
import { pasteable, shrink } from './shrink.ts';
import { CaseMistake, requestOf, withDefault } from './request.ts';
import type { Surroundings } from './request.ts';
import type { Bundle } from '../bundle.ts';

/** One test file against one bundle: the real one, or one with a mistake in it. */
export interface Trial extends Surroundings {
  readonly files: readonly SourceFile[];
  /** Path of the test file; corpora are named relative to it. */
  readonly path: string;
  /** Told of every request that is decided. */
  readonly count: (request: DecisionRequest) => void;
}

export interface Run {
  /** What was wanted and what came; empty when all is well. */
  readonly failures: readonly string[];
  readonly decision?: Decision;
  /** What was decided; absent when it could not be made. */
  readonly request?: DecisionRequest;
}

export function runCase(inputs: CaseInputs, expect: Expectation, trial: Trial): Run {
  try {
    const byDefault = inputs.default ?? trial.test.defaults?.default;
    const bundle = byDefault === undefined ? trial.bundle : withDefault(trial.bundle, byDefault);
    const request = requestOf(inputs, { ...trial, bundle });
    trial.count(request);
    const decision = decide(bundle, request);
    return { failures: differences(decision, expect), decision, request };
  } catch (error) {
    return { failures: [mistake(error)] };
  }
}

/** Runs a property over all its inputs, up to the first counterexample. */
export function runProperty(property: PropertySpec, trial: Trial): Run {
  try {
    const failing = (inputs: CaseInputs): Run | undefined => {
      const run = runCase(inputs, property.expect, trial);
      return run.failures.length > 0 ? run : undefined;
    };
    for (const { inputs, values } of samplesOf(property, { all: trial.files, beside: trial.path })) {
      const first = failing(inputs);
      if (first === undefined) continue;
      // A smaller text that does something else would be another counterexample.
      const least = shrink(values, (smaller) => {
        const run = failing(inputsOf(property, smaller));
        return run?.request !== undefined && doneBy(run.request) === doneBy(first.request);
      });
      const run = failing(inputsOf(property, least)) ?? { failures: [] };
      return { ...run, failures: [`counterexample ${JSON.stringify(least)}`, ...run.failures, ...pasteable(property, least)] };
    }
    return { failures: [] };
  } catch (error) {
    return { failures: [mistake(error)] };
  }
}

/** What a statement does, in words that do not depend on its names. */
function doneBy(request: DecisionRequest | undefined): string {
  const sql = request?.attributes['sql'];
  return typeof sql === 'object' && sql !== null && 'effects' in sql ? JSON.stringify(sql.effects) : '';
}

/**
 * The cases of a test file against one mutant after the other. What a case asks does not depend on the mutant, unless it holds grants or exceeds a limit, so
 * every request is made once; the case that noticed the last mutant is asked first, because mutants stand in the order of rules.
 */
export class MutantTrial {
  readonly #trial: Trial;
  readonly #checks: ((bundle: Bundle) => boolean)[];

  constructor(trial: Trial) {
    this.#trial = { ...trial, count: () => undefined };
    const { cases = [], properties = [] } = trial.test;
    this.#checks = [
      ...cases.map(({ name: _name, tags: _tags, expect, ...inputs }) => this.#checkOf(inputs, expect)),
      ...properties.map((property) => this.#lawOf(property)),
    ];
  }

  /** Whether every case and property passes: then the mistake goes unnoticed. */
  allPass(bundle: Bundle): boolean {
    const at = this.#checks.findIndex((check) => !check(bundle));
    const [noticed] = at < 0 ? [] : this.#checks.splice(at, 1);
    if (noticed !== undefined) this.#checks.unshift(noticed);
    return at < 0;
  }

  #checkOf(inputs: CaseInputs, expect: Expectation): (bundle: Bundle) => boolean {
    const merged = { ...this.#trial.test.defaults, ...inputs };
    if ((merged.grants ?? []).length > 0 || merged.exceeded !== undefined)
      return (bundle) => runCase(inputs, expect, { ...this.#trial, bundle }).failures.length === 0;
    const byDefault = inputs.default ?? this.#trial.test.defaults?.default;
    const allowed = byDefault === undefined ? undefined : withDefault(this.#trial.bundle, byDefault).compiled.allowedByDefault;
    let request: DecisionRequest | undefined;
    return (bundle) => {
      const decided = allowed === undefined ? bundle : { ...bundle, compiled: { ...bundle.compiled, allowedByDefault: allowed } };
      try {
        request ??= requestOf(inputs, { ...this.#trial, bundle: decided });
      } catch (error) {
        mistake(error);
        return false;
      }
      return differences(decide(decided, request), expect).length === 0;
    };
  }

  #lawOf(property: PropertySpec): (bundle: Bundle) => boolean {
    let checks: readonly ((bundle: Bundle) => boolean)[] | undefined;
    return (bundle) => {
      const { files, path } = this.#trial;
      try {
        checks ??= samplesOf(property, { all: files, beside: path }).map(({ inputs }) => this.#checkOf(inputs, property.expect));
      } catch (error) {
        mistake(error);
        return false;
      }
      return checks.every((check) => check(bundle));
    };
  }
}

function mistake(error: unknown): string {
  if (error instanceof CaseMistake) return error.message;
  throw error;
}
