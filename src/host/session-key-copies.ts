import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '#model';

/** Where the control plane keeps its copy of the key of a session of another log, sealed. `keys` is its folder of keys. */
export function sessionKeyCopy(keys: string, origin: string, session: string): string {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(session)) throw new Fault('INVALID_INPUT', 'a session id must be 1 to 64 letters, digits, "_" or "-"');
  return join(keys, 'copies', encodeURIComponent(origin), session.slice(-2), `${session}.key`);
}

/** The copies of the key of a session that are there, of whatever log: what has to go when the session is erased. */
export function sessionKeyCopies(keys: string, session: string): readonly string[] {
  let origins: readonly string[];
  try {
    origins = readdirSync(join(keys, 'copies'));
  } catch {
    return [];
  }
  return origins
    .map((origin) => sessionKeyCopy(keys, decodeURIComponent(origin), session))
    .filter((path) => statSync(path, { throwIfNoEntry: false }) !== undefined);
}
