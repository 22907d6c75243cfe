import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { Fault, limits } from '#model';
import type { SourceFile } from '#policy';

/**
 * The files below a policy folder (or one file), paths relative to it with `/`, in order. Only YAML unless `all`: tests may use corpora of
 * statements beside it. Throws CONFIG_INVALID.
 */
export function readPolicyFiles(folder: string, { all = false }: { readonly all?: boolean } = {}): readonly SourceFile[] {
  const files: SourceFile[] = [];
  let bytes = 0;
  for (const path of pathsIn(folder).sort()) {
    if (!all && !/\.ya?ml$/.test(path)) continue;
    const text = readFileSync(path, 'utf8');
    bytes += Buffer.byteLength(text);
    if (bytes > limits.bundleBytesMax)
      throw new Fault('CONFIG_INVALID', `the files in ${folder} are larger than ${limits.bundleBytesMax} bytes`);
    files.push({ path: relative(folder, path).split(sep).join('/') || path, text });
  }
  if (!files.some((file) => /\.ya?ml$/.test(file.path))) throw new Fault('CONFIG_INVALID', `there is no YAML file in ${folder}`);
  return files;
}

function pathsIn(folder: string): string[] {
  try {
    if (statSync(folder).isFile()) return [folder];
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.')).map((entry) => join(entry.parentPath, entry.name));
  } catch (cause) {
    throw new Fault(
      'CONFIG_INVALID',
      `cannot read policies at ${resolve(folder)}: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        cause,
      },
    );
  }
}
