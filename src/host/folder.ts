import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes a folder and those above it that are missing. Not `mkdirSync(…, { recursive: true })`: that never returns where the kernel
 * answers ENOENT below a folder that exists, as /proc does.
 */
export function makeFolder(path: string, mode: number): void {
  if (existsSync(path)) return;
  const above = dirname(path);
  if (above !== path) makeFolder(above, mode);
  try {
    mkdirSync(path, { mode });
    // Whatever the umask says: a folder on the way to the embedded PostgreSQL that nobody may pass would keep it from starting.
    chmodSync(path, mode);
  } catch (thrown) {
    // Reason: Node's file system errors always carry a code. Somebody else may have made it in the meantime.
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
  }
}
