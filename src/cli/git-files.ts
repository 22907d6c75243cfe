import { execFileSync } from 'node:child_process';
import { Fault, limits } from '#model';
import type { SourceFile } from '#policy';

/**
 * The policy files below a folder as they stood at a Git revision; paths relative to the folder, in order. YAML only, like
 * `readPolicyFiles`. Throws CONFIG_INVALID.
 */
export function readRevision(revision: string, folder: string): readonly SourceFile[] {
  // A name that begins with "-" would be an option to git.
  if (revision === '' || revision.startsWith('-')) throw new Fault('USAGE', `"${revision}" is not a revision`);
  const commit = git(['rev-parse', '--verify', '--end-of-options', `${revision}^{commit}`], revision)
    .toString('utf8')
    .trim();
  const listed = git(['ls-tree', '-r', '-z', '--name-only', commit, '--', folder], revision).toString('utf8').split('\0');
  const paths = listed.filter((path) => /\.ya?ml$/.test(path)).sort();
  if (paths.length === 0) throw new Fault('CONFIG_INVALID', `there is no YAML file in ${folder} at ${revision}`);
  const texts = blobs(
    paths.map((path) => `${commit}:./${path}`),
    revision,
  );
  const prefix = `${folder.replace(/^\.\//, '').replace(/\/+$/, '')}/`;
  return paths.map((path, i) => ({ path: path.startsWith(prefix) ? path.slice(prefix.length) : path, text: texts[i] ?? '' }));
}

/** Many files with one process. SPEC: git-cat-file(1), BATCH OUTPUT. */
function blobs(names: readonly string[], revision: string): string[] {
  const out = git(['cat-file', '--batch'], revision, `${names.join('\n')}\n`);
  const texts: string[] = [];
  let at = 0;
  while (at < out.length) {
    const end = out.indexOf(0x0a, at);
    const size = Number(/^[0-9a-f]+ blob (\d+)$/.exec(out.toString('utf8', at, end))?.[1] ?? Number.NaN);
    if (Number.isNaN(size)) throw new Fault('CONFIG_INVALID', `git cannot read ${out.toString('utf8', at, end)}`);
    texts.push(out.toString('utf8', end + 1, end + 1 + size));
    at = end + 1 + size + 1;
  }
  return texts;
}

/** Commit, and whether the folder differs from it; undefined outside a repository. */
export function commitOf(folder: string): { readonly commit: string; readonly dirty: boolean } | undefined {
  try {
    const commit = git(['-C', folder, 'rev-parse', '--verify', 'HEAD'], folder).toString('utf8').trim();
    return { commit, dirty: git(['-C', folder, 'status', '--porcelain', '--', '.'], folder).length > 0 };
  } catch {
    return undefined;
  }
}

function git(args: readonly string[], about: string, input?: string): Buffer {
  try {
    return execFileSync('git', args, {
      ...(input === undefined ? {} : { input }),
      maxBuffer: 2 * limits.bundleBytesMax,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  } catch (cause) {
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim().split('\n')[0] : '';
    throw new Fault('CONFIG_INVALID', `git does not know ${about}${said === '' ? '' : `: ${said}`}`, { cause });
  }
}
