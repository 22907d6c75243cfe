import { createPublicKey, type KeyObject } from 'node:crypto';

/** The control plane's Ed25519 public key, which checks bundles and grants, from base64 of its SPKI DER form. */
export function publicKeyFrom(base64: string): KeyObject {
  return createPublicKey({ key: Buffer.from(base64, 'base64'), format: 'der', type: 'spki' });
}
