import { canonicalJson } from '#model';
import type { Json } from '#model';
import { compileDocuments } from '../bundle.ts';
import type { Bundle } from '../bundle.ts';
import { sha256Hex } from '../digest.ts';
import { isKind, readDocuments, specNode } from '../documents/document.ts';
import type { Document, DocumentOf } from '../documents/document.ts';
import { compareText, problemAt } from '../problem.ts';
import type { Problem } from '../problem.ts';
import type { SourceFile } from '../source.ts';

/** Says what the file is; the number changes when an old reader would misunderstand it. */
export const archiveFormat = 'warder.bundle.v1';

/** A bundle as one file: the documents that decide, in canonical form. */
export interface Archive {
  /** The bytes of the file, as text: one line of canonical JSON. */
  readonly text: string;
  /** Hex SHA-256 of the file. */
  readonly sha256: string;
  readonly bundle: Bundle;
  /** What the changelog says of this version. */
  readonly changes: readonly string[];
}

export type ArchiveResult =
  | { readonly ok: true; readonly archive: Archive; readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * Packs policy files. The same documents give the same bytes: comments, file names, order of files and keys, and tests have no influence.
 * A manifest is required, and its changelog must say what is new in its version.
 *
 * SPEC: docs/formats/bundle.md
 */
export function buildArchive(files: readonly SourceFile[]): ArchiveResult {
  const { documents, problems } = readDocuments(files);
  const compiled = compileDocuments(documents, problems);
  if (!compiled.ok) return compiled;
  const manifest = documents.find((document) => isKind(document, 'Bundle'));
  const complaint = manifest === undefined ? noManifest(files) : noChangelog(manifest);
  if (manifest === undefined || complaint !== undefined) return { ok: false, problems: complaint === undefined ? [] : [complaint] };
  return { ok: true, archive: archiveOf(documents, compiled.bundle, manifest), warnings: compiled.warnings };
}

function archiveOf(documents: readonly Document[], bundle: Bundle, manifest: DocumentOf<'Bundle'>): Archive {
  const relevant = documents
    .filter((document) => document.kind !== 'PolicyTest')
    .sort((a, b) => compareText(a.kind, b.kind) || compareText(a.name, b.name));
  const text = `${canonicalJson({ documents: relevant.map(({ data }) => data), format: archiveFormat })}\n`;
  const changes = manifest.spec.changelog?.find(({ version }) => version === manifest.spec.version)?.changes ?? [];
  return { text, sha256: sha256Hex(text), bundle, changes };
}

function noManifest(files: readonly SourceFile[]): Problem | undefined {
  const [file = { path: '', text: '' }] = files;
  return problemAt(
    { file, line: 1, column: 1 },
    { code: 'MANIFEST', message: 'an archive needs a document of kind Bundle that names and versions it' },
  );
}

function noChangelog(manifest: DocumentOf<'Bundle'>): Problem | undefined {
  const { version, changelog } = manifest.spec;
  if (changelog?.some((entry) => entry.version === version) === true) return undefined;
  const message = `the changelog has no entry for version ${version}`;
  return problemAt(specNode(manifest, [changelog === undefined ? 'version' : 'changelog']), {
    code: 'CHANGELOG',
    message,
    hint: 'say in "changelog" what a reader must know about it',
  });
}

/** Reads an archive and compiles what is in it. A file that is not exactly what `buildArchive` writes for its documents is refused. */
export function readArchive(file: SourceFile): ArchiveResult {
  const refuse = (message: string): ArchiveResult => ({
    ok: false,
    problems: [problemAt({ file: { path: file.path, text: '' }, line: 1, column: 1 }, { code: 'ARCHIVE', message })],
  });
  let json: Json;
  try {
    json = JSON.parse(file.text) as Json; // JSON.parse gives JSON.
  } catch {
    return refuse('the file is not JSON');
  }
  if (typeof json !== 'object' || json === null || !('format' in json) || json['format'] !== archiveFormat)
    return refuse(`the file is not a ${archiveFormat}`);
  const { documents } = json;
  if (!Array.isArray(documents)) return refuse('the archive has no list of documents');
  const built = buildArchive(filesOf(documents));
  if (!built.ok) return built;
  if (built.archive.text !== file.text) return refuse('the file is not in canonical form: it was written by another program or changed');
  return built;
}

/** The documents of an archive as files, as they are sent to a control plane. */
export function archiveFiles(archive: Archive): readonly SourceFile[] {
  const { documents } = JSON.parse(archive.text) as { documents: readonly Json[] }; // The archive was read or built just now.
  return filesOf(documents);
}

/** JSON is YAML, so a document travels as it stands. */
function filesOf(documents: readonly unknown[]): SourceFile[] {
  return documents.map((document, i) => ({ path: `${String(i).padStart(5, '0')}.yaml`, text: canonicalJson(document) }));
}

/**
 * Rules that the previous version promised to keep and the next one does not enforce or no longer promises. Nothing may replace a bundle
 * as long as there are any: a rollback below the baseline is the oldest way round a guardrail.
 */
export function droppedBaseline(previous: Bundle, next: Bundle): readonly string[] {
  const rules = new Map(next.compiled.rules.map((rule) => [rule.id, rule]));
  const before = new Map(previous.compiled.rules.map((rule) => [rule.id, rule]));
  return previous.baseline.filter((id) => {
    const rule = rules.get(id);
    return !next.baseline.includes(id) || rule === undefined || rule.mode !== 'enforce' || rule.effect !== before.get(id)?.effect;
  });
}
