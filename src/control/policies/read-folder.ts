import { readFile, readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { Fault, limits } from '#model';
import type { SourceFile } from '#policy';

/** All YAML files below a folder, with paths relative to it, `/` between the parts, in the order of their paths. Throws CONFIG_INVALID. */
export async function readPolicyFolder(folder: string): Promise<readonly SourceFile[]> {
  const paths: string[] = [];
  try {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (entry.isFile() && /\.ya?ml$/.test(entry.name)) paths.push(join(entry.parentPath, entry.name));
    }
  } catch (error) {
    throw new Fault('CONFIG_INVALID', `the policy folder ${folder} cannot be read`, { cause: error });
  }
  const files: SourceFile[] = [];
  let bytes = 0;
  for (const path of paths.sort()) {
    const text = await readFile(path, 'utf8');
    bytes += Buffer.byteLength(text);
    if (bytes > limits.bundleBytesMax)
      throw new Fault('CONFIG_INVALID', `the policies in ${folder} are larger than ${limits.bundleBytesMax} bytes`);
    files.push({ path: relative(folder, path).split(sep).join('/'), text });
  }
  if (files.length === 0) throw new Fault('CONFIG_INVALID', `the policy folder ${folder} holds no YAML file`);
  return files;
}
