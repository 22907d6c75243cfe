import { compileDocuments } from '../bundle.ts';
import type { CompileResult } from '../bundle.ts';
import type { Document } from '../documents/document.ts';

/**
 * Compiles only the named policies, with the documents that speak about nothing else: a test of one policy stays the same whatever other
 * policies come or go. Without names everything takes part.
 */
export function compileSubset(documents: readonly Document[], policies: readonly string[] | undefined): CompileResult {
  if (policies === undefined) return compileDocuments(documents);
  const named = new Set(policies);
  const ofRule = (id: string): boolean => named.has(id.split('/')[0] ?? '');
  return compileDocuments(documents.flatMap((document) => restrict(document, named, ofRule) ?? []));
}

function restrict(document: Document, named: ReadonlySet<string>, ofRule: (id: string) => boolean): Document | undefined {
  switch (document.kind) {
    case 'Policy':
      return named.has(document.name) ? document : undefined;
    case 'Exception':
      return document.spec.waives.every(({ policy }) => named.has(policy)) ? document : undefined;
    case 'Rollout':
      return document.spec.subject.policy !== undefined && named.has(document.spec.subject.policy) ? document : undefined;
    case 'Override':
      return document.spec.rules.every(ofRule) ? document : undefined;
    case 'RiskAcceptance':
      return ofRule(document.spec.rule) ? document : undefined;
    case 'Bundle':
      return { ...document, spec: { ...document.spec, baseline: (document.spec.baseline ?? []).filter(ofRule) } };
    // What points can do is checked when the whole bundle is compiled.
    case 'EnforcementPoint':
    case 'PolicyTest':
      return undefined;
    case 'ForeignEngine':
    case 'DataSet':
    case 'Library':
      return document;
  }
}
