import type { World } from './world.ts';

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

/** What an identifier names; the prefix makes it recognisable in a log line. */
export type IdentifierPrefix = 'ses' | 'op' | 'dec' | 'req' | 'tok' | 'gnt' | 'bun';

/**
 * A new identifier: prefix, `_`, 10 characters of time (sortable), 16 of randomness, in Crockford base32
 * lower case. 80 random bits: unguessable for the purpose of naming, never used as a secret.
 */
export function newIdentifier(prefix: IdentifierPrefix, world: World): string {
  let time = world.now();
  let head = '';
  for (let i = 0; i < 10; i += 1) {
    head = alphabet.charAt(time % 32) + head;
    time = Math.floor(time / 32);
  }
  let tail = '';
  for (const byte of world.randomBytes(16)) tail += alphabet.charAt(byte & 31);
  return `${prefix}_${head}${tail}`;
}
