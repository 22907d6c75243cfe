import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ResultStore, TestAnswer } from '#policy/cases';

const keptFilesMax = 500;

/** Results of policy tests on disk; see `keptAnswers`. */
export function resultFolder(root: string): ResultStore {
  const kept = keptAnswers(root, 'policy-tests');
  return {
    get(key) {
      const json = kept.get(key);
      const whole = typeof json === 'object' && json !== null && 'results' in json && Array.isArray(json.results);
      return whole ? (json as TestAnswer) : undefined; // Written by this program under a key that names its version.
    },
    set: (key, answer) => {
      if (kept.get(key) === undefined) kept.set(key, answer);
    },
  };
}

/**
 * Answers on disk (`root` is the folder of the program): in `node_modules/.cache` where there is one, else in the user's cache folder. Only a
 * saving of time: a file that cannot be read or written is as good as none.
 */
export function keptAnswers(
  root: string,
  kind: 'policy-tests' | 'policy-checks',
): { readonly get: (key: string) => unknown; readonly set: (key: string, answer: unknown) => void } {
  const place = existsSync('node_modules')
    ? join('node_modules', '.cache', 'warder', kind)
    : join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'warder', kind);
  const folder = join(place, engineStamp(root));
  const fileOf = (key: string): string => join(folder, `${key}.json`);
  return { get: (key) => read(fileOf(key)), set: (key, answer) => write(folder, fileOf(key), answer) };
}

/** Changes with the sources of the engine: somebody who works on it must not see what it said before. */
function engineStamp(root: string): string {
  const newest = ['model', 'inspect', 'policy']
    .map((part) => join(root, 'src', part))
    .flatMap((folder) => readdirSync(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .reduce((latest, entry) => Math.max(latest, statSync(join(entry.parentPath, entry.name)).mtimeMs), 0);
  return String(Math.round(newest));
}

function read(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function write(folder: string, path: string, answer: unknown): void {
  try {
    mkdirSync(folder, { recursive: true });
    const unfinished = `${path}.${process.pid}.tmp`;
    writeFileSync(unfinished, JSON.stringify(answer));
    renameSync(unfinished, path);
    forgetOthers(join(folder, '..'), folder);
    const names = readdirSync(folder);
    if (names.length <= keptFilesMax) return;
    const old = names.map((name) => join(folder, name)).map((file) => ({ file, at: statSync(file).mtimeMs }));
    for (const { file } of old.sort((a, b) => a.at - b.at).slice(0, names.length - keptFilesMax)) rmSync(file, { force: true });
  } catch {
    // Without a place to write, every run is the first one.
  }
}

/** What another engine said is of no use. */
function forgetOthers(place: string, own: string): void {
  for (const name of readdirSync(place)) if (join(place, name) !== own) rmSync(join(place, name), { recursive: true, force: true });
}
