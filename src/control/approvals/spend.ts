import type { Ledger } from '#ledger';
import { Fault } from '#model';
import type { Store, Work } from '../store/database.ts';
import type { RequestRow } from './rows.ts';
import { lockRequest } from './rows.ts';
import { nextStatus } from './state.ts';
import type { StoredGrant } from './tables.ts';

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
      if (nextStatus(row.status, 'use') === undefined || known.used >= known.uses) {
        throw new Fault('CONFLICT', `grant ${grant} of request ${request} has no use left`);
      }
      const uses = known.used + 1;
      if ((recorded.get(grant) ?? 0) < uses) {
        await ledger.append({
          kind: 'approval.used',
          session: row.session,
          request,
          operation: row.operation,
          by: row.requester.id,
          grant,
        });
        recorded.set(grant, uses);
      }
      await storeUses(trx, row, { ...row.grants, [grant]: { ...known, used: uses } });
    });
    recorded.delete(grant);
  };
}

/**
 * Brings the account of uses to what the ledgers say, at the start: the process before may have died between the record of a use and its
 * commit, and the same use would be recorded once more. The index of the ledgers must be complete. Returns how many requests were behind.
 */
export async function restoreUses(store: Store): Promise<number> {
  const rows = await store.db
    .selectFrom('approval_request as request')
    .innerJoin('record', (join) =>
      join
        .onRef('record.session', '=', 'request.session')
        .onRef('record.operation', '=', 'request.operation')
        .on('record.kind', '=', 'approval.used'),
    )
    .where('request.status', '=', 'approved')
    .select(['request.id', 'record.line'])
    .execute();
  const used = new Map<string, Map<string, number>>();
  for (const { id, line } of rows) {
    // Safe: our own record of this kind; older ones do not name the grant.
    const { grant = '' } = JSON.parse(line) as { grant?: string };
    const counts = used.get(id) ?? new Map<string, number>();
    used.set(id, counts.set(grant, (counts.get(grant) ?? 0) + 1));
  }
  let behind = 0;
  for (const [id, counts] of used) {
    await store.transact(async (trx) => {
      const row = await lockRequest(trx, id);
      const grants = { ...row.grants };
      const [first = ''] = Object.keys(grants);
      for (const [name, count] of counts) {
        const grant = name === '' ? first : name;
        const known = grants[grant];
        if (known !== undefined && known.used < count) grants[grant] = { ...known, used: count };
      }
      if (row.status !== 'approved' || JSON.stringify(grants) === JSON.stringify(row.grants)) return;
      behind += 1;
      await storeUses(trx, row, grants);
    });
  }
  return behind;
}

async function storeUses(trx: Work, row: RequestRow, grants: Readonly<Record<string, StoredGrant>>): Promise<void> {
  const spent = Object.values(grants).every((one) => one.used >= one.uses);
  const status = spent ? nextStatus(row.status, 'use') : undefined;
  await trx
    .updateTable('approval_request')
    .set({ grants: JSON.stringify(grants), ...(status === undefined ? {} : { status }) })
    .where('id', '=', row.id)
    .execute();
}
