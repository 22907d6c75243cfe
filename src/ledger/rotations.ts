import { type KeyObject, verify } from 'node:crypto';
import { type Disk, writeDurably } from './disk.ts';
import { nodeDisk } from './disk-node.ts';
import { keyType, parseVkey } from './note.ts';

/** One key of a log follows another, and both have signed it. Format: docs/formats/checkpoint.md. */
export interface Rotation {
  readonly previous: string;
  readonly vkey: string;
  /** Base64, by the previous key. */
  readonly signature: string;
  /** Base64, by the new key. */
  readonly accepted: string;
}

/** What both keys sign. */
export function rotationText(origin: string, pair: { readonly previous: string; readonly vkey: string }): Buffer {
  return Buffer.from(`key.rotated/v1\n${origin}\n${pair.previous}\n${pair.vkey}\n`);
}

/** The changes of keys of the log in this folder, oldest first: for whoever knows an older key of it. */
export function ledgerRotations(directory: string): readonly Rotation[] {
  return readRotations(nodeDisk, directory);
}

/** The rotations of the log in this folder, oldest first. */
export function readRotations(disk: Disk, directory: string): readonly Rotation[] {
  const lines = textOf(disk, directory)
    .split('\n')
    .filter((line) => line !== '');
  // Safe: whoever uses one checks its signatures.
  return lines.map((line) => JSON.parse(line) as Rotation);
}

/** Repeats a change outside the entries, once, so that a verifier knows all keys before it reads the first entry. */
export function keepRotation(disk: Disk, directory: string, { previous, vkey, signature, accepted }: Rotation): void {
  const line = `${JSON.stringify({ previous, vkey, signature, accepted })}\n`;
  const before = textOf(disk, directory);
  if (!before.includes(line)) writeDurably(disk, `${directory}/rotations`, Buffer.from(before + line));
}

/** True when a chain of rotations, each signed by both keys, leads from one key of the log to the other. */
export function keyFollows(origin: string, keys: { readonly from: string; readonly to: string }, rotations: readonly Rotation[]): boolean {
  let at = keys.from;
  for (const rotation of rotations) {
    if (rotation.previous !== at) continue;
    const text = rotationText(origin, rotation);
    const [old, fresh] = [parseVkey(rotation.previous), parseVkey(rotation.vkey)];
    if (old?.name !== origin || fresh?.name !== origin || fresh.type !== keyType.log) return false;
    if (!isSigned(old.publicKey, text, rotation.signature) || !isSigned(fresh.publicKey, text, rotation.accepted)) return false;
    at = rotation.vkey;
    if (at === keys.to) return true;
  }
  return false;
}

function isSigned(key: KeyObject, text: Uint8Array, signature: string): boolean {
  return verify(null, text, key, Buffer.from(signature, 'base64'));
}

function textOf(disk: Disk, directory: string): string {
  const bytes = disk.read(`${directory}/rotations`);
  return bytes === undefined ? '' : Buffer.from(bytes).toString();
}
