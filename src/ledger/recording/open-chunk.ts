import { hash, type KeyObject, timingSafeEqual } from 'node:crypto';
import { Fault } from '#model';
import { decrypt } from '../keys.ts';
import { chunkCommitment, chunkContext, chunkSaltBytes, recordingPath, type RecordingPlace, type StoredChunk } from './files.ts';

/** A `recording.chunk` record as it stands in the log. */
export interface ChunkRecord {
  readonly session: string;
  readonly chunk: number;
  readonly stored: StoredChunk;
}

/**
 * Unseals a chunk and checks it against its hash and its commitment. Faults: NOT_FOUND when its key or its file was erased, LEDGER_TAMPERED when it is
 * not what was recorded.
 */
export function openChunk(
  place: Omit<RecordingPlace, 'random'>,
  { session, chunk, stored }: ChunkRecord,
): { readonly salt: Buffer; readonly content: Buffer } {
  const key = place.keys.forOpening(session);
  if (key === undefined) throw new Fault('NOT_FOUND', `the recording of session ${session} was erased: its key is gone`);
  const sealed = 'sealed' in stored ? Buffer.from(stored.sealed, 'base64') : readSealed(place, { session, chunk, stored });
  return unsealChunk({ key, origin: place.origin }, { session, chunk, stored }, sealed);
}

/** The same for sealed bytes that were kept elsewhere. Faults: LEDGER_TAMPERED. */
export function unsealChunk(
  { key, origin }: { readonly key: KeyObject; readonly origin: string },
  { session, chunk, stored }: ChunkRecord,
  sealed: Buffer,
): { readonly salt: Buffer; readonly content: Buffer } {
  const what = `chunk ${chunk} of the recording of session ${session}`;
  if ('hash' in stored && (sealed.length !== stored.bytes || hash('sha256', sealed) !== stored.hash))
    throw new Fault('LEDGER_TAMPERED', `${what} was changed`);
  const opened = decrypt({ key, context: chunkContext(origin, session, chunk) }, sealed);
  if (opened === undefined) throw new Fault('LEDGER_TAMPERED', `${what} does not open with its key`);
  const [salt, content] = [opened.subarray(0, chunkSaltBytes), opened.subarray(chunkSaltBytes)];
  const [expected, actual] = [Buffer.from(stored.commit, 'hex'), Buffer.from(chunkCommitment(salt, content), 'hex')];
  if (expected.length !== actual.length || !timingSafeEqual(expected, actual))
    throw new Fault('LEDGER_TAMPERED', `${what} does not match its commitment`);
  return { salt, content };
}

function readSealed(
  place: Omit<RecordingPlace, 'random'>,
  { session, stored }: ChunkRecord & { readonly stored: Exclude<StoredChunk, { sealed: string }> },
): Buffer {
  const sealed = place.disk.read(recordingPath(place.directory, session), { offset: stored.at, length: stored.bytes });
  if (sealed === undefined) throw new Fault('NOT_FOUND', `the recording of session ${session} is not here; it may have been removed`);
  return Buffer.from(sealed);
}
