import { sql } from 'kysely';
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

export interface Minting {
  readonly by: string;
  /** How long it lives, ms; never longer than `limits.tokenLifetimeMs`, which is also the default. */
  readonly lifetimeMs?: number;
  /**
   * The token with which its holder makes another for themselves. INVARIANT: the new one neither outlives it nor survives its revocation,
   * or a stolen token could be kept alive for ever.
   */
  readonly parent?: { readonly id: string; readonly expiresAt: number };
}

export interface Tokens {
  /** A new token for the subject with this name or id; the oldest live ones above the limit are revoked. Recorded first. */
  mint(nameOrId: string, minting: Minting): Promise<MintedToken>;
  /** NOT_FOUND when there is no such live token. Sessions opened with it, or with a token made with it, end. */
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
    async mint(nameOrId, { by, lifetimeMs = limits.tokenLifetimeMs, parent }) {
      const owner = await requireSubject(store.db, nameOrId);
      const clear = newToken(world);
      const verifier = await scramVerifier(clear.text, owner.salt, owner.iterations);
      const now = world.now();
      const expiresAt = Math.min(now + Math.min(lifetimeMs, limits.tokenLifetimeMs), parent?.expiresAt ?? Infinity);
      const retired = await store.transact(async (trx) => {
        await lockTokensOf(trx, owner.id, nameOrId);
        const surplus = await surplusTokens(trx, owner.id, { now, keep: await ancestry(trx, parent?.id) });
        await ledger.append({ kind: 'admin.token', by, action: `mint for ${owner.id}`, object: clear.id });
        for (const id of surplus) await ledger.append({ kind: 'admin.token', by, action: `retire of ${owner.id}`, object: id });
        if (surplus.length > 0) await markRevoked(trx, surplus, { by, at: now });
        await trx
          .insertInto('token')
          .values({
            id: clear.id,
            subject: owner.id,
            stored_key: verifier.storedKey,
            server_key: verifier.serverKey,
            created_at: now,
            created_by: by,
            expires_at: expiresAt,
            parent: parent?.id ?? null,
          })
          .execute();
        return surplus;
      });
      if (retired.length > 0) onRevoked(retired);
      return { id: clear.id, subject: owner.id, name: owner.name, token: clear.text, expiresAt };
    },

    async revoke(id, by) {
      const revoked = await store.transact(async (trx) => {
        const gone = new Fault('NOT_FOUND', `there is no live token ${id}`);
        const found = await trx.selectFrom('token').select('subject').where('id', '=', id).executeTakeFirst();
        if (found === undefined) throw gone;
        await lockTokensOf(trx, found.subject, found.subject);
        const row = await trx.selectFrom('token').select('revoked_at').where('id', '=', id).executeTakeFirst();
        if (row === undefined || row.revoked_at !== null) throw gone;
        const all = [id, ...(await madeWith(trx, [id], world.now()))];
        for (const one of all) await ledger.append({ kind: 'admin.token', by, action: `revoke of ${found.subject}`, object: one });
        await markRevoked(trx, all, { by, at: world.now() });
        return all;
      });
      onRevoked(revoked);
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

/** INVARIANT: the subject's row is the lock for all that is done to its tokens: their number, and who was made with whom. Throws NOT_FOUND. */
async function lockTokensOf(trx: Work, subject: string, named: string): Promise<void> {
  const still = await trx
    .selectFrom('subject')
    .select('id')
    .where('id', '=', subject)
    .where('removed_at', 'is', null)
    .forUpdate()
    .executeTakeFirst();
  if (still === undefined) throw new Fault('NOT_FOUND', `there is no subject "${named}"`);
}

/** The live tokens that must go so that one more fits: the oldest, and what was made with them. `keep` stays. */
async function surplusTokens(
  trx: Work,
  subject: string,
  { now, keep }: { now: number; keep: readonly string[] },
): Promise<readonly string[]> {
  const live = await liveTokens(trx, subject, now);
  const tooMany = Math.max(0, live.length - limits.tokensPerSubjectMax + 1);
  const oldest = live.filter((id) => !keep.includes(id)).slice(0, tooMany);
  if (oldest.length < tooMany) {
    throw new Fault(
      'CONFLICT',
      `the last ${limits.tokensPerSubjectMax} tokens were each made with the one before; log in with an earlier one`,
    );
  }
  return oldest.length === 0 ? [] : [...new Set([...oldest, ...(await madeWith(trx, oldest, now))])];
}

/** The token and those it was made with, back to the first. Throws UNAUTHENTICATED when it was revoked meanwhile. */
async function ancestry(trx: Work, token: string | undefined): Promise<readonly string[]> {
  if (token === undefined) return [];
  const { rows } = await sql<{ id: string; revoked_at: number | null }>`
    with recursive line as (
      select id, parent, revoked_at from token where id = ${token}
      union all
      select token.id, token.parent, token.revoked_at from token join line on token.id = line.parent
    )
    select id, revoked_at from line
  `.execute(trx);
  if (rows.some((row) => row.revoked_at !== null)) throw new Fault('UNAUTHENTICATED', 'the bearer token was revoked');
  return rows.map((row) => row.id);
}

/** Ids of the live tokens that were made with one of these, or with one that was. */
async function madeWith(trx: Work, ids: readonly string[], now: number): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    with recursive line as (
      select id from token where parent = any(${[...ids]}::text[])
      union all
      select token.id from token join line on token.parent = line.id
    )
    select token.id from token join line using (id) where token.revoked_at is null and token.expires_at > ${now} order by token.id
  `.execute(trx);
  return rows.map((row) => row.id);
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
