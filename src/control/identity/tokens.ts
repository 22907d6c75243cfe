import type { Ledger } from '#ledger';
import { Fault, limits } from '#model';
import type { Subject, TokenVerifier, World } from '#model';
import type { Database, Store, Work } from '../store/database.ts';
import { scramVerifier } from './scram.ts';
import { findSubject, requireSubject, subjectOf } from './subjects.ts';
import { newToken } from './token.ts';

export interface MintedToken {
  readonly id: string;
  readonly subject: string;
  readonly name: string;
  readonly token: string;
  readonly expiresAt: number;
}

export interface TokenInfo {
  readonly id: string;
  readonly subject: string;
  readonly name: string;
  readonly createdAt: number;
  readonly createdBy: string;
  readonly expiresAt: number;
  readonly status: 'live' | 'expired' | 'revoked';
}

/** What a gateway needs to check a login: nothing it could log in with itself. */
export interface LoginVerifiers {
  readonly subject?: Subject;
  readonly salt: string;
  readonly iterations: number;
  readonly verifiers: readonly TokenVerifier[];
}

export interface Tokens {
  /** A new token for the subject with this name or id; the oldest live ones above the limit are revoked. Recorded first. */
  mint(nameOrId: string, by: string): Promise<MintedToken>;
  /** NOT_FOUND when there is no such live token. Sessions opened with it end. */
  revoke(id: string, by: string): Promise<void>;
  find(id: string): Promise<TokenInfo | undefined>;
  /** Newest first; those of one subject, or all. */
  list(query: { subject?: string; after?: string; limit: number }): Promise<readonly TokenInfo[]>;
  verifiers(name: string): Promise<LoginVerifiers | undefined>;
}

interface Parts {
  readonly store: Store;
  readonly ledger: Pick<Ledger, 'append'>;
  readonly world: World;
  /** Told after the revocation is stored. */
  readonly onRevoked: (tokens: readonly string[]) => void;
}

export function openTokens({ store, ledger, world, onRevoked }: Parts): Tokens {
  return {
    async mint(nameOrId, by) {
      const owner = await requireSubject(store.db, nameOrId);
      const clear = newToken(world);
      const verifier = await scramVerifier(clear.text, owner.salt, owner.iterations);
      const expiresAt = world.now() + limits.tokenLifetimeMs;
      const retired = await store.transact(async (trx) => {
        // INVARIANT: the subject row is the lock for the number of its live tokens.
        const still = await trx
          .selectFrom('subject')
          .select('id')
          .where('id', '=', owner.id)
          .where('removed_at', 'is', null)
          .forUpdate()
          .executeTakeFirst();
        if (still === undefined) throw new Fault('NOT_FOUND', `there is no subject "${nameOrId}"`);
        const surplus = await surplusTokens(trx, owner.id, world.now());
        await ledger.append({ kind: 'admin.token', by, action: `mint for ${owner.id}`, object: clear.id });
        for (const id of surplus) await ledger.append({ kind: 'admin.token', by, action: `retire of ${owner.id}`, object: id });
        if (surplus.length > 0) await markRevoked(trx, surplus, { by, at: world.now() });
        await trx
          .insertInto('token')
          .values({
            id: clear.id,
            subject: owner.id,
            stored_key: verifier.storedKey,
            server_key: verifier.serverKey,
            created_at: world.now(),
            created_by: by,
            expires_at: expiresAt,
          })
          .execute();
        return surplus;
      });
      if (retired.length > 0) onRevoked(retired);
      return { id: clear.id, subject: owner.id, name: owner.name, token: clear.text, expiresAt };
    },

    async revoke(id, by) {
      await store.transact(async (trx) => {
        const row = await trx
          .selectFrom('token')
          .select(['id', 'subject', 'revoked_at'])
          .where('id', '=', id)
          .forUpdate()
          .executeTakeFirst();
        if (row === undefined || row.revoked_at !== null) throw new Fault('NOT_FOUND', `there is no live token ${id}`);
        await ledger.append({ kind: 'admin.token', by, action: `revoke of ${row.subject}`, object: id });
        await markRevoked(trx, [id], { by, at: world.now() });
      });
      onRevoked([id]);
    },

    async find(id) {
      const [row] = await tokenRows(store.db).where('token.id', '=', id).execute();
      return row === undefined ? undefined : infoOf(row, world.now());
    },

    async list({ subject, after, limit }) {
      let query = tokenRows(store.db).orderBy('token.id', 'desc').limit(limit);
      if (subject !== undefined) query = query.where('token.subject', '=', subject);
      if (after !== undefined) query = query.where('token.id', '<', after);
      return (await query.execute()).map((row) => infoOf(row, world.now()));
    },

    verifiers: (name) => loginVerifiers(store.db, name, world.now()),
  };
}

/** The live tokens that must go so that one more fits. */
async function surplusTokens(trx: Work, subject: string, now: number): Promise<readonly string[]> {
  const live = await liveTokens(trx, subject, now);
  return live.slice(0, Math.max(0, live.length - limits.tokensPerSubjectMax + 1));
}

/** Ids of the tokens that open something, oldest first. */
export async function liveTokens(trx: Work, subject: string, now: number): Promise<readonly string[]> {
  const live = await trx
    .selectFrom('token')
    .select('id')
    .where('subject', '=', subject)
    .where('revoked_at', 'is', null)
    .where('expires_at', '>', now)
    .orderBy('created_at')
    .orderBy('id')
    .execute();
  return live.map((row) => row.id);
}

export async function markRevoked(trx: Work, ids: readonly string[], { by, at }: { by: string; at: number }): Promise<void> {
  await trx.updateTable('token').set({ revoked_at: at, revoked_by: by }).where('id', 'in', ids).execute();
}

function tokenRows(db: Database) {
  return db
    .selectFrom('token')
    .innerJoin('subject', 'subject.id', 'token.subject')
    .select(['token.id', 'token.subject', 'subject.name', 'token.created_at', 'token.created_by', 'token.expires_at', 'token.revoked_at']);
}

type TokenRow = Awaited<ReturnType<ReturnType<typeof tokenRows>['execute']>>[number];

function infoOf(row: TokenRow, now: number): TokenInfo {
  return {
    id: row.id,
    subject: row.subject,
    name: row.name,
    createdAt: row.created_at,
    createdBy: row.created_by,
    expiresAt: row.expires_at,
    status: row.revoked_at !== null ? 'revoked' : row.expires_at <= now ? 'expired' : 'live',
  };
}

async function loginVerifiers(db: Database, name: string, now: number): Promise<LoginVerifiers | undefined> {
  const owner = await findSubject(db, name);
  if (owner === undefined || owner.name !== name) return undefined;
  const rows = await db
    .selectFrom('token')
    .select(['id', 'stored_key', 'server_key', 'expires_at'])
    .where('subject', '=', owner.id)
    .where('revoked_at', 'is', null)
    .where('expires_at', '>', now)
    .orderBy('created_at', 'desc')
    .limit(limits.tokensPerSubjectMax)
    .execute();
  return {
    subject: subjectOf(owner),
    salt: owner.salt,
    iterations: owner.iterations,
    verifiers: rows.map((row) => ({ token: row.id, storedKey: row.stored_key, serverKey: row.server_key, expiresAt: row.expires_at })),
  };
}
