import { createHash, createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { canonicalJson, Fault } from '#model';
import { payloadType, preAuthEncoding } from '#policy';

/** SPEC: DSSE v1.0.0 envelope. */
export interface Envelope {
  readonly payloadType: string;
  /** Base64. */
  readonly payload: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

/** An Ed25519 key from a PEM file; the private one only where it must sign. Throws CONFIG_INVALID. */
export function readKey(path: string, kind: 'private' | 'public'): KeyObject {
  let key: KeyObject;
  try {
    const pem = readFileSync(path, 'utf8');
    key = kind === 'private' ? createPrivateKey(pem) : createPublicKey(pem);
  } catch {
    // The cause may quote the file.
    throw new Fault('CONFIG_INVALID', `${path} is not a ${kind} key in PEM form`);
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw new Fault('CONFIG_INVALID', `${path} is a key for ${key.asymmetricKeyType ?? 'something else'}, not for Ed25519`);
  return key;
}

/** `sha256:` and the hex digest of the public key's SubjectPublicKeyInfo: a name for people, no proof. */
export function keyId(key: KeyObject): string {
  const spki = (key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' });
  return `sha256:${createHash('sha256').update(spki).digest('hex')}`;
}

/** Signs a statement. Ed25519 has no randomness: the same statement and key give the same envelope. */
export function seal(statement: unknown, key: KeyObject): Envelope {
  const payload = Buffer.from(canonicalJson(statement));
  const signature = sign(null, preAuthEncoding(payloadType, payload), key);
  return { payloadType, payload: payload.toString('base64'), signatures: [{ keyid: keyId(key), sig: signature.toString('base64') }] };
}

/** The statement inside an envelope and whose signatures on it hold; nobody's until `keys` says so. Throws INVALID_INPUT for what is no envelope. */
export function open(text: string, keys: readonly KeyObject[]): { readonly statement: unknown; readonly by: readonly string[] } {
  const envelope = parseEnvelope(text);
  const payload = Buffer.from(envelope.payload, 'base64');
  const signed = preAuthEncoding(envelope.payloadType, payload);
  // The key id is only a hint, so every key is tried on every signature.
  const holds = (key: KeyObject): boolean => envelope.signatures.some(({ sig }) => verify(null, signed, key, Buffer.from(sig, 'base64')));
  try {
    return { statement: JSON.parse(payload.toString('utf8')), by: keys.filter(holds).map(keyId) };
  } catch {
    throw new Fault('INVALID_INPUT', 'the payload of the envelope is not JSON');
  }
}

function parseEnvelope(text: string): Envelope {
  const wrong = new Fault('INVALID_INPUT', 'the file is not a DSSE envelope of a statement');
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw wrong;
  }
  if (typeof json !== 'object' || json === null) throw wrong;
  const { payloadType: type, payload, signatures } = json as Partial<Record<keyof Envelope, unknown>>; // Every member is checked here.
  if (type !== payloadType || typeof payload !== 'string' || !Array.isArray(signatures)) throw wrong;
  const isSignature = (one: unknown): one is Envelope['signatures'][number] =>
    typeof one === 'object' &&
    one !== null &&
    'sig' in one &&
    typeof one.sig === 'string' &&
    (!('keyid' in one) || typeof one.keyid === 'string');
  if (!signatures.every(isSignature)) throw wrong;
  return { payloadType: type, payload, signatures };
}
