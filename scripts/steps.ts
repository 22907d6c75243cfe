/** Runs one step of a check after another and says how long each took. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');

/** Runs a command of this project's own tools; exits with its status when it fails. */
export function run(name: string, command: readonly [string, ...string[]], environment: Record<string, string> = {}): void {
  const started = performance.now();
  process.stdout.write(`── ${name}\n`);
  const [tool, ...args] = command;
  const { status, error } = spawnSync(join(root, 'node_modules/.bin', tool), args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, NODE_OPTIONS: '--disable-warning=ExperimentalWarning', ...environment },
  });
  if (error) throw error;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  if (status !== 0) {
    process.stderr.write(`── ${name} failed after ${seconds} s\n`);
    process.exit(status ?? 1);
  }
  process.stdout.write(`── ${name}: ok, ${seconds} s\n`);
}

/** Runs test files; `concurrency` files at a time. */
export function runTests(name: string, files: readonly string[], concurrency: number): void {
  if (files.length === 0) return;
  run(name, [
    'node',
    '--import',
    './test/seed.ts',
    '--import',
    './test/own-thread.ts',
    '--test',
    `--test-concurrency=${concurrency}`,
    ...files,
  ]);
}

/** All test files below a folder of the checkout. */
export function testFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => join(folder, file))
    .sort();
}
