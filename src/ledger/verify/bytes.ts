export function toHex(bytes: Uint8Array): string {
  let text = '';
  let k = 0;
  // Two bytes at once: every record has its hash written this way.
  for (; k + 1 < bytes.length; k += 2) text += hexOf[((bytes[k] ?? 0) << 8) | (bytes[k + 1] ?? 0)];
  return k < bytes.length ? text + (hexOf[bytes[k] ?? 0]?.slice(2) ?? '') : text;
}

const hexOf = Array.from({ length: 65_536 }, (_, bytes) => bytes.toString(16).padStart(4, '0'));

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/**
 * Strict base64: undefined unless encoding the result gives the same text. A lenient decoder ignores the spare bits of the last
 * character, so somebody could change a signed file without changing what is read from it.
 */
export function fromBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined;
  const body = text.replace(/={1,2}$/, '');
  const bytes = new Uint8Array(Math.floor((body.length * 3) / 4));
  let bits = 0;
  let count = 0;
  let at = 0;
  for (const character of body) {
    const value = alphabet.indexOf(character);
    if (value < 0) return undefined;
    bits = ((bits << 6) | value) & 0xffffff;
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes[at++] = (bits >> count) & 0xff;
    }
  }
  return toBase64(bytes) === text ? bytes : undefined;
}

export function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const three = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    const letters = [three >> 18, (three >> 12) & 63, (three >> 6) & 63, three & 63].map((value) => alphabet.charAt(value));
    text += letters.slice(0, Math.min(bytes.length - i, 3) + 1).join('');
  }
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=');
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** CRC-32 as in zlib (polynomial 0xEDB88320), continued from `start`. */
export function crc32(bytes: Uint8Array, start = 0): number {
  let crc = ~start;
  for (let i = 0; i < bytes.length; i += 1) crc = (crc >>> 8) ^ (crcTable[(crc ^ (bytes[i] ?? 0)) & 0xff] ?? 0);
  return ~crc >>> 0;
}

const crcTable = Int32Array.from({ length: 256 }, (_, n) => {
  let crc = n;
  for (let k = 0; k < 8; k += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text, or undefined when it is not UTF-8. */
export function toText(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

export function fromText(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The parsed JSON text, or undefined. */
export function parseJson(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
