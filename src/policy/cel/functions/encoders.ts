import { EvalError } from '../eval-error.ts';
import { fn, type Library } from './overload.ts';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const values = new Map([...alphabet].map((character, index) => [character, index]));

function encode(bytes: Uint8Array): string {
  let out = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const [a = 0, b = 0, c = 0] = bytes.subarray(at, at + 3);
    const group = (a << 16) | (b << 8) | c;
    const digits = [18, 12, 6, 0].map((shift) => alphabet.charAt((group >> shift) & 63)).join('');
    out += digits.slice(0, Math.min(3, bytes.length - at) + 1).padEnd(4, '=');
  }
  return out;
}

/** SPEC: RFC 4648 §4; the padding may be missing. */
function decode(text: string): Uint8Array {
  const digits = text.replace(/={1,2}$/, '');
  const padded = text.length === digits.length || text.length % 4 === 0;
  if (!padded || digits.length % 4 === 1) throw new EvalError('CONVERSION', 'not base64: the length is wrong');
  const out = new Uint8Array(Math.floor((digits.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const digit of digits) {
    const value = values.get(digit);
    if (value === undefined) throw new EvalError('CONVERSION', 'not base64: unexpected character');
    bits = ((bits << 6) | value) & 0xfff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      out[at] = (bits >> held) & 0xff;
      at += 1;
    }
  }
  return out;
}

export const encoderFunctions: Library = [fn('base64.encode(bytes): string', encode), fn('base64.decode(string): bytes', decode)];
