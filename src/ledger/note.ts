import { createPrivateKey, createPublicKey, hash, type KeyObject, sign } from 'node:crypto';
import { Fault } from '#model';

/** A key that signs notes. SPEC: C2SP signed-note, Ed25519 (type 0x01). */
export interface Signer {
  readonly name: string;
  readonly vkey: string;
  /** The note with its signature line. `text` ends with a newline. */
  sign(text: string): string;
  /** The signature line alone, with its newline. */
  line(text: string): string;
  /** Ed25519 over any bytes: for what is not a note. */
  signBytes(bytes: Uint8Array): Buffer;
}

/** What a key signs. SPEC: C2SP signed-note and tlog-cosignature. */
export const keyType = { log: 0x01, cosignature: 0x04 } as const;
export type KeyType = (typeof keyType)[keyof typeof keyType];

// SPEC: RFC 8410: what stands before the 32 bytes of an Ed25519 key in PKCS #8, and in a SubjectPublicKeyInfo.
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');

/** The signer with this name and this 32-byte Ed25519 seed. */
export function signerOf(name: string, seed: Uint8Array): Signer {
  if (!/^[^\s+\p{C}]{1,256}$/u.test(name))
    throw new Fault('CONFIG_INVALID', `log origin ${JSON.stringify(name)} must be 1 to 256 characters without white space and "+"`);
  const key = openPrivate(seed);
  const { vkey, id } = vkeyOf(name, key, keyType.log);
  const line = (text: string): string => `\u2014 ${name} ${Buffer.concat([id, sign(null, Buffer.from(text), key)]).toString('base64')}\n`;
  return { name, vkey, line, sign: (text) => `${text}\n${line(text)}`, signBytes: (bytes) => sign(null, bytes, key) };
}

export function openPrivate(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: 'der', type: 'pkcs8' });
}

/** The public form of a key: `name+id+base64(type | key)`. */
export function vkeyOf(name: string, key: KeyObject, type: KeyType): { readonly vkey: string; readonly id: Buffer } {
  const typed = Buffer.concat([Buffer.from([type]), publicBytes(key)]);
  const id = keyId(name, typed);
  return { vkey: `${name}+${id.toString('hex')}+${typed.toString('base64')}`, id };
}

/** The parts of a public form; undefined when it is none. */
export function parseVkey(vkey: string): { name: string; id: Buffer; type: number; publicKey: KeyObject } | undefined {
  const [, name, hex, data] = /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/.exec(vkey) ?? [];
  const typed = Buffer.from(data ?? '', 'base64');
  if (name === undefined || typed.length !== 33) return undefined;
  const id = keyId(name, typed);
  if (id.toString('hex') !== hex) return undefined;
  const publicKey = createPublicKey({ key: Buffer.concat([spkiPrefix, typed.subarray(1)]), format: 'der', type: 'spki' });
  return { name, id, type: typed[0] ?? 0, publicKey };
}

/** The private form, as `golang.org/x/mod/sumdb/note` writes it. */
export function encodeSigningKey(name: string, seed: Uint8Array): string {
  return encodePrivate(name, seed, keyType.log);
}

export function encodePrivate(name: string, seed: Uint8Array, type: KeyType): string {
  const { id } = vkeyOf(name, openPrivate(seed), type);
  return `PRIVATE+KEY+${name}+${id.toString('hex')}+${Buffer.concat([Buffer.from([type]), seed]).toString('base64')}\n`;
}

/** The signer of a private key, which must be for this name. */
export function decodeSigningKey(text: string, name: string): Signer {
  return signerOf(name, decodePrivate(text, name, keyType.log));
}

/** The seed of a private form, which must be for this name and of this type. Faults: CONFIG_INVALID. */
export function decodePrivate(text: string, name: string, type: KeyType): Buffer {
  const [marker, word, keyName, id, data, ...rest] = text.trim().split('+');
  // The base64 of the seed may itself hold a `+`.
  const typed = Buffer.from([data, ...rest].join('+'), 'base64');
  if (marker !== 'PRIVATE' || word !== 'KEY' || typed.length !== 33 || typed[0] !== type) {
    throw new Fault('CONFIG_INVALID', 'the log key file is not an Ed25519 signing key; put the right file back');
  }
  if (keyName !== name) throw new Fault('CONFIG_INVALID', `the log key belongs to ${String(keyName)}, not to ${name}`);
  const seed = typed.subarray(1);
  if (!vkeyOf(name, openPrivate(seed), type).vkey.startsWith(`${name}+${String(id)}+`))
    throw new Fault('CONFIG_INVALID', 'the log key file is damaged: its key does not match its id');
  return seed;
}

function publicBytes(key: KeyObject): Buffer {
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return spki.subarray(spki.length - 32);
}

function keyId(name: string, typed: Uint8Array): Buffer {
  return hash('sha256', Buffer.concat([Buffer.from(`${name}\n`), typed]), 'buffer').subarray(0, 4);
}
