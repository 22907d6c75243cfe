import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { chmodSync, closeSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Fault } from '#model';
import type { World } from '#model';

/** The secrets of the control plane, each in a file of its own, mode 0600, in the keys folder. */
export interface ControlKeys {
  /** Key of the sealed columns of the store, 32 bytes. */
  readonly seal: Uint8Array;
  /** Ed25519 public key, SPKI DER in base64: what gateways check grants and bundles with. */
  readonly signingPublic: string;
  /** Ed25519 signature in base64. */
  sign(bytes: Uint8Array): string;
}

/** Opens the keys, making those that are missing. */
export function openKeys(folder: string, world: World): ControlKeys {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const seal = Buffer.from(secretFile(join(folder, 'store.key'), () => hex(world.randomBytes(32))).trim(), 'hex');
  if (seal.length !== 32) throw new Fault('CONFIG_INVALID', `${join(folder, 'store.key')} is not a key of 32 bytes in hex`);
  const signing = privateKey(
    join(folder, 'control-signing.pem'),
    secretFile(join(folder, 'control-signing.pem'), () =>
      generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    ),
  );
  return {
    seal,
    signingPublic: createPublicKey(signing).export({ type: 'spki', format: 'der' }).toString('base64'),
    sign: (bytes) => sign(null, bytes, signing).toString('base64'),
  };
}

/** The text of a secret file (0600), made once when missing: whoever loses the race takes what the winner wrote. */
export function secretFile(path: string, make: () => string): string {
  const existing = readIfThere(path);
  if (existing !== undefined) return existing;
  writeSecretOnce(path, make());
  const text = readIfThere(path);
  if (text === undefined) throw new Fault('HOME_UNUSABLE', `${path} cannot be read after writing it`);
  return text;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new Fault('HOME_UNUSABLE', `${path} cannot be read`, { cause: error });
  }
}

function writeSecretOnce(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.new`;
  rmSync(temporary, { force: true });
  const file = openSync(temporary, 'wx', 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  chmodSync(temporary, 0o600);
  try {
    // A link does not replace an existing file: of two processes exactly one wins, and a half-written key is never seen.
    linkSync(temporary, path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
  syncFolder(dirname(path));
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function privateKey(path: string, pem: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch (error) {
    throw new Fault('CONFIG_INVALID', `${path} is not a private key in PEM`, { cause: error });
  }
  throw new Fault('CONFIG_INVALID', `${path} is not an Ed25519 key`);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
