import { loadInspectors } from '#inspect';
import type { DecisionRequest } from '#model';
import type { Bundle } from '../bundle.ts';
import { isKind, readDocuments } from '../documents/document.ts';
import type { Document } from '../documents/document.ts';
import type { Problem } from '../problem.ts';
import type { SourceFile } from '../source.ts';
import { CaseMistake, requestOf, withDefault } from './request.ts';
import { compileSubset } from './subset.ts';

export interface FoundCase {
  readonly test: string;
  readonly name: string;
  readonly path: string;
  readonly line: number;
  readonly request: DecisionRequest;
  /** The policies the test runs against. */
  readonly bundle: Bundle;
}

/**
 * The cases whose name contains `wanted`, whatever the case of the letters; exactly one of them when it has that very name. Cases that
 * cannot be run are left out and told as mistakes.
 */
export async function findCases(
  files: readonly SourceFile[],
  wanted: string,
): Promise<{ cases: FoundCase[]; problems: readonly Problem[]; mistakes: string[] }> {
  await loadInspectors();
  const { documents, problems } = readDocuments(files.filter(({ path }) => /\.ya?ml$/.test(path)));
  const mistakes: string[] = [];
  const found = documents.flatMap((document) => (isKind(document, 'PolicyTest') ? casesIn(document, documents, { wanted, mistakes }) : []));
  const exact = found.filter(({ name }) => name === wanted);
  return { cases: exact.length > 0 ? exact : found, problems, mistakes };
}

function casesIn(
  document: Document & { readonly kind: 'PolicyTest' },
  documents: readonly Document[],
  { wanted, mistakes }: { wanted: string; mistakes: string[] },
): FoundCase[] {
  const named = (document.spec.cases ?? []).filter(({ name }) => name.toLowerCase().includes(wanted.toLowerCase()));
  if (named.length === 0) return [];
  const compiled = compileSubset(documents, document.spec.policies);
  if (!compiled.ok) {
    mistakes.push(`${document.name}: the policies under test do not compile`);
    return [];
  }
  return named.flatMap(({ name, tags: _tags, expect: _expect, ...inputs }) => {
    try {
      const byDefault = inputs.default ?? document.spec.defaults?.default;
      const bundle = byDefault === undefined ? compiled.bundle : withDefault(compiled.bundle, byDefault);
      const request = requestOf(inputs, { test: document.spec, bundle, catalogs: new Map() });
      return [{ test: document.name, name, path: document.place.file.path, line: document.place.line, request, bundle }];
    } catch (error) {
      if (!(error instanceof CaseMistake)) throw error;
      mistakes.push(`${document.name}: ${name}: ${error.message}`);
      return [];
    }
  });
}
