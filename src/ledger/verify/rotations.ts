import { fromBase64, fromText, parseJson, toText } from './bytes.ts';
import { isObject } from './grammar.ts';
import { parseVkey, type VerifierKey } from './note.ts';
import type { LedgerSource, VerifyCrypto } from './source.ts';

/** One key of a log follows another. Both have signed it, so that who knows either key can find the other. */
interface Rotation {
  readonly previous: string;
  readonly vkey: string;
  /** Base64, by the previous key. */
  readonly signature: string;
  /** Base64, by the new key. */
  readonly accepted: string;
}

/** True when both keys have signed that `vkey` follows `previous` in the log of this name. Format: docs/formats/checkpoint.md. */
export async function rotationHolds(origin: string, rotation: Rotation, crypto: VerifyCrypto): Promise<boolean> {
  const text = fromText(`key.rotated/v1\n${origin}\n${rotation.previous}\n${rotation.vkey}\n`);
  for (const [vkey, signature] of [
    [rotation.previous, rotation.signature],
    [rotation.vkey, rotation.accepted],
  ] as const) {
    const key = parseVkey(vkey, crypto);
    const bytes = fromBase64(signature);
    if (key?.kind !== 'log' || bytes === undefined || !(await crypto.verifyEd25519(key.publicKey, text, bytes))) return false;
  }
  return true;
}

/** The known keys and those that a chain of rotations in the file `rotations` joins to them, in either direction. */
export async function followRotations(source: LedgerSource, known: readonly VerifierKey[], crypto: VerifyCrypto): Promise<VerifierKey[]> {
  const keys = [...known];
  const text = toText((await source.read('rotations')) ?? new Uint8Array()) ?? '';
  const rotations = text
    .split('\n')
    .map((line) => parseJson(line))
    .filter(isRotation);
  for (let grown = true; grown; ) {
    grown = false;
    for (const rotation of rotations) {
      const [previous, next] = [parseVkey(rotation.previous, crypto), parseVkey(rotation.vkey, crypto)];
      if (previous === undefined || next === undefined || previous.name !== next.name) continue;
      const has = (one: VerifierKey): boolean => keys.some(({ vkey }) => vkey === one.vkey);
      if (has(previous) === has(next) || !(await rotationHolds(previous.name, rotation, crypto))) continue;
      keys.push(has(previous) ? next : previous);
      grown = true;
    }
  }
  return keys;
}

function isRotation(value: unknown): value is Rotation {
  return isObject(value) && ['previous', 'vkey', 'signature', 'accepted'].every((name) => typeof value[name] === 'string');
}
