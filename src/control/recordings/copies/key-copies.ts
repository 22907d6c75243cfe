import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { sessionKeyCopy } from '#host';
import { Fault } from '#model';
import type { Sealing } from '../../store/sealing.ts';

/**
 * Copies of the keys of recorded sessions, each in a file of its own and sealed with the key of this installation: without one, what is kept of a
 * session's recording cannot be read by anybody.
 */
export interface KeyCopies {
  keep(origin: string, session: string, key: Uint8Array): void;
  /** Undefined when there is none, or none any more. */
  read(origin: string, session: string): Buffer | undefined;
  erase(origin: string, session: string): void;
}

export function openKeyCopies(folder: string, sealing: Sealing): KeyCopies {
  const context = (origin: string, session: string): string => `key of ${origin} ${session}`;
  return {
    keep(origin, session, key) {
      const path = sessionKeyCopy(folder, origin, session);
      if (readIfThere(path) !== undefined) return;
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      const temporary = `${path}.new`;
      const sealed = sealing.seal(Buffer.from(key).toString('base64'), context(origin, session));
      writeFileSync(temporary, `${sealed.toString('base64')}\n`, { mode: 0o600, flush: true });
      renameSync(temporary, path);
    },
    read(origin, session) {
      const text = readIfThere(sessionKeyCopy(folder, origin, session));
      if (text === undefined) return undefined;
      const key = sealing.open(Buffer.from(text, 'base64'), context(origin, session));
      if (typeof key !== 'string') throw new Fault('CONFIG_INVALID', `the copy of the key of session ${session} is not a key`);
      return Buffer.from(key, 'base64');
    },
    erase: (origin, session) => rmSync(sessionKeyCopy(folder, origin, session), { force: true }),
  };
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
