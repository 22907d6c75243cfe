import type { Decision, DecisionRequest } from '#model';
import { decide } from '../decide/decide.ts';
import type { CaseInputs, Expectation, PropertySpec } from '../documents/kinds/policy-test.ts';
import type { SourceFile } from '../source.ts';
import { differences } from './expect.ts';
import { samplesOf } from './property.ts';
import { CaseMistake, requestOf, withDefault } from './request.ts';
import type { Surroundings } from './request.ts';

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
}

export function runCase(inputs: CaseInputs, expect: Expectation, trial: Trial): Run {
  try {
    const byDefault = inputs.default ?? trial.test.defaults?.default;
    const bundle = byDefault === undefined ? trial.bundle : withDefault(trial.bundle, byDefault);
    const request = requestOf(inputs, { ...trial, bundle });
    trial.count(request);
    const decision = decide(bundle, request);
    return { failures: differences(decision, expect), decision };
  } catch (error) {
    return { failures: [mistake(error)] };
  }
}

/** Runs a property over all its inputs, up to the first counterexample. */
export function runProperty(property: PropertySpec, trial: Trial): Run {
  try {
    for (const { inputs, values } of samplesOf(property, { all: trial.files, beside: trial.path })) {
      const run = runCase(inputs, property.expect, trial);
      if (run.failures.length > 0) return { ...run, failures: [`counterexample ${JSON.stringify(values)}`, ...run.failures] };
    }
    return { failures: [] };
  } catch (error) {
    return { failures: [mistake(error)] };
  }
}

/** Whether every case and property of the trial passes: for a bundle with a mistake in it, whether the mistake goes unnoticed. */
export function allPass(trial: Trial): boolean {
  const { cases = [], properties = [] } = trial.test;
  return (
    cases.every(({ name: _name, tags: _tags, expect, ...inputs }) => runCase(inputs, expect, trial).failures.length === 0) &&
    properties.every((property) => runProperty(property, trial).failures.length === 0)
  );
}

function mistake(error: unknown): string {
  if (error instanceof CaseMistake) return error.message;
  throw error;
}
