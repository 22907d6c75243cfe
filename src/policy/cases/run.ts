import { canonicalJson, limits } from '#model';
import type { Decision, DecisionRequest } from '#model';
import { loadInspectors } from '#inspect';
import { compileDocuments } from '../bundle.ts';
import type { Bundle } from '../bundle.ts';
import { digestOf, sha256Hex } from '../digest.ts';
import { isKind, readDocuments, specNode } from '../documents/document.ts';
import type { Document, DocumentOf } from '../documents/document.ts';
import { inForce } from '../packs.ts';
import { engineVersion } from '../engine-version.ts';
import { inReadingOrder } from '../problem.ts';
import type { Place, Problem } from '../problem.ts';
import type { SourceFile } from '../source.ts';
import { CoverageCounter, percent } from './coverage.ts';
import type { Coverage, Measure } from './coverage.ts';
import { MutantBundles } from './mutant-bundle.ts';
import { mutantsOf } from './mutate.ts';
import { compileSubset } from './subset.ts';
import { MutantTrial, runCase, runProperty } from './trial.ts';
import type { Run, Trial } from './trial.ts';

export interface CaseResult {
  /** Name of the PolicyTest document. */
  readonly test: string;
  readonly name: string;
  /** Tags of the case, for selection and reports. */
  readonly tags: readonly string[];
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
  /** Mutants that were noticed; `missing` are the survivors. Only where the file asks for a score. */
  readonly mutation?: Measure;
}

export interface CaseReport {
  /** All cases pass, all coverage is reached, and the documents have no errors. */
  readonly ok: boolean;
  readonly problems: readonly Problem[];
  readonly results: readonly CaseResult[];
  readonly tests: readonly TestReport[];
}

/** Told now and then how far a run has come: `of` mutants of a test were tried, 0 while its cases run. What it returns is awaited. */
export type Progress = (step: { readonly test: string; readonly done: number; readonly of: number }) => Promise<void> | void;

const quietly: Progress = () => undefined;

/** Answers of test documents, remembered under a key that names everything they depend on. */
export interface ResultStore {
  get(key: string): TestAnswer | undefined;
  set(key: string, answer: TestAnswer): void;
}

/** What one test document gave; JSON. */
export interface TestAnswer {
  readonly results: readonly CaseResult[];
  readonly report?: TestReport;
}

/**
 * Runs the PolicyTest documents among the files against the policies among them. Files that are not YAML serve as corpora. The statement
 * texts go through the real parser, so a test also shows what an enforcement point will see.
 */
export async function runCases(files: readonly SourceFile[], store?: ResultStore, progress: Progress = quietly): Promise<CaseReport> {
  await loadInspectors();
  const { documents, problems: found } = readDocuments(files.filter(({ path }) => /\.ya?ml$/.test(path)));
  const present = inForce(documents, found);
  const compiled = compileDocuments(present, found);
  const problems = compiled.ok ? [...compiled.warnings] : [...compiled.problems];
  const results: CaseResult[] = [];
  const tests: TestReport[] = [];
  const others = store === undefined ? '' : digestOfInputs(files, documents);
  for (const document of documents) {
    if (!isKind(document, 'PolicyTest')) continue;
    const key = sha256Hex(`${others} ${document.name} ${document.place.file.path} ${document.place.file.text}`);
    await progress({ test: document.name, done: 0, of: 0 });
    const answer = store?.get(key) ?? (await answerOf(document, documents, { files, progress }));
    store?.set(key, answer);
    results.push(...answer.results);
    if (answer.report !== undefined) tests.push(answer.report);
  }
  const ok = compiled.ok && results.every((one) => one.ok);
  return { ok, problems: inReadingOrder(problems), results, tests };
}

/** Everything but the test's own file that its answer depends on: the engine, the policies, the corpora. */
function digestOfInputs(files: readonly SourceFile[], documents: readonly Document[]): string {
  const corpora = files.filter(({ path }) => !/\.ya?ml$/.test(path)).map(({ path, text }) => [path, text]);
  return sha256Hex(canonicalJson([engineVersion, digestOf(documents), corpora]));
}

async function answerOf(
  document: TestDocument,
  documents: readonly Document[],
  { files, progress }: { readonly files: readonly SourceFile[]; readonly progress: Progress },
): Promise<TestAnswer> {
  const bundle = bundleFor(document, documents);
  if (bundle === undefined) {
    return {
      results: [
        result(document, 'the policies under test compile', { place: document.place, failures: ['they do not; see the problems'] }),
      ],
    };
  }
  const counter = new CoverageCounter(bundle.compiled);
  const { path } = document.place.file;
  const count = (request: DecisionRequest): void => counter.count(request);
  const trial: Trial = { test: document.spec, bundle, catalogs: new Map(), files, path, count };
  const ran = runTest(document, trial, counter);
  const mutation = await mutationOf(document, documents, { trial, progress });
  const report = { test: document.name, path, coverage: counter.report(), ...(mutation === undefined ? {} : { mutation }) };
  return { results: [...ran, ...mutationResults(document, mutation)], report };
}

type TestDocument = Document & DocumentOf<'PolicyTest'>;

function bundleFor(document: TestDocument, documents: readonly Document[]): Bundle | undefined {
  const compiled = compileSubset(documents, document.spec.policies);
  return compiled.ok ? compiled.bundle : undefined;
}

function runTest(document: TestDocument, trial: Trial, counter: CoverageCounter): CaseResult[] {
  const { spec } = document;
  const results = missingPolicies(document, trial.bundle);
  for (const [i, { name, tags, expect, ...inputs }] of (spec.cases ?? []).entries()) {
    results.push(result(document, name, { place: specNode(document, ['cases', i]), tags, ...runCase(inputs, expect, trial) }));
  }
  for (const [i, property] of (spec.properties ?? []).entries()) {
    results.push(result(document, property.name, { place: specNode(document, ['properties', i]), ...runProperty(property, trial) }));
  }
  return [...results, ...coverageResults(document, counter.report())];
}

/** Runs the test against every mutant. Without a stated score nobody asked, and it takes a while. */
async function mutationOf(
  document: TestDocument,
  documents: readonly Document[],
  { trial, progress }: { readonly trial: Trial; readonly progress: Progress },
): Promise<Measure | undefined> {
  if (document.spec.mutation === undefined) return undefined;
  const survivors: string[] = [];
  let total = 0;
  const all = mutantsOf(documents, document.spec.policies);
  const bundles = new MutantBundles(trial.bundle, documents);
  const cases = new MutantTrial(trial);
  const stride = Math.max(1, all.length / limits.mutantsPerTestMax);
  for (let n = 0; n < all.length; n += stride) {
    const mutant = all[Math.floor(n)];
    if (mutant === undefined) break;
    if (n > 0 && Math.floor(n) % progressEvery === 0) await progress({ test: document.name, done: Math.floor(n), of: all.length });
    const { rule } = mutant;
    const bundle =
      rule === undefined ? bundles.withPolicy(mutant.document, mutant.spec) : bundles.with(mutant.document, rule.id, rule.spec);
    // What does not compile is noticed without any test.
    if (bundle === undefined) continue;
    total += 1;
    if (cases.allPass(bundle)) survivors.push(mutant.name);
  }
  return { seen: total - survivors.length, total, missing: survivors };
}

const progressEvery = 64;

function mutationResults(document: TestDocument, score: Measure | undefined): CaseResult[] {
  const least = document.spec.mutation?.minScore;
  if (score === undefined || least === undefined) return [];
  const reached = percent(score);
  const failures = reached >= least ? [] : [`reached ${reached.toFixed(1)} %`, ...score.missing.map((name) => `not noticed: ${name}`)];
  return [result(document, `mutation score is at least ${least} %`, { place: specNode(document, ['mutation']), failures })];
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

function result(
  document: TestDocument,
  name: string,
  run: Run & { readonly place: Place; readonly tags?: readonly string[] | undefined },
): CaseResult {
  const { place, tags = [], failures, decision } = run;
  const where = { test: document.name, name, tags, path: place.file.path, line: place.line };
  return { ...where, ok: failures.length === 0, failures, ...(decision === undefined ? {} : { decision }) };
}
