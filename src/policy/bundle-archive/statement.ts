import { utf8ToBytes } from '@noble/hashes/utils.js';
import { canonicalJson } from '#model';
import { engineVersion } from '../engine-version.ts';
import type { Archive } from './archive.ts';

export const statementType = 'https://in-toto.io/Statement/v1';
export const predicateType = 'urn:warder:provenance:v1';
export const payloadType = 'application/vnd.in-toto+json';

/** Where the documents of an archive came from. */
export interface Provenance {
  /** Git commit, 40 or 64 hex digits; absent outside a repository. */
  readonly commit?: string;
  /** The folder differed from the commit. */
  readonly dirty?: boolean;
}

/** What is signed: which file, which policies, from where, built by what. */
export interface Statement {
  readonly _type: typeof statementType;
  readonly subject: readonly { readonly name: string; readonly digest: { readonly sha256: string } }[];
  readonly predicateType: typeof predicateType;
  readonly predicate: {
    readonly bundle: { readonly name: string; readonly version: string; readonly digest: string };
    readonly baseline: readonly string[];
    readonly builder: { readonly name: 'warder'; readonly version: string };
    readonly changes: readonly string[];
    readonly source: Provenance;
  };
}

/**
 * The statement about an archive. It holds no time: the same documents from the same commit give the same statement.
 *
 * SPEC: in-toto Attestation Framework, Statement v1.
 */
export function statementOf(archive: Archive, name: string, source: Provenance): Statement {
  const { bundle, sha256, changes } = archive;
  return {
    _type: statementType,
    subject: [{ name, digest: { sha256 } }],
    predicateType,
    predicate: { bundle: bundle.ref, baseline: bundle.baseline, builder: { name: 'warder', version: engineVersion }, changes, source },
  };
}

/** In what a statement does not speak about this archive; empty when it does. */
export function statementDifferences(statement: unknown, archive: Archive): readonly string[] {
  if (typeof statement !== 'object' || statement === null) return ['it is not an object'];
  const { _type: type, subject, predicateType: kind, predicate } = statement as Partial<Statement>; // Every member is compared below.
  const found: string[] = [];
  if (type !== statementType) found.push(`its type is ${String(type)}`);
  if (kind !== predicateType) found.push(`its predicate is ${String(kind)}`);
  if (!Array.isArray(subject) || subject.length !== 1 || subject[0]?.digest?.sha256 !== archive.sha256)
    found.push(`it is about another file than sha256 ${archive.sha256}`);
  if (canonicalJson(predicate?.bundle ?? null) !== canonicalJson(archive.bundle.ref)) found.push('it names another bundle');
  return found;
}

/** What a signature is made over. SPEC: DSSE v1.0.0, Pre-Authentication Encoding. */
export function preAuthEncoding(type: string, payload: Uint8Array): Uint8Array {
  const head = utf8ToBytes(`DSSEv1 ${utf8ToBytes(type).length} ${type} ${payload.length} `);
  const encoded = new Uint8Array(head.length + payload.length);
  encoded.set(head);
  encoded.set(payload, head.length);
  return encoded;
}
