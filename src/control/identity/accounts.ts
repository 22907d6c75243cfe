import type { Ledger } from '#ledger';
import { Fault } from '#model';
import type { Role, World } from '#model';
import type { Store, Work } from '../store/database.ts';
import { operator, putSubject } from './subjects.ts';
import { liveTokens, markRevoked } from './tokens.ts';

export interface AccountInfo {
  readonly id: string;
  readonly name: string;
  readonly groups: readonly string[];
  readonly roles: readonly Role[];
  readonly createdAt: number;
  readonly liveTokens: number;
}

export interface AccountChange {
  readonly change: 'created' | 'changed' | 'unchanged';
  /** Tokens that were revoked because the account may do less now. */
  readonly revoked: number;
}

/** People who may log in. Every change is recorded before it is stored. */
export interface Accounts {
  /** By name; those that were removed are not among them. */
  list(query: { readonly after?: string; readonly limit: number }): Promise<readonly AccountInfo[]>;
  /**
   * Makes an account or changes its groups and roles. Whoever loses one loses the live tokens too, and with them the open sessions.
   * INVALID_INPUT for the operator.
   */
  put(
    account: { readonly name: string; readonly groups: readonly string[]; readonly roles: readonly Role[] },
    by: string,
  ): Promise<AccountChange>;
  /** Removes an account and revokes its tokens. Its records stay. NOT_FOUND, or INVALID_INPUT for the operator. */
  remove(name: string, by: string): Promise<{ readonly revoked: number }>;
}

interface Parts {
  readonly store: Store;
  readonly ledger: Pick<Ledger, 'append'>;
  readonly world: World;
  /** Told after the revocation is stored. */
  readonly onRevoked: (tokens: readonly string[]) => void;
  /** Told which tokens belong to an account that may do more now. */
  readonly onChanged: (tokens: readonly string[]) => void;
}

export function openAccounts({ store, ledger, world, onRevoked, onChanged }: Parts): Accounts {
  const record = (by: string, action: string, object: string): Promise<unknown> =>
    ledger.append({ kind: 'admin.configuration', by, action, object });

  async function revokeAll(trx: Work, id: string, by: string): Promise<readonly string[]> {
    const tokens = await liveTokens(trx, id, world.now());
    for (const token of tokens) await ledger.append({ kind: 'admin.token', by, action: `revoke of ${id}`, object: token });
    if (tokens.length > 0) await markRevoked(trx, tokens, { by, at: world.now() });
    return tokens;
  }

  return {
    async list({ after, limit }) {
      let query = store.db.selectFrom('subject').selectAll().where('removed_at', 'is', null).orderBy('name').limit(limit);
      if (after !== undefined) query = query.where('name', '>', after);
      const rows = await query.execute();
      const counts = await store.db
        .selectFrom('token')
        .select(['subject', ({ fn }) => fn.countAll<string | number>().as('count')])
        .where('revoked_at', 'is', null)
        .where('expires_at', '>', world.now())
        .groupBy('subject')
        .execute();
      const live = new Map(counts.map((row) => [row.subject, Number(row.count)]));
      return rows.map(({ id, name, groups, roles, created_at }) => ({
        id,
        name,
        groups,
        roles,
        createdAt: created_at,
        liveTokens: live.get(id) ?? 0,
      }));
    },

    async put({ name, groups, roles }, by) {
      refuseOperator(name);
      const id = `user:${name}`;
      const what = `groups ${groups.join(',') || '-'} roles ${roles.join(',') || '-'}`;
      const done = await store.transact(async (trx) => {
        const known = await trx.selectFrom('subject').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
        const before = known?.removed_at === null ? known : undefined;
        if (before !== undefined && same(before.groups, groups) && same(before.roles, roles)) return { change: 'unchanged' as const };
        const change = before === undefined ? ('created' as const) : ('changed' as const);
        await record(by, `account ${change}: ${what}`, id);
        await putSubject(trx, { id, name, type: 'user', groups, roles }, world);
        if (before === undefined) return { change };
        const lost = before.groups.some((one) => !groups.includes(one)) || before.roles.some((one) => !roles.includes(one));
        return lost ? { change, revoked: await revokeAll(trx, id, by) } : { change, held: await liveTokens(trx, id, world.now()) };
      });
      if ('revoked' in done && done.revoked.length > 0) onRevoked(done.revoked);
      if ('held' in done) onChanged(done.held);
      return { change: done.change, revoked: 'revoked' in done ? done.revoked.length : 0 };
    },

    async remove(name, by) {
      refuseOperator(name);
      const id = `user:${name}`;
      const revoked = await store.transact(async (trx) => {
        const row = await trx.selectFrom('subject').select(['id', 'removed_at']).where('id', '=', id).forUpdate().executeTakeFirst();
        if (row === undefined || row.removed_at !== null) throw new Fault('NOT_FOUND', `there is no account ${name}`);
        await record(by, 'account removed', id);
        const tokens = await revokeAll(trx, id, by);
        await trx.updateTable('subject').set({ removed_at: world.now() }).where('id', '=', id).execute();
        return tokens;
      });
      if (revoked.length > 0) onRevoked(revoked);
      return { revoked: revoked.length };
    },
  };
}

function refuseOperator(name: string): void {
  if (name === operator.name) throw new Fault('INVALID_INPUT', 'the operator belongs to the home and cannot be changed or removed');
}

function same(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((item) => other.includes(item));
}
