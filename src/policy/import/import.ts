import { compileBundle } from '../bundle.ts';
import type { Problem } from '../problem.ts';
import type { SourceFile } from '../source.ts';
import { firstCases } from './cases/cases.ts';
import { isSample } from './cases/recorded.ts';
import { importCedar } from './cedar/cedar.ts';
import { Draft } from './draft.ts';
import { Findings } from './finding.ts';
import type { ImportFinding } from './finding.ts';
import type { ForeignEngine } from './foreign.ts';
import { importGatekeeper } from './gatekeeper/gatekeeper.ts';
import { importHoop, isHoop } from './hoop/hoop.ts';
import { importKyverno } from './kyverno/kyverno.ts';
import { importKubernetes } from './kubernetes/kubernetes.ts';
import { resolveOptions } from './options.ts';
import type { ImportOptions } from './options.ts';
import { importForeign } from './rego/foreign-policy.ts';
import { digestOfFile, groupOf, readSources } from './source.ts';
import type { SourceDocument } from './source.ts';

/** An imported document of the source, and what became of it. */
export interface ImportedSource {
  readonly path: string;
  /** From 1. */
  readonly line: number;
  /** `apiVersion/kind`, or the format where documents have none. */
  readonly kind: string;
  readonly name: string;
  /** `sha256:` of the whole file as it was read: an import is up to date while it is the same. */
  readonly digest: string;
  /** `Kind/name` of the documents written for it. */
  readonly documents: readonly string[];
}

export interface ImportResult {
  /** Generated documents (YAML, `warder/v1`); the originals stay what people change. */
  readonly documents: readonly SourceFile[];
  /** A first set of cases for them. */
  readonly cases: readonly SourceFile[];
  readonly findings: readonly ImportFinding[];
  readonly sources: readonly ImportedSource[];
  /** Engines that must run beside the policies: they make the facts that wrapper policies read. */
  readonly engines: readonly ForeignEngine[];
}

/**
 * Imports policies of other systems. Every construct that has no effect here is reported by name, file and line; nothing is dropped
 * silently. The generated documents compile: what would not is reported instead of written.
 */
export function importPolicies(files: readonly SourceFile[], options: ImportOptions): ImportResult {
  const findings = new Findings();
  const draft = new Draft(findings, resolveOptions(options));
  const sources = readSources(files, findings);
  importKubernetes(draft, sources);
  importGatekeeper(draft, sources);
  importKyverno(draft, sources);
  importHoop(draft, sources);
  importCedar(draft, files);
  importForeign(draft, sources, files);
  noteUnclaimed(draft, sources);
  noteDefault(draft);
  const documents = checked(draft);
  return {
    documents,
    cases: firstCases(draft, sources, documents),
    findings: findings.inReadingOrder(),
    sources: [...draft.imported].map(([source, made]) =>
      sourceOf(
        source,
        made.filter((name) => kept(draft, documents, name)),
      ),
    ),
    engines: draft.foreign,
  };
}

/** Groups whose documents an importer looks at, each with findings of its own. */
const claimed = [
  'admissionregistration.k8s.io',
  'constraints.gatekeeper.sh',
  'templates.gatekeeper.sh',
  'test.gatekeeper.sh',
  'policies.kyverno.io',
  'kyverno.io',
  'cli.kyverno.io',
  'chainsaw.kyverno.io',
];

/** What no importer knows is said, so that nobody takes a file for imported that was not. */
function noteUnclaimed(draft: Draft, sources: readonly SourceDocument[]): void {
  for (const source of sources) {
    const { root, apiVersion, kind } = source;
    const wrapper = apiVersion === 'warder/v1' && kind === 'ForeignPolicy';
    if (draft.imported.has(source) || isHoop(source) || wrapper) continue;
    const group = groupOf(apiVersion);
    if (kind === 'ValidatingWebhookConfiguration' || kind === 'MutatingWebhookConfiguration') {
      root.at('kind').unsupported('a webhook is a policy that somebody else evaluates; nothing of it is imported');
    } else if (!claimed.includes(group) && isSample(source)) {
      root.info(`the ${kind} is no policy; it is used as parameters or as a sample for cases`);
    } else if (!claimed.includes(group)) {
      root.unsupported(
        'the document is of no kind that can be imported',
        'kinds: admission policies of Kubernetes, Kyverno and Gatekeeper, rules of hoop, ForeignPolicy',
      );
    }
  }
}

/** Admission policies only refuse; a target that denies what no rule allows would refuse everything beside them. */
function noteDefault({ policies }: Draft): void {
  const first = policies.find(({ target }) => target === 'k8s.admission');
  first?.source.root.hint(
    'admission policies only refuse, and here a target denies what no rule allows',
    'set spec.defaults: { k8s.admission: allow } in the manifest of the bundle: the API server has authorized the request before it asks',
  );
}

/**
 * The documents that compile together. What does not is a fault of the import itself, and nobody should have to find it later; leaving one
 * out may leave another without what it refers to, so it is asked again.
 */
function checked(draft: Draft): readonly SourceFile[] {
  let documents: readonly SourceFile[] = draft.documents;
  for (;;) {
    const compiled = compileBundle(documents);
    if (compiled.ok) return documents;
    const broken = new Set<string>();
    for (const problem of compiled.problems) {
      if (problem.severity !== 'error') continue;
      broken.add(problem.path);
      leaveOut(draft, problem);
    }
    const sound = documents.filter((document) => !broken.has(document.path));
    // Problems of the whole set, such as too many documents, have no document to leave out.
    if (sound.length === documents.length) return [];
    documents = sound;
  }
}

function leaveOut(draft: Draft, problem: Problem): void {
  const source = draft.sourceOf(problem.path);
  if (source === undefined) return;
  const line = problem.caret?.split('\n')[0]?.trim() ?? '';
  const message = `${problem.path} does not compile and is left out: ${problem.message} (${line})`;
  draft.findings.add(source.root.place, { severity: 'unsupported', construct: source.kind, message, suggestion: problem.hint });
}

function kept({ written }: Draft, documents: readonly SourceFile[], name: string): boolean {
  const file = written.get(name);
  return file !== undefined && documents.includes(file);
}

function sourceOf(source: SourceDocument, documents: readonly string[]): ImportedSource {
  const kind = [source.apiVersion, source.kind].filter((part) => part !== '').join('/');
  return { path: source.file.path, line: source.root.place.line, kind, name: source.name, digest: digestOfFile(source.file), documents };
}
