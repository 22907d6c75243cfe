import { readFile } from 'node:fs/promises';
import { mkdirSync, openSync, writeSync, fsyncSync, closeSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { limits } from '#model';
import type { World } from '#model';
import type { Authenticator } from './authenticate.ts';
import type { Tokens } from './tokens.ts';

/**
 * Keeps a usable token of the operator in a file with mode 0600: minted when the one there is missing, wrong, or past half of its life.
 * Returns the time, ms from now, after which to look again.
 */
export async function keepOperatorToken(
  path: string,
  { tokens, authenticator, world }: { tokens: Tokens; authenticator: Authenticator; world: World },
): Promise<number> {
  const half = limits.tokenLifetimeMs / 2;
  const left = await remaining(path, { authenticator, world });
  if (left > half) return left - half;
  const minted = await tokens.mint('operator', { by: 'user:operator' });
  writePrivate(path, `${minted.token}\n`);
  return half;
}

async function remaining(path: string, { authenticator, world }: { authenticator: Authenticator; world: World }): Promise<number> {
  let text: string;
  try {
    text = (await readFile(path, 'utf8')).trim();
  } catch {
    return 0;
  }
  try {
    const caller = await authenticator.authenticate(text);
    return caller.subject.name === 'operator' ? caller.token.expiresAt - world.now() : 0;
  } catch {
    // Expired, revoked or of another installation: a new one replaces it.
    return 0;
  }
}

function writePrivate(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.new`;
  rmSync(temporary, { force: true });
  const file = openSync(temporary, 'wx', 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}
