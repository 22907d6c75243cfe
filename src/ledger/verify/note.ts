import { concat, equalBytes, fromBase64, fromText } from './bytes.ts';
import type { VerifyCrypto } from './source.ts';

/** SPEC: C2SP signed-note and tlog-cosignature: the byte that says what a key signs. */
const ed25519 = 0x01;
const cosignature = 0x04;

export interface VerifierKey {
  readonly vkey: string;
  readonly name: string;
  readonly id: Uint8Array;
  /** `log` signs its own checkpoints; a `witness` signs those of others, with the time. */
  readonly kind: 'log' | 'witness';
  /** Raw 32 bytes. */
  readonly publicKey: Uint8Array;
}

export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
  /** Name of each known witness that signed it → when, in seconds since 1970. */
  readonly witnesses: Readonly<Record<string, number>>;
  /** Their verifier keys. */
  readonly cosigners: ReadonlySet<string>;
}

type Problem = { readonly problem: string };

/** SPEC: C2SP signed-note: `name+hash+base64(type | key)`; Ed25519 of logs and witnesses only. Undefined when it is not one. */
export function parseVkey(vkey: string, crypto: VerifyCrypto): VerifierKey | undefined {
  const [, name, hex, data] = /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/.exec(vkey) ?? [];
  const typed = data === undefined ? undefined : fromBase64(data);
  if (name === undefined || hex === undefined || typed?.length !== 33) return undefined;
  if (typed[0] !== ed25519 && typed[0] !== cosignature) return undefined;
  const id = crypto.sha256(concat(fromText(`${name}\n`), typed)).subarray(0, 4);
  if (Number.parseInt(hex, 16) !== new DataView(id.buffer, id.byteOffset).getUint32(0)) return undefined;
  return { vkey, name, id, kind: typed[0] === ed25519 ? 'log' : 'witness', publicKey: typed.subarray(1) };
}

/**
 * The checkpoint of a note that at least one of the log's keys has signed, or why not. Signatures by others are ignored, as the
 * specification asks; one by a key of ours that does not verify is an error. A witness alone does not make a checkpoint.
 * SPEC: C2SP signed-note, tlog-cosignature and tlog-checkpoint, without extension lines.
 */
export async function openCheckpoint(note: string, keys: readonly VerifierKey[], crypto: VerifyCrypto): Promise<Checkpoint | Problem> {
  const split = note.lastIndexOf('\n\n');
  if (split < 0 || !note.endsWith('\n')) return { problem: 'is not a signed note' };
  const text = note.slice(0, split + 1);
  const witnesses: Record<string, number> = {};
  const cosigners = new Set<string>();
  let signed = false;
  for (const line of note.slice(split + 2, -1).split('\n')) {
    const [, name, data] = /^\u2014 (\S+) (\S+)$/.exec(line) ?? [];
    const bytes = data === undefined ? undefined : fromBase64(data);
    if (bytes === undefined) return { problem: 'has a malformed signature line' };
    const key = keys.find((one) => one.name === name && equalBytes(one.id, bytes.subarray(0, 4)));
    if (key === undefined) {
      // A witness's name with the id of nobody, or the other way round: a line that was changed, not one by a stranger.
      const half = keys.find((one) => one.kind === 'witness' && (one.name === name || equalBytes(one.id, bytes.subarray(0, 4))));
      if (half !== undefined) return { problem: `has a changed signature by ${half.vkey}` };
      continue;
    }
    const seconds = await checkSignature(key, { text, signature: bytes.subarray(4), crypto });
    if (seconds === undefined) return { problem: `has a wrong signature by ${key.vkey}` };
    if (key.kind === 'log') signed = true;
    else {
      witnesses[key.name] = seconds;
      cosigners.add(key.vkey);
    }
  }
  if (!signed) return { problem: 'is not signed by a key that is trusted' };
  const [origin, size, root, end, ...more] = text.split('\n');
  const rootBytes = fromBase64(root ?? '');
  if (origin === undefined || !/^[1-9]\d{0,14}$/.test(size ?? '') || rootBytes?.length !== 32 || end !== '' || more.length > 0)
    return { problem: 'is not a checkpoint' };
  return { origin, size: Number(size), root: rootBytes, witnesses, cosigners };
}

/** When a witness signed, 0 for a log's key, undefined when the signature is wrong. */
async function checkSignature(
  key: VerifierKey,
  about: { readonly text: string; readonly signature: Uint8Array; readonly crypto: VerifyCrypto },
): Promise<number | undefined> {
  const { text, signature, crypto } = about;
  if (key.kind === 'log') return (await crypto.verifyEd25519(key.publicKey, fromText(text), signature)) ? 0 : undefined;
  if (signature.length !== 72) return undefined;
  const seconds = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0);
  const message = fromText(`cosignature/v1\ntime ${seconds}\n${text}`);
  return (await crypto.verifyEd25519(key.publicKey, message, signature.subarray(8))) ? Number(seconds) : undefined;
}
