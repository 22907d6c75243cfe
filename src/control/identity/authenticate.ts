import { createHash } from 'node:crypto';
import { Fault, limits } from '#model';
import type { Subject, World } from '#model';
import type { Store } from '../store/database.ts';
import { sameSecret, scramVerifier } from './scram.ts';
import { subjectOf } from './subjects.ts';
import { tokenId } from './token.ts';

export interface Caller {
  readonly subject: Subject;
  readonly token: { readonly id: string; readonly expiresAt: number };
}

export interface Authenticator {
  /** Who holds this bearer token. Throws UNAUTHENTICATED. */
  authenticate(bearer: string): Promise<Caller>;
  /** Forgets what was checked for these tokens. */
  forget(tokens: readonly string[]): void;
}

interface Checked {
  readonly caller: Caller;
  /** Monotonic, ns. */
  readonly until: bigint;
}

/**
 * Checks bearer tokens by id and recomputed SCRAM StoredKey. What was checked is remembered for `limits.bearerCacheMs` under the
 * SHA-256 of the token, never under the token.
 */
export function openAuthenticator({ store, world }: { store: Store; world: World }): Authenticator {
  const checked = new Map<string, Checked>();
  // A revocation that comes while a check is under way must win: a check stores its answer only when nothing was forgotten meanwhile.
  let forgotten = 0;

  async function check(bearer: string): Promise<Caller> {
    const id = tokenId(bearer);
    if (id === undefined) throw new Fault('UNAUTHENTICATED', 'the bearer token is not a token of this installation');
    const row = await store.db
      .selectFrom('token')
      .innerJoin('subject', 'subject.id', 'token.subject')
      .selectAll('subject')
      .select(['token.stored_key', 'token.expires_at', 'token.revoked_at'])
      .where('token.id', '=', id)
      .where('subject.removed_at', 'is', null)
      .executeTakeFirst();
    if (row === undefined) throw new Fault('UNAUTHENTICATED', 'the bearer token is unknown');
    const { storedKey } = await scramVerifier(bearer, row.salt, row.iterations);
    if (!sameSecret(storedKey, row.stored_key)) throw new Fault('UNAUTHENTICATED', 'the bearer token is wrong');
    if (row.revoked_at !== null) throw new Fault('UNAUTHENTICATED', 'the bearer token was revoked');
    return { subject: subjectOf(row), token: { id, expiresAt: row.expires_at } };
  }

  return {
    async authenticate(bearer) {
      const key = createHash('sha256').update(bearer).digest('base64');
      const known = checked.get(key);
      const fresh = known !== undefined && known.until > world.monotonicNs();
      const before = forgotten;
      const caller = fresh ? known.caller : await check(bearer);
      if (caller.token.expiresAt <= world.now()) {
        checked.delete(key);
        throw new Fault('UNAUTHENTICATED', 'the bearer token has expired');
      }
      if (!fresh && before === forgotten) {
        if (checked.size >= limits.bearerCacheEntriesMax) checked.clear();
        checked.set(key, { caller, until: world.monotonicNs() + BigInt(limits.bearerCacheMs) * 1_000_000n });
      }
      return caller;
    },
    forget(tokens) {
      forgotten += 1;
      for (const [key, entry] of checked) if (tokens.includes(entry.caller.token.id)) checked.delete(key);
    },
  };
}
