import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const folder = join(import.meta.dirname, 'peers');

/** Installs what is only measured against, exactly as locked. The product needs none of it, so it is no dependency of it. */
function install(): void {
  if (existsSync(join(folder, 'node_modules'))) return;
  process.stdout.write('installing peers into bench/peers…\n');
  spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: folder, stdio: 'inherit' });
}

/** The file of a peer, or undefined where it could not be installed (no network, no build for this machine). */
export function peerFile(name: string): string | undefined {
  install();
  try {
    return createRequire(join(folder, 'package.json')).resolve(name);
  } catch {
    return undefined;
  }
}

/** A peer's module, shaped as the caller knows it. */
export async function peer<T>(name: string): Promise<T | undefined> {
  const file = peerFile(name);
  return file === undefined ? undefined : ((await import(pathToFileURL(file).href)) as T); // The version is locked.
}
