import { createPublicKey, hash, type KeyObject, verify } from 'node:crypto';
import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import type { LedgerSource, VerifyCrypto } from './source.ts';

/**
 * A log in a folder. It reads in the caller's thread: a hop to another thread and back for every open, read and close of files that the kernel
 * has at hand costs as much as checking a fifth of what is in them.
 */
export function directorySource(directory: string): LedgerSource {
  const memory = new Memory();
  return {
    read: async (path, range) => unlessAbsent(() => readFile(join(directory, path), range, memory)),
    list: async (path) => unlessAbsent(() => readdirSync(join(directory, path))) ?? [],
    release: (bytes) => memory.release(bytes),
  };
}

/**
 * Keeps the memory of this process small from now on: for programs that do nothing but verify. The young part of V8's heap doubles while it is
 * used, up to a size that only makes sense for what lives longer than a record does here; half of all memory would be that.
 */
export function staySmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

// SPEC: RFC 8410: what stands before the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo.
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');

export const nodeCrypto: VerifyCrypto = {
  sha256: (bytes) => {
    if (hashesAt === hashes.length) {
      hashes = Buffer.alloc(hashesBytes);
      hashesAt = 0;
    }
    const digest = new Uint8Array(hashes.buffer, hashesAt, 32);
    hashes.write(hash('sha256', bytes, 'binary'), hashesAt, 'latin1');
    hashesAt += 32;
    return digest;
  },
  verifyEd25519: (publicKey, message, signature) => {
    const name = Buffer.from(publicKey).toString('hex');
    let key = keys.get(name);
    if (key === undefined) {
      key = createPublicKey({ key: Buffer.concat([spkiPrefix, publicKey]), format: 'der', type: 'spki' });
      if (keys.size >= keysMax) keys.clear();
      keys.set(name, key);
    }
    return verify(null, message, key, signature);
  },
};

/** A log has a few keys and thousands of signatures; opening a key takes nearly as long as a signature. */
const keys = new Map<string, KeyObject>();
const keysMax = 64;

/** Many hashes share a piece of memory: one of their own for each costs the collector more than the hashing takes. */
const hashesBytes = 8 * 1024;
let hashes = Buffer.alloc(hashesBytes);
let hashesAt = 0;

function readFile(path: string, range: { readonly offset: number; readonly length: number } | undefined, memory: Memory): Uint8Array {
  const file = openSync(path, 'r');
  try {
    const { offset, length } = range ?? { offset: 0, length: fstatSync(file).size };
    const bytes = memory.take(length);
    let filled = 0;
    while (filled < length) {
      const count = readSync(file, bytes, filled, length - filled, offset + filled);
      if (count === 0) break;
      filled += count;
    }
    return bytes.subarray(0, filled);
  } finally {
    closeSync(file);
  }
}

/** Memory for files that is used again: what is thrown away file by file is collected far too late to stay small. */
class Memory {
  readonly #free: ArrayBuffer[] = [];

  take(length: number): Uint8Array {
    const at = this.#free.findIndex(({ byteLength }) => byteLength >= length);
    const memory = at < 0 ? new ArrayBuffer(Math.ceil(length / pieceBytes) * pieceBytes) : this.#free.splice(at, 1)[0];
    return new Uint8Array(memory ?? new ArrayBuffer(length), 0, length);
  }

  release({ buffer }: Uint8Array): void {
    if (this.#free.length < freeMax && buffer instanceof ArrayBuffer && !this.#free.includes(buffer)) this.#free.push(buffer);
  }
}

const pieceBytes = 64 * 1024;
// As many as the bundles and tiles that are read ahead.
const freeMax = 20;

function unlessAbsent<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    // ENOTDIR and EISDIR: something else lies where a file should; for a reader the file is not there.
    if (error instanceof Error && 'code' in error && ['ENOENT', 'ENOTDIR', 'EISDIR'].includes(String(error.code))) return undefined;
    throw error;
  }
}
