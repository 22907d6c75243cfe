import { createHash, createHmac } from 'node:crypto';
import { Fault } from '#model';

/** The arithmetic of SCRAM-SHA-256. SPEC: RFC 5802 §3 and §5.1, RFC 7677. */
export function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'utf8').digest();
}

export function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

export function xor(a: Uint8Array, b: Uint8Array): Buffer {
  const result = Buffer.alloc(a.length);
  for (let i = 0; i < a.length; i += 1) result[i] = (a[i] ?? 0) ^ (b[i] ?? 0);
  return result;
}

/** Attributes of a SCRAM message in order, e.g. `r=…,s=…,i=…`. Throws PROTOCOL_VIOLATION. */
export function attributes(text: string): readonly (readonly [name: string, value: string])[] {
  return text.split(',').map((part) => {
    if (part.charAt(1) !== '=' || !/^[A-Za-z]$/.test(part.charAt(0))) throw new Fault('PROTOCOL_VIOLATION', 'a SCRAM message is malformed');
    return [part.charAt(0), part.slice(2)];
  });
}

/** Bytes of strict base64, or undefined. */
export function base64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

/** Printable ASCII without a comma, as RFC 5802 asks of a nonce. */
export function isNonce(text: string): boolean {
  return /^[\x21-\x2b\x2d-\x7e]{8,256}$/.test(text);
}
