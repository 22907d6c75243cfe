import type { Ledger } from '#ledger';
import { Fault } from '#model';
import type { Store } from '../store/database.ts';
import { lockRequest } from './rows.ts';
import { nextStatus } from './state.ts';

/**
 * Notes that a gateway spent a grant on its operation. CONFLICT when the request is not approved or the grant has no use left.
 *
 * The gateway enforces the number of uses itself, before the release; this is the account of it that reviewers see.
 */
export async function spendGrant(
  { store, ledger }: { store: Store; ledger: Pick<Ledger, 'append'> },
  { node, request, grant }: { node: string; request: string; grant: string },
): Promise<void> {
  await store.transact(async (trx) => {
    const row = await lockRequest(trx, request);
    const known = row.grants?.[grant];
    if (row.gateway !== node || known === undefined) throw new Fault('NOT_FOUND', `request ${request} of gateway ${node} has no grant ${grant}`);
    const used = nextStatus(row.status, 'use');
    if (used === undefined || known.used >= known.uses) {
      throw new Fault('CONFLICT', `grant ${grant} of request ${request} has no use left`);
    }
    await ledger.append({ kind: 'approval.used', session: row.session, request, operation: row.operation, by: row.requester.id });
    const grants = { ...row.grants, [grant]: { ...known, used: known.used + 1 } };
    const spent = Object.values(grants).every((one) => one.used >= one.uses);
    await trx
      .updateTable('approval_request')
      .set({ grants: JSON.stringify(grants), ...(spent ? { status: used } : {}) })
      .where('id', '=', request)
      .execute();
  });
}
