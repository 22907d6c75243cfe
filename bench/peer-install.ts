import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { testPackages } from '../test/packages.ts';

// The product needs none of them, so they are no dependencies of it.
const peers = testPackages(join(import.meta.dirname, 'peers'));
if (peers.folder === undefined) process.stdout.write(`${peers.without}\n`);

/** The file of a peer, or undefined where it could not be installed (no network, no build for this machine). */
export function peerFile(name: string): string | undefined {
  if (peers.folder === undefined) return undefined;
  try {
    return createRequire(join(peers.folder, 'package.json')).resolve(name);
  } catch {
    return undefined;
  }
}

/** A peer's module, shaped as the caller knows it. */
export async function peer<T>(name: string): Promise<T | undefined> {
  const file = peerFile(name);
  return file === undefined ? undefined : ((await import(pathToFileURL(file).href)) as T); // The version is locked.
}
