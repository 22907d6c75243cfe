import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { CopyPlace } from './place.ts';

/** A folder of the control plane's own: one file for each, `ab/cd…` by hash. */
export function folderPlace(folder: string): CopyPlace {
  const pathOf = (hash: string): string => join(folder, hash.slice(0, 2), hash);
  return {
    name: folder,
    has: async (hash) => (await absent(stat(pathOf(hash)))) !== undefined,
    async keep(hash, bytes) {
      const path = pathOf(hash);
      const made = await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      if (made !== undefined) await syncFolder(dirname(made));
      const temporary = `${path}.new`;
      const file = await open(temporary, 'w', 0o600);
      try {
        await file.writeFile(bytes);
        await file.datasync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
      await syncFolder(dirname(path));
    },
    read: (hash) => absent(readFile(pathOf(hash))),
    remove: (hash) => rm(pathOf(hash), { force: true }),
  };
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function absent<T>(looking: Promise<T>): Promise<T | undefined> {
  try {
    return await looking;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
