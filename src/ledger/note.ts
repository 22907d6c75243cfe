import { createPrivateKey, createPublicKey, hash, type KeyObject, sign } from 'node:crypto';
import { Fault } from '#model';

/** A key that signs notes. SPEC: C2SP signed-note, Ed25519 (type 0x01). */
export interface Signer {
  readonly name: string;
  readonly vkey: string;
  /** The note with its signature line. `text` ends with a newline. */
  sign(text: string): string;
}

const ed25519 = 0x01;
// SPEC: RFC 8410: what stands before the 32 bytes of an Ed25519 key in PKCS #8.
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The signer with this name and this 32-byte Ed25519 seed. */
export function signerOf(name: string, seed: Uint8Array): Signer {
  if (!/^[^\s+\p{C}]{1,256}$/u.test(name))
    throw new Fault('CONFIG_INVALID', `log origin ${JSON.stringify(name)} must be 1 to 256 characters without white space and "+"`);
  const key = createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: 'der', type: 'pkcs8' });
  const typed = Buffer.concat([Buffer.from([ed25519]), publicBytes(key)]);
  const id = keyId(name, typed);
  return {
    name,
    vkey: `${name}+${id.toString('hex')}+${typed.toString('base64')}`,
    sign: (text) => `${text}\n\u2014 ${name} ${Buffer.concat([id, sign(null, Buffer.from(text), key)]).toString('base64')}\n`,
  };
}

/** The private form, as `golang.org/x/mod/sumdb/note` writes it. */
export function encodeSigningKey(name: string, seed: Uint8Array): string {
  const typed = Buffer.concat([
    Buffer.from([ed25519]),
    publicBytes(createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: 'der', type: 'pkcs8' })),
  ]);
  return `PRIVATE+KEY+${name}+${keyId(name, typed).toString('hex')}+${Buffer.concat([Buffer.from([ed25519]), seed]).toString('base64')}\n`;
}

/** The signer of a private key, which must be for this name. */
export function decodeSigningKey(text: string, name: string): Signer {
  const [marker, word, keyName, id, data, ...rest] = text.trim().split('+');
  // The base64 of the seed may itself hold a `+`.
  const typed = Buffer.from([data, ...rest].join('+'), 'base64');
  if (marker !== 'PRIVATE' || word !== 'KEY' || typed.length !== 33 || typed[0] !== ed25519) {
    throw new Fault('CONFIG_INVALID', 'the log key file is not an Ed25519 signing key; put the right file back');
  }
  if (keyName !== name) throw new Fault('CONFIG_INVALID', `the log key belongs to ${String(keyName)}, not to ${name}`);
  const signer = signerOf(name, typed.subarray(1));
  if (!signer.vkey.startsWith(`${name}+${String(id)}+`))
    throw new Fault('CONFIG_INVALID', 'the log key file is damaged: its key does not match its id');
  return signer;
}

function publicBytes(key: KeyObject): Buffer {
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return spki.subarray(spki.length - 32);
}

function keyId(name: string, typed: Uint8Array): Buffer {
  return hash('sha256', Buffer.concat([Buffer.from(`${name}\n`), typed]), 'buffer').subarray(0, 4);
}
