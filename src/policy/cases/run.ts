import type { Decision } from '#model';
import { loadInspectors } from '#inspect';
import { compileDocuments } from '../bundle.ts';
import type { Bundle } from '../bundle.ts';
import { decide } from '../decide/decide.ts';
import { isKind, readDocuments, specNode } from '../documents/document.ts';
import type { Document, DocumentOf } from '../documents/document.ts';
import type { CaseInputs, Expectation } from '../documents/kinds/policy-test.ts';
import { inReadingOrder } from '../problem.ts';
import type { Place, Problem } from '../problem.ts';
import type { SourceFile } from '../source.ts';
import { CoverageCounter, percent } from './coverage.ts';
import type { Coverage } from './coverage.ts';
import { differences } from './expect.ts';
import { samplesOf } from './property.ts';
import type { Sample } from './property.ts';
import { CaseMistake, requestOf } from './request.ts';
import { compileSubset } from './subset.ts';

export interface CaseResult {
  /** Name of the PolicyTest document. */
  readonly test: string;
  readonly name: string;
  readonly path: string;
  readonly line: number;
  readonly ok: boolean;
  /** What was wanted and what came; empty when ok. */
  readonly failures: readonly string[];
  /** The decision; absent when the case could not be run. Of a property that of its counterexample. */
  readonly decision?: Decision;
}

export interface TestReport {
  readonly test: string;
  readonly path: string;
  readonly coverage: Coverage;
}

export interface CaseReport {
  /** All cases pass, all coverage is reached, and the documents have no errors. */
  readonly ok: boolean;
  readonly problems: readonly Problem[];
  readonly results: readonly CaseResult[];
  readonly tests: readonly TestReport[];
}

/**
 * Runs the PolicyTest documents among the files against the policies among them. Files that are not YAML serve as corpora. The statement
 * texts go through the real parser, so a test also shows what an enforcement point will see.
 */
export async function runCases(files: readonly SourceFile[]): Promise<CaseReport> {
  await loadInspectors();
  const { documents, problems: found } = readDocuments(files.filter(({ path }) => /\.ya?ml$/.test(path)));
  const compiled = compileDocuments(documents, found);
  const problems = compiled.ok ? [...compiled.warnings] : [...compiled.problems];
  const results: CaseResult[] = [];
  const tests: TestReport[] = [];
  for (const document of documents) {
    if (!isKind(document, 'PolicyTest')) continue;
    const bundle = bundleFor(document, documents);
    if (bundle === undefined) {
      results.push(
        result(document, 'the policies under test compile', { place: document.place, failures: ['they do not; see the problems'] }),
      );
      continue;
    }
    const run = runTest(document, bundle, files);
    results.push(...run.results);
    tests.push({ test: document.name, path: document.place.file.path, coverage: run.coverage });
  }
  const ok = compiled.ok && results.every((one) => one.ok);
  return { ok, problems: inReadingOrder(problems), results, tests };
}

type TestDocument = Document & DocumentOf<'PolicyTest'>;

function bundleFor(document: TestDocument, documents: readonly Document[]): Bundle | undefined {
  const compiled = compileSubset(documents, document.spec.policies);
  return compiled.ok ? compiled.bundle : undefined;
}

function runTest(document: TestDocument, bundle: Bundle, files: readonly SourceFile[]): { results: CaseResult[]; coverage: Coverage } {
  const { spec } = document;
  const counter = new CoverageCounter(bundle.compiled);
  const context = { document, bundle, counter };
  const results = missingPolicies(document, bundle);
  for (const [i, one] of (spec.cases ?? []).entries()) {
    const { name, expect, ...inputs } = one;
    results.push(result(document, name, { place: specNode(document, ['cases', i]), ...runCase(inputs, expect, context) }));
  }
  for (const [i, property] of (spec.properties ?? []).entries()) {
    const place = specNode(document, ['properties', i]);
    try {
      const samples = samplesOf(property, { all: files, beside: document.place.file.path });
      results.push(result(document, property.name, { place, ...firstCounterexample(samples, property.expect, context) }));
    } catch (error) {
      results.push(result(document, property.name, { place, failures: [mistake(error)] }));
    }
  }
  const coverage = counter.report();
  results.push(...coverageResults(document, coverage));
  return { results, coverage };
}

interface Context {
  readonly document: TestDocument;
  readonly bundle: Bundle;
  readonly counter: CoverageCounter;
}

interface Run {
  readonly failures: readonly string[];
  readonly decision?: Decision;
}

function firstCounterexample(samples: readonly Sample[], expect: Expectation, context: Context): Run {
  for (const sample of samples) {
    const run = runCase(sample.inputs, expect, context);
    if (run.failures.length > 0) return { ...run, failures: [`counterexample ${JSON.stringify(sample.values)}`, ...run.failures] };
  }
  return { failures: [] };
}

function runCase(inputs: CaseInputs, expect: Expectation, { document, bundle, counter }: Context): Run {
  try {
    const byDefault = inputs.default ?? document.spec.defaults?.default;
    const chosen = byDefault === undefined ? bundle : withDefault(bundle, byDefault);
    const request = requestOf(inputs, document.spec, chosen);
    counter.count(request);
    const decision = decide(chosen, request);
    return { failures: differences(decision, expect), decision };
  } catch (error) {
    return { failures: [mistake(error)] };
  }
}

function mistake(error: unknown): string {
  if (error instanceof CaseMistake) return error.message;
  throw error;
}

function withDefault(bundle: Bundle, byDefault: 'allow' | 'deny'): Bundle {
  const targets = bundle.compiled.rules.map((rule) => rule.policy.target);
  const allowedByDefault = new Set(byDefault === 'allow' ? targets : []);
  return { ...bundle, compiled: { ...bundle.compiled, allowedByDefault } };
}

/** A test that names a policy which is not there would pass or fail for the wrong reason. */
function missingPolicies(document: TestDocument, bundle: Bundle): CaseResult[] {
  const there = new Set(bundle.documents.filter(({ kind }) => kind === 'Policy').map(({ name }) => name));
  return (document.spec.policies ?? []).flatMap((name, i) =>
    there.has(name)
      ? []
      : [
          result(document, `the policy ${name} exists`, {
            place: specNode(document, ['policies', i]),
            failures: ['there is no such policy'],
          }),
        ],
  );
}

function coverageResults(document: TestDocument, coverage: Coverage): CaseResult[] {
  const wanted = document.spec.coverage;
  if (wanted === undefined) return [];
  return (['rules', 'atoms', 'obligations', 'errors'] as const).flatMap((what) => {
    const least = wanted[what];
    if (least === undefined) return [];
    const reached = percent(coverage[what]);
    const failures =
      reached >= least ? [] : [`reached ${reached.toFixed(1)} %`, ...coverage[what].missing.map((name) => `never seen: ${name}`)];
    return [result(document, `coverage of ${what} is at least ${least} %`, { place: specNode(document, ['coverage', what]), failures })];
  });
}

function result(document: TestDocument, name: string, run: Run & { readonly place: Place }): CaseResult {
  const { place, failures, decision } = run;
  const where = { test: document.name, name, path: place.file.path, line: place.line };
  return { ...where, ok: failures.length === 0, failures, ...(decision === undefined ? {} : { decision }) };
}
