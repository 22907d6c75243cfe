import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { Fault, limits } from '#model';
import type { SourceFile } from '#policy';

/** What importers look at; everything else in a folder is left alone. */
const importable = /\.(?:ya?ml|json|cedar|cedarschema|rego)$/i;

/**
 * The files to import below the given files and folders, paths relative to the working folder with `/`, in order, each once. Hidden files
 * and folders, `node_modules` and what lies in `except` (earlier imports) are left alone. Throws CONFIG_INVALID.
 */
export function readImportFiles(from: readonly string[], except: string): readonly SourceFile[] {
  const paths = new Set(from.flatMap((start) => pathsBelow(start, resolve(except))).map((path) => resolve(path)));
  const files: SourceFile[] = [];
  let bytes = 0;
  for (const path of [...paths].toSorted()) {
    const text = textOf(path);
    bytes += Buffer.byteLength(text);
    if (bytes > limits.bundleBytesMax)
      throw new Fault('CONFIG_INVALID', `the files to import are larger than ${limits.bundleBytesMax} bytes; import them in parts`);
    files.push({ path: relative(process.cwd(), path).split(sep).join('/'), text });
  }
  if (files.length > 0) return files;
  throw new Fault('CONFIG_INVALID', `there is nothing to import in ${from.join(', ')}: no YAML, JSON, Cedar or Rego file`);
}

function pathsBelow(start: string, except: string): string[] {
  try {
    if (statSync(start).isFile()) {
      if (importable.test(start)) return [start];
      throw new Fault('CONFIG_INVALID', `${start} cannot be imported: the files are .yaml, .yml, .json, .cedar, .cedarschema and .rego`);
    }
    return pathsIn(start, except);
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    throw new Fault('CONFIG_INVALID', `cannot read ${start}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** Hidden folders in which Kyverno's own repositories keep the tests of a policy. */
const testFolders: ReadonlySet<string> = new Set(['.kyverno-test', '.chainsaw-test']);

function pathsIn(folder: string, except: string): string[] {
  if (resolve(folder) === except) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if ((entry.name.startsWith('.') && !testFolders.has(entry.name)) || entry.name === 'node_modules') return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return pathsIn(path, except);
    return entry.isFile() && importable.test(entry.name) ? [path] : [];
  });
}

function textOf(path: string): string {
  try {
    // The exact text: a digest is over it, and bytes that are no text would be changed silently.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readFileSync(path));
  } catch (cause) {
    throw new Fault('CONFIG_INVALID', `cannot read ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

export interface Written {
  readonly written: readonly string[];
  /** Files that were there already with the same text. */
  readonly unchanged: readonly string[];
}

/**
 * Writes the files into a folder: all of them, or, when one is there with another text and `force` is not set, none. Returns their paths
 * with the folder in front. Throws USAGE where something would be overwritten, CONFIG_INVALID where the folder cannot be written.
 */
export function writeImport(files: readonly SourceFile[], folder: string, { force }: { readonly force: boolean }): Written {
  const planned = files.map(({ path, text }) => ({ path: join(folder, path), text, before: present(join(folder, path)) }));
  const others = planned.filter(({ text, before }) => before !== undefined && before !== text).map(({ path }) => path);
  if (others.length > 0 && !force) {
    const named = others.slice(0, namedMax).join(', ') + (others.length > namedMax ? ` and ${others.length - namedMax} more` : '');
    throw new Fault('USAGE', `${named} would be overwritten, so nothing is written; use --force, or another folder with --out`);
  }
  const changed = planned.filter(({ text, before }) => before !== text);
  for (const { path, text } of changed) write(path, text);
  return { written: changed.map(({ path }) => path), unchanged: planned.filter((one) => !changed.includes(one)).map(({ path }) => path) };
}

const namedMax = 5;

/**
 * Documents of earlier imports in the folder that this one did not make, although it read the file they came from, or that file is gone:
 * they say what nobody says any more. Paths with the folder in front.
 */
export function staleImports(
  folder: string,
  { read, made }: { readonly read: readonly SourceFile[]; readonly made: Written },
): readonly string[] {
  const current = new Set([...made.written, ...made.unchanged]);
  const sources = new Set(read.map(({ path }) => path));
  return (existsSync(folder) ? readdirSync(folder) : []).flatMap((name) => {
    const path = join(folder, name);
    if (!name.endsWith('.yaml') || current.has(path)) return [];
    const source = /^# Imported from (.+), line \d+:/.exec(present(path) ?? '')?.[1];
    return source !== undefined && (sources.has(source) || !existsSync(source)) ? [path] : [];
  });
}

/** The text of a file that may not be there. */
function present(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new Fault('CONFIG_INVALID', `cannot read ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function write(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  } catch (cause) {
    throw new Fault('CONFIG_INVALID', `cannot write ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
