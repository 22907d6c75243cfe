import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

const files = ['package.json', 'package-lock.json'] as const;
const cache = resolve(import.meta.dirname, '../node_modules/.cache');

/** A folder with `node_modules`, or why there is none. */
export type Packages = { readonly folder: string; readonly without?: never } | { readonly folder?: never; readonly without: string };

/**
 * Programs and definitions by other authors that only tests and benchmarks need: the packages of the `package.json` in a folder, exactly as locked beside it.
 * Installed once, without their scripts; tests that run at the same time may both begin. Throws instead of going without in CI, where nothing is
 * left out.
 */
export function testPackages(described: string): Packages {
  const digest = createHash('sha256');
  for (const file of files) digest.update(readFileSync(join(described, file)));
  const folder = join(cache, `warder-test-${digest.digest('hex').slice(0, 16)}`);
  if (existsSync(folder)) return { folder };
  const fresh = `${folder}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  try {
    for (const file of files) copyFileSync(join(described, file), join(fresh, file));
    const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    const { status, stderr } = spawnSync('npm', args, { cwd: fresh, encoding: 'utf8' });
    if (status === 0) {
      if (!existsSync(folder)) move(fresh, folder);
      return { folder };
    }
    const without = `npm could not install what is described in ${described}: ${stderr.trim().split('\n').at(-1) ?? ''}`;
    if (process.env['CI'] !== undefined) throw new Error(without);
    return { without };
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

function move(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    // Another test was faster.
    if (!existsSync(to)) throw error;
  }
}
