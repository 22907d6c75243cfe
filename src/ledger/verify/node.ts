import { createPublicKey, hash, type KeyObject, verify } from 'node:crypto';
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LedgerSource, VerifyCrypto } from './source.ts';

/** A log in a folder. */
export function directorySource(directory: string): LedgerSource {
  return {
    read: (path, range) =>
      unlessAbsent(() => (range === undefined ? readFile(join(directory, path)) : readPart(join(directory, path), range))),
    list: async (path) => (await unlessAbsent(() => readdir(join(directory, path)))) ?? [],
  };
}

// SPEC: RFC 8410: what stands before the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo.
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');

export const nodeCrypto: VerifyCrypto = {
  sha256: (bytes) => hash('sha256', bytes, 'buffer'),
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

async function readPart(path: string, range: { offset: number; length: number }): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const bytes = Buffer.alloc(range.length);
    const { bytesRead } = await file.read(bytes, 0, range.length, range.offset);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function unlessAbsent<T>(action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action();
  } catch (error) {
    // ENOTDIR and EISDIR: something else lies where a file should; for a reader the file is not there.
    if (error instanceof Error && 'code' in error && ['ENOENT', 'ENOTDIR', 'EISDIR'].includes(String(error.code))) return undefined;
    throw error;
  }
}
