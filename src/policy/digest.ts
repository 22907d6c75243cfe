import { canonicalJson } from '#model';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Document } from './documents/document.ts';
import { compareText } from './problem.ts';
import { allSteps } from './steps.ts';
import type { Steps } from './steps.ts';

export function sha256Hex(text: string): string {
  return bytesToHex(sha256(utf8ToBytes(text)));
}

/**
 * `sha256:` over the canonical JSON of all documents sorted by kind and name. Comments, order of keys, file names and order of
 * documents cannot change it; anything that can change a decision does. Test documents are not part of it.
 */
export function digestOf(documents: readonly Document[]): string {
  return allSteps(digesting(documents));
}

/** The same in steps, one for each document: the text of a large bundle is never there as a whole. */
export function* digesting(documents: readonly Document[]): Steps<string> {
  const relevant = documents.filter((document) => document.kind !== 'PolicyTest');
  relevant.sort((a, b) => compareText(a.kind, b.kind) || compareText(a.name, b.name));
  const hash = sha256.create();
  for (const [i, { data }] of relevant.entries()) {
    yield;
    hash.update(utf8ToBytes(`${i === 0 ? '[' : ','}${canonicalJson(data)}`));
  }
  hash.update(utf8ToBytes(relevant.length === 0 ? '[]' : ']'));
  return `sha256:${bytesToHex(hash.digest())}`;
}
