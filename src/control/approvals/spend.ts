import type { Ledger } from '#ledger';
import { Fault } from '#model';
import type { Store } from '../store/database.ts';
import { lockRequest } from './rows.ts';
import { nextStatus } from './state.ts';

interface Spending {
  readonly node: string;
  readonly request: string;
  readonly grant: string;
}

/**
 * The function that notes that a gateway spent a grant on its operation. It throws CONFLICT when the request is not approved or the grant
 * has no use left.
 *
 * The gateway enforces the number of uses itself, before the release; this is the account of it that reviewers see.
 */
export function grantSpender({ store, ledger }: { store: Store; ledger: Pick<Ledger, 'append'> }): (spending: Spending) => Promise<void> {
  /** Uses that the ledger has and the store perhaps not yet: the same use is never recorded twice. */
  const recorded = new Map<string, number>();

  return async ({ node, request, grant }) => {
    await store.transact(async (trx) => {
      const row = await lockRequest(trx, request);
      const known = row.grants?.[grant];
      if (row.gateway !== node || known === undefined) {
        throw new Fault('NOT_FOUND', `request ${request} of gateway ${node} has no grant ${grant}`);
      }
      const used = nextStatus(row.status, 'use');
      if (used === undefined || known.used >= known.uses) {
        throw new Fault('CONFLICT', `grant ${grant} of request ${request} has no use left`);
      }
      const uses = known.used + 1;
      if ((recorded.get(grant) ?? 0) < uses) {
        await ledger.append({ kind: 'approval.used', session: row.session, request, operation: row.operation, by: row.requester.id });
        recorded.set(grant, uses);
      }
      const grants = { ...row.grants, [grant]: { ...known, used: uses } };
      const spent = Object.values(grants).every((one) => one.used >= one.uses);
      await trx
        .updateTable('approval_request')
        .set({ grants: JSON.stringify(grants), ...(spent ? { status: used } : {}) })
        .where('id', '=', request)
        .execute();
    });
    recorded.delete(grant);
  };
}
