import type { BundleRef, EngineTerms, Target } from '#model';
import { applyChanges } from './compile/changes.ts';
import type { Compiled, CompiledRule } from './compile/compiled.ts';
import { compileBundleRollout } from './compile/bundle-rollout.ts';
import { compileData } from './compile/data.ts';
import { compileEngines } from './compile/engines.ts';
import { factReaders } from './compile/fact-readers.ts';
import { checkSharedLimits } from './compile/limit.ts';
import { checkLinks } from './compile/link.ts';
import { compilePolicy, realmMaker } from './compile/policy.ts';
import { pathsRead } from './compile/paths.ts';
import { rolloutsOf } from './compile/rollouts.ts';
import type { RolloutTerms } from './compile/rollouts.ts';
import { buildingIndex } from './compile/rule-index.ts';
import { digesting } from './digest.ts';
import { compareVersions, engineVersion } from './engine-version.ts';
import { nothingLost, withLost } from './lost.ts';
import type { Lost } from './lost.ts';
import { inForce } from './packs.ts';
import { isKind, readingDocuments, specNode } from './documents/document.ts';
import type { Document, DocumentOf } from './documents/document.ts';
import type { Kind } from './documents/kinds/index.ts';
import { targets } from './documents/kinds/policy.ts';
import { compareText, didYouMean, inReadingOrder, policyOf, problemAt } from './problem.ts';
import type { Problem } from './problem.ts';
import type { SourceFile } from './source.ts';
import { allSteps } from './steps.ts';
import type { Steps } from './steps.ts';

/** A compiled set of documents. Immutable; share it between decisions freely. */
export interface Bundle {
  readonly ref: BundleRef;
  /** Number of rules. */
  readonly rules: number;
  /** What is in it, sorted by kind and name; test documents included. */
  readonly documents: readonly BundleDocument[];
  /** Rules that no override, no rollback and no later version may drop, sorted. */
  readonly baseline: readonly string[];
  /** Engines of other policies by the facts they make: who decides for others asks them first. */
  readonly engines: ReadonlyMap<string, EngineTerms>;
  /** For whoever moves them from step to step. */
  readonly rollouts: readonly RolloutTerms[];
  /** The candidate that is rolled out beside it; set by `withCandidate`. */
  readonly candidate?: Bundle;
  /** For the engine only. */
  readonly compiled: Compiled;
}

export interface BundleDocument {
  readonly kind: Kind;
  readonly name: string;
  readonly title?: string;
  /** File and line where it stands. */
  readonly path: string;
  readonly line: number;
}

export type CompileResult =
  | { readonly ok: true; readonly bundle: Bundle; readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * Compiles policy files into a bundle. All problems of all files are reported together, in reading order; a bundle exists only when none
 * of them is an error. The order of files and documents has no influence on what the bundle decides or on its digest; the names of files
 * have none either, except for the folders that the manifest lists as `inactive`. With `packs` only the policies of these folders count.
 */
export function compileBundle(files: readonly SourceFile[], options: CompileOptions = {}): CompileResult {
  return allSteps(compilingBundle(files, options));
}

export interface CompileOptions {
  readonly packs?: readonly string[];
}

/**
 * The same in steps of a few milliseconds at most, as long as no single file or policy is large: whoever serves others meanwhile goes on
 * with the next step when there is time. Who gives up half-way just forgets it.
 */
export function* compilingBundle(files: readonly SourceFile[], { packs }: CompileOptions = {}): Steps<CompileResult> {
  const { documents, problems, lost } = yield* readingDocuments(files);
  const [file] = files;
  if (file !== undefined && !documents.some((document) => document.kind === 'Bundle')) {
    const message = 'no document of kind Bundle names and versions these policies';
    problems.push(
      problemAt(
        { file, line: 1, column: 1 },
        { code: 'MANIFEST', severity: 'warning', message, hint: 'add a bundle.yaml with kind: Bundle' },
      ),
    );
  }
  yield;
  return yield* compilingDocuments(inForce(documents, problems, packs), problems, lost);
}

/** Compiles documents that were read already; `found` are the problems of reading them. */
export function compileDocuments(unsorted: readonly Document[], found: readonly Problem[] = []): CompileResult {
  return allSteps(compilingDocuments(unsorted, found));
}

function* compilingDocuments(unsorted: readonly Document[], found: readonly Problem[], lost: Lost = nothingLost): Steps<CompileResult> {
  const problems = [...found];
  const documents = unsorted.toSorted((a, b) => compareText(a.kind, b.kind) || compareText(a.name, b.name));
  const manifest = manifestOf(documents, problems);
  const data = compileData(documents, problems);
  const realm = realmMaker(documents, data, problems);
  const policies = documents.filter((document) => isKind(document, 'Policy'));
  const compiledRules: CompiledRule[] = [];
  for (const document of policies) {
    yield;
    const context = { realm: realm(document.spec.target, document.spec.phase ?? 'request'), data, problems };
    compiledRules.push(...compilePolicy(document, context));
  }
  yield;
  const rules = yield* numbered(compiledRules);
  const byId = new Map(rules.map((rule) => [rule.id, rule]));
  const baseline = checkBaseline(manifest, byId, problems);
  const policyNames = new Set(policies.map((document) => document.name));
  const realmOf = (rule: CompiledRule) => realm(rule.policy.target, rule.policy.phase);
  yield;
  const decidedOn = new Set(rules.map(({ policy }) => policy.target));
  const bundleRollout = compileBundleRollout(documents, { realm, targets: decidedOn, problems });
  applyChanges(documents, { rules: byId, policies: policyNames, realm: realmOf, data, baseline, problems });
  yield* checkLinks(documents, byId, problems);
  checkSharedLimits(documents, problems);
  const engines = compileEngines(documents, problems);
  yield;

  const ordered = inReadingOrder(withLost(problems, lost));
  if (ordered.some((problem) => problem.severity === 'error')) return { ok: false, problems: ordered };
  const ref: BundleRef = {
    name: manifest?.name ?? 'unnamed',
    version: manifest?.spec.version ?? '0.0.0',
    digest: yield* digesting(documents),
  };
  const allowedByDefault = new Set(targets.filter((target) => manifest?.spec.defaults?.[target] === 'allow'));
  const reads = new Map<string, readonly string[]>();
  for (const [i, rule] of rules.entries()) {
    if (i % rulesPerStep === 0) yield;
    reads.set(rule.id, pathsRead(rule));
  }
  const compiled: Compiled = {
    ...{ ref, rules, reads, data, allowedByDefault, bundleRollout },
    index: yield* buildingIndex(rules),
    factReaders: factReaders(rules, reads),
  };
  const listed = documents.map(({ kind, name, title, place }) => ({
    kind,
    name,
    ...(title === undefined ? {} : { title }),
    path: place.file.path,
    line: place.line,
  }));
  return {
    ok: true,
    bundle: {
      ref,
      rules: rules.length,
      documents: listed,
      baseline: [...baseline].sort(compareText),
      engines,
      rollouts: rolloutsOf(documents, byId),
      compiled,
    },
    warnings: ordered,
  };
}

/** So many rules take well under a millisecond where little is done with each. */
const rulesPerStep = 200;

/** Ordinals follow the ids, so that whatever is listed by ordinal is independent of file order. */
function* numbered(rules: readonly CompiledRule[]): Steps<CompiledRule[]> {
  const ordered = rules.toSorted((a, b) => compareText(a.id, b.id));
  const made: CompiledRule[] = [];
  for (const [ordinal, rule] of ordered.entries()) {
    if (ordinal % rulesPerStep === 0) yield;
    made.push({ ...rule, ordinal });
  }
  return made;
}

function manifestOf(documents: readonly Document[], problems: Problem[]): DocumentOf<'Bundle'> | undefined {
  const [manifest, second] = documents.filter((document) => isKind(document, 'Bundle'));
  if (second !== undefined)
    problems.push(problemAt(second.place, { code: 'DUPLICATE', message: 'a bundle has one manifest (kind: Bundle)' }));
  if (manifest === undefined) return undefined;
  for (const target of Object.keys(manifest.spec.defaults ?? {})) {
    if (targets.some((known: Target) => known === target)) continue;
    const place = specNode(manifest, ['defaults', target]);
    problems.push(problemAt(place, { code: 'SCHEMA', message: `there is no target "${target}"`, hint: didYouMean(target, targets) }));
  }
  const { minEngine } = manifest.spec;
  if (minEngine !== undefined && compareVersions(engineVersion, minEngine) < 0) {
    const message = `the bundle needs Warder ${minEngine} or newer, and this is ${engineVersion}`;
    problems.push(
      problemAt(specNode(manifest, ['minEngine']), { code: 'ENGINE', message, hint: 'upgrade the gateways before the policies' }),
    );
  }
  return manifest;
}

function checkBaseline(
  manifest: DocumentOf<'Bundle'> | undefined,
  rules: ReadonlyMap<string, CompiledRule>,
  problems: Problem[],
): ReadonlySet<string> {
  const baseline = new Set<string>();
  for (const [i, id] of (manifest?.spec.baseline ?? []).entries()) {
    baseline.add(id);
    const place = specNode(manifest as Document, ['baseline', i]); // There is a manifest: the loop is over its list.
    const rule = rules.get(id);
    if (rule !== undefined) {
      if (rule.mode !== 'enforce')
        problems.push(problemAt(place, { code: 'P401', message: `the rule "${id}" is part of the baseline and its mode is ${rule.mode}` }));
      continue;
    }
    problems.push(
      problemAt(place, {
        code: 'REFERENCE',
        message: `there is no rule "${id}"`,
        hint: didYouMean(id, rules.keys()),
        missing: policyOf(id),
      }),
    );
  }
  return baseline;
}
