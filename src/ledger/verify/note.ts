import { concat, equalBytes, fromBase64, fromText } from './bytes.ts';
import type { VerifyCrypto } from './source.ts';

export interface VerifierKey {
  readonly vkey: string;
  readonly name: string;
  readonly id: Uint8Array;
  /** Raw 32 bytes. */
  readonly publicKey: Uint8Array;
}

export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
}

/** SPEC: C2SP signed-note: `name+hash+base64(type | key)`; Ed25519 (type 1) only. Undefined when it is not one. */
export function parseVkey(vkey: string, crypto: VerifyCrypto): VerifierKey | undefined {
  const [, name, hex, data] = /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/.exec(vkey) ?? [];
  const typed = data === undefined ? undefined : fromBase64(data);
  if (name === undefined || hex === undefined || typed === undefined || typed.length !== 33 || typed[0] !== 1) return undefined;
  const id = crypto.sha256(concat(fromText(`${name}\n`), typed)).subarray(0, 4);
  if (Number.parseInt(hex, 16) !== new DataView(id.buffer, id.byteOffset).getUint32(0)) return undefined;
  return { vkey, name, id, publicKey: typed.subarray(1) };
}

/**
 * The checkpoint of a note that at least one of the keys has signed, or why not. Signatures by others are ignored, as the
 * specification asks; one by a key of ours that does not verify is an error.
 * SPEC: C2SP signed-note and tlog-checkpoint, without extension lines.
 */
export async function openCheckpoint(
  note: string,
  keys: readonly VerifierKey[],
  crypto: VerifyCrypto,
): Promise<Checkpoint | { readonly problem: string }> {
  const split = note.lastIndexOf('\n\n');
  if (split < 0 || !note.endsWith('\n')) return { problem: 'is not a signed note' };
  const text = note.slice(0, split + 1);
  let signed = false;
  for (const line of note.slice(split + 2, -1).split('\n')) {
    const [, name, data] = /^\u2014 (\S+) (\S+)$/.exec(line) ?? [];
    const bytes = data === undefined ? undefined : fromBase64(data);
    if (bytes === undefined) return { problem: 'has a malformed signature line' };
    const key = keys.find((one) => one.name === name && equalBytes(one.id, bytes.subarray(0, 4)));
    if (key === undefined) continue;
    if (!(await crypto.verifyEd25519(key.publicKey, fromText(text), bytes.subarray(4))))
      return { problem: `has a wrong signature by ${key.vkey}` };
    signed = true;
  }
  if (!signed) return { problem: 'is not signed by a key that is trusted' };
  const [origin, size, root, end, ...more] = text.split('\n');
  const rootBytes = fromBase64(root ?? '');
  if (origin === undefined || !/^[1-9]\d{0,14}$/.test(size ?? '') || rootBytes?.length !== 32 || end !== '' || more.length > 0)
    return { problem: 'is not a checkpoint' };
  return { origin, size: Number(size), root: rootBytes };
}
