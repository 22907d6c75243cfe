import { createCipheriv, createDecipheriv } from 'node:crypto';
import { Fault } from '#model';
import type { World } from '#model';

const nonceBytes = 12;
const tagBytes = 16;

/** Encrypts what must not stand in the database in clear. */
export interface Sealing {
  /** `context` names the row it belongs to; a value moved to another row does not open. */
  seal(value: unknown, context: string): Buffer;
  /** Throws CONFIG_INVALID when the key or the context is another one, or when the bytes were changed. */
  open(sealed: Buffer, context: string): unknown;
}

/** AES-256-GCM: nonce 12 bytes ‖ ciphertext of the JSON ‖ tag 16 bytes, with the context as additional data. */
export function sealingWith(key: Uint8Array, world: World): Sealing {
  return {
    seal(value, context) {
      const nonce = world.randomBytes(nonceBytes);
      const cipher = createCipheriv('aes-256-gcm', key, nonce);
      cipher.setAAD(Buffer.from(context, 'utf8'));
      const body = Buffer.concat([cipher.update(JSON.stringify(value), 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, body, cipher.getAuthTag()]);
    },
    open(sealed, context) {
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, nonceBytes));
        decipher.setAAD(Buffer.from(context, 'utf8'));
        decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
        const body = decipher.update(sealed.subarray(nonceBytes, sealed.length - tagBytes));
        return JSON.parse(Buffer.concat([body, decipher.final()]).toString('utf8'));
      } catch (error) {
        throw new Fault(
          'CONFIG_INVALID',
          `${context} in the store does not open with the key of this installation; put the right keys folder back`,
          {
            cause: error,
          },
        );
      }
    },
  };
}
