import { hash, type KeyObject, timingSafeEqual } from 'node:crypto';
import { canonicalJson, Fault, limits } from '#model';
import { type Disk, makeFolders, writeDurably } from './disk.ts';
import { decrypt, encrypt, type SessionKeys } from './keys.ts';

/** The exact text and parameters of an operation. */
export interface Evidence {
  readonly text: string;
  readonly parameters: readonly (string | null)[];
}

/** What a record holds instead: a commitment anybody may see, and the sealed content or the blob that has it. */
export interface SealedEvidence {
  /** Hex SHA-256 over "evidence/v1", the salt and the content. */
  readonly commit: string;
  /** Bytes of the content. */
  readonly bytes: number;
  /** Whose key seals it: a session id. */
  readonly key: string;
  /** Base64. */
  readonly sealed?: string;
  /** Hex SHA-256 of the sealed bytes in `blobs/`. */
  readonly blob?: string;
}

/** Where evidence is sealed. */
export interface Vault {
  readonly disk: Disk;
  /** The log's folder. */
  readonly directory: string;
  readonly origin: string;
  readonly keys: SessionKeys;
  readonly random: (length: number) => Uint8Array;
}

const saltBytes = 16;

/** Seals evidence under its session's key. What does not fit an entry, or must not be `inline`, is durable as a blob when this returns. */
export function sealEvidence(vault: Vault, session: string, evidence: Evidence, inline = true): SealedEvidence {
  const raw = Buffer.from(canonicalJson({ parameters: evidence.parameters, text: evidence.text }));
  const salt = vault.random(saltBytes);
  const key = vault.keys.forSealing(session);
  const sealed = encrypt({ key, iv: vault.random(12), context: context(vault.origin, session) }, Buffer.concat([salt, raw]));
  const about = { commit: commitment(salt, raw), bytes: raw.length, key: session };
  if (inline && sealed.length <= limits.sealedInlineBytesMax) return { ...about, sealed: sealed.toString('base64') };
  const blob = hash('sha256', sealed);
  const path = blobPath(vault.directory, blob);
  makeFolders(vault.disk, path.slice(0, path.lastIndexOf('/')));
  writeDurably(vault.disk, path, sealed);
  return { ...about, blob };
}

/** Unseals and checks against the commitment. Faults: NOT_FOUND when key or blob were erased, LEDGER_TAMPERED when it does not match. */
export function openEvidence(vault: Omit<Vault, 'random'>, evidence: SealedEvidence): Evidence {
  // Safe: the commitment proves that these are the bytes that `sealEvidence` wrote.
  return JSON.parse(discloseEvidence(vault, evidence).content.toString()) as Evidence;
}

/** What was committed to, with its salt: whoever has both can check the commitment without any key. Faults as for `openEvidence`. */
export function discloseEvidence(
  vault: Omit<Vault, 'random'>,
  evidence: SealedEvidence,
): { readonly salt: Buffer; readonly content: Buffer } {
  const key = vault.keys.forOpening(evidence.key);
  if (key === undefined) throw new Fault('NOT_FOUND', `the evidence of session ${evidence.key} was erased: its key is gone`);
  const sealed = evidence.sealed === undefined ? readBlob(vault, evidence.blob ?? '') : Buffer.from(evidence.sealed, 'base64');
  return unsealEvidence({ key, origin: vault.origin }, evidence, sealed);
}

/** The same for sealed bytes that were kept elsewhere. Faults: LEDGER_TAMPERED. */
export function unsealEvidence(
  { key, origin }: { readonly key: KeyObject; readonly origin: string },
  evidence: SealedEvidence,
  sealed: Buffer,
): { readonly salt: Buffer; readonly content: Buffer } {
  const content = decrypt({ key, context: context(origin, evidence.key) }, sealed);
  if (content === undefined) throw new Fault('LEDGER_TAMPERED', 'sealed evidence does not open with its key');
  const [salt, raw] = [content.subarray(0, saltBytes), content.subarray(saltBytes)];
  const expected = Buffer.from(evidence.commit, 'hex');
  const actual = Buffer.from(commitment(salt, raw), 'hex');
  if (expected.length !== actual.length || !timingSafeEqual(expected, actual))
    throw new Fault('LEDGER_TAMPERED', 'evidence does not match its commitment');
  return { salt, content: raw };
}

function readBlob(vault: Omit<Vault, 'random'>, blob: string): Buffer {
  const bytes = vault.disk.read(blobPath(vault.directory, blob));
  if (bytes === undefined) throw new Fault('NOT_FOUND', `blob ${blob} was erased`);
  if (hash('sha256', bytes) !== blob) throw new Fault('LEDGER_TAMPERED', `blob ${blob} was changed`);
  return Buffer.from(bytes);
}

function commitment(salt: Uint8Array, raw: Uint8Array): string {
  return hash('sha256', Buffer.concat([Buffer.from('evidence/v1'), salt, raw]));
}

function context(origin: string, session: string): string {
  return `evidence/v1\n${origin}\n${session}`;
}

export function blobPath(directory: string, blob: string): string {
  return `${directory}/blobs/${blob.slice(0, 2)}/${blob}`;
}
