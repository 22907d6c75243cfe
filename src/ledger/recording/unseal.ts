import { createSecretKey } from 'node:crypto';
import { Fault, type SealedPlace } from '#model';
import { type SealedEvidence, unsealEvidence } from '../evidence.ts';
import { type ChunkRecord, unsealChunk } from './open-chunk.ts';

/** An entry that committed to something sealed: a chunk of a recording, or the evidence of an operation. */
interface SealedEntry extends Partial<ChunkRecord> {
  readonly kind: string;
  readonly evidence?: SealedEvidence;
}

/** What an entry says of its sealed bytes: they are in it, or elsewhere, under this hash (hex SHA-256) and at this place of its gateway. */
export type SealedBytes = { readonly inside: Buffer } | { readonly hash: string; readonly bytes: number; readonly place: SealedPlace };

/** Where the sealed bytes of an entry are; undefined when it committed to nothing. `line` is an entry as it stands in the log. */
export function sealedIn(line: string): (SealedBytes & { readonly session: string }) | undefined {
  // Safe: a line of a log, whose form was checked when it was written, and again when it was mirrored.
  const { kind, session = '', stored, evidence } = JSON.parse(line) as SealedEntry;
  if (kind === 'recording.chunk' && stored !== undefined) {
    if ('sealed' in stored) return { session, inside: Buffer.from(stored.sealed, 'base64') };
    return { session, hash: stored.hash, bytes: stored.bytes, place: { at: stored.at, bytes: stored.bytes } };
  }
  if (evidence?.sealed !== undefined) return { session, inside: Buffer.from(evidence.sealed, 'base64') };
  if (evidence?.blob !== undefined) return { session, hash: evidence.blob, bytes: evidence.bytes, place: { blob: evidence.blob } };
  return undefined;
}

/**
 * Opens sealed bytes that were kept elsewhere than in the folder of their log, and checks them against the entry. Faults: LEDGER_TAMPERED, NOT_FOUND when the
 * entry committed to nothing.
 */
export function unseal(
  log: { readonly origin: string; readonly key: Uint8Array },
  line: string,
  sealed: Buffer,
): { readonly salt: Buffer; readonly content: Buffer } {
  const entry = JSON.parse(line) as SealedEntry;
  const place = { origin: log.origin, key: createSecretKey(log.key) };
  const { kind, session, chunk, stored, evidence } = entry;
  if (kind === 'recording.chunk' && session !== undefined && chunk !== undefined && stored !== undefined)
    return unsealChunk(place, { session, chunk, stored }, sealed);
  if (evidence !== undefined) return unsealEvidence(place, evidence, sealed);
  throw new Fault('NOT_FOUND', `a record ${kind} committed to nothing that is sealed`);
}
