import type { VerifyCrypto } from './source.ts';

/** The part of Web Crypto that is used: the global `crypto.subtle` of browsers and of Node. */
export interface Subtle {
  importKey(format: 'raw', key: Uint8Array, algorithm: 'Ed25519', extractable: boolean, uses: readonly 'verify'[]): Promise<object>;
  verify(algorithm: 'Ed25519', key: object, signature: Uint8Array, data: Uint8Array): Promise<boolean>;
}

/** Cryptography for where there is no Node: SHA-256 from here, because Web Crypto's cannot be waited for a million times; Ed25519 from Web Crypto. */
export function portableCrypto(subtle: Subtle): VerifyCrypto {
  return {
    sha256,
    verifyEd25519: async (publicKey, message, signature) => {
      try {
        const key = await subtle.importKey('raw', publicKey, 'Ed25519', false, ['verify']);
        return await subtle.verify('Ed25519', key, signature, message);
      } catch {
        return false; // Not a key, or not a signature.
      }
    },
  };
}

const [rounds, start] = constants();

/** SPEC: FIPS 180-4 §5.3.3 and §4.2.2: the first bits of the fractions of the roots of the first primes: cube roots, and square roots. */
function constants(): readonly [Uint32Array, Uint32Array] {
  const primes: number[] = [];
  for (let n = 2; primes.length < 64; n += 1) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  const fraction = (value: number): number => Math.floor((value - Math.floor(value)) * 2 ** 32);
  return [
    Uint32Array.from(primes, (prime) => fraction(Math.cbrt(prime))),
    Uint32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime))),
  ];
}

const schedule = new Uint32Array(64);

/** SPEC: FIPS 180-4 §6.2. */
function sha256(bytes: Uint8Array): Uint8Array {
  const state = start.slice();
  const whole = bytes.length - (bytes.length % 64);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < whole; at += 64) block(state, view, at);
  const rest = bytes.length - whole;
  const end = new Uint8Array(rest < 56 ? 64 : 128);
  end.set(bytes.subarray(whole));
  end[rest] = 0x80;
  const endView = new DataView(end.buffer);
  endView.setUint32(end.length - 8, Math.floor(bytes.length / 2 ** 29));
  endView.setUint32(end.length - 4, (bytes.length * 8) >>> 0);
  for (let at = 0; at < end.length; at += 64) block(state, endView, at);
  const digest = new Uint8Array(32);
  const digestView = new DataView(digest.buffer);
  state.forEach((word, k) => digestView.setUint32(k * 4, word));
  return digest;
}

function block(state: Uint32Array, view: DataView, at: number): void {
  for (let t = 0; t < 16; t += 1) schedule[t] = view.getUint32(at + t * 4);
  for (let t = 16; t < 64; t += 1) {
    const [w2, w15] = [schedule[t - 2] ?? 0, schedule[t - 15] ?? 0];
    const s0 = turn(w15, 7) ^ turn(w15, 18) ^ (w15 >>> 3);
    const s1 = turn(w2, 17) ^ turn(w2, 19) ^ (w2 >>> 10);
    schedule[t] = (schedule[t - 16] ?? 0) + s0 + (schedule[t - 7] ?? 0) + s1;
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let t = 0; t < 64; t += 1) {
    const s1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25);
    const first = (h + s1 + ((e & f) ^ (~e & g)) + (rounds[t] ?? 0) + (schedule[t] ?? 0)) | 0;
    const s0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22);
    const second = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, k) => {
    state[k] = (state[k] ?? 0) + word;
  });
}

/** Rotated to the right. */
function turn(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}
