import type { Ledger } from '#ledger';
import { Fault, unreachable } from '#model';
import type { World } from '#model';
import type { Store, Work } from '../store/database.ts';
import type { AnswerRow, RequestRow } from './rows.ts';
import { lockRequest } from './rows.ts';
import { nextStatus } from './state.ts';
import type { StoredGrant } from './tables.ts';

/** How a waiting request ends. */
export interface Ending {
  readonly event: 'approve' | 'refuse' | 'expire' | 'withdraw';
  readonly by: readonly string[];
  readonly comment?: string;
  /** The answer that ended it. */
  readonly answer?: AnswerRow;
}

interface Recorded extends Ending {
  readonly at: number;
  readonly grants?: Readonly<Record<string, StoredGrant>>;
}

export interface Endings {
  /**
   * Ends a locked request: recorded in the ledger, then stored. Throws CONFLICT when its state does not allow it.
   * Returns the ending that was stored: an earlier one, when the ledger already has it. The effect is the caller's, after the commit.
   */
  end(trx: Work, row: RequestRow, ending: Ending): Promise<Ending>;
  /** After a commit: the recorded ending is stored. */
  settled(request: string): void;
  /** Ends that were recorded while the store failed are stored now. Throws the first failure, after having tried all. */
  complete(): Promise<void>;
}

/**
 * INVARIANT: once the ledger says how a request ended, this process stores exactly that ending and no other, however often the store
 * fails in between: recorded endings are kept until their commit. If the process dies first, the next start withdraws the request, and
 * the grant that was recorded was never signed or sent.
 */
export function openEndings({ store, ledger, world }: { store: Store; ledger: Pick<Ledger, 'append'>; world: World }): Endings {
  const recorded = new Map<string, Recorded>();

  async function record(row: RequestRow, ending: Ending): Promise<Recorded> {
    const who = { session: row.session, request: row.id, operation: row.operation };
    const comment = ending.comment === undefined ? {} : { comment: ending.comment };
    const at = world.now();
    if (ending.event !== 'approve') {
      await ledger.append({ kind: endKind(ending.event), ...who, by: ending.by.join(','), ...comment });
      return { ...ending, at };
    }
    const grants: Record<string, StoredGrant> = {};
    for (const requirement of row.requirements) {
      const { uses, ttlMs } = requirement.approval.grant;
      const receipt = await ledger.append({
        kind: 'approval.granted',
        ...who,
        grant: requirement.grant,
        approvers: ending.by,
        requester: row.requester.id,
        bound: [requirement.bound],
        expiresAt: at + ttlMs,
        uses,
        ...comment,
      });
      grants[requirement.grant] = { expiresAt: at + ttlMs, uses, used: 0, approval: `${receipt.origin}#${receipt.index}` };
    }
    return { ...ending, at, grants };
  }

  async function end(trx: Work, row: RequestRow, ending: Ending): Promise<Ending> {
    const earlier = recorded.get(row.id);
    const status = nextStatus(row.status, (earlier ?? ending).event);
    if (status === undefined) throw new Fault('CONFLICT', `request ${row.id} is already ${row.status}`);
    const final = earlier ?? (await record(row, ending));
    if (row.status === 'waiting') recorded.set(row.id, final);
    if (final.answer !== undefined) {
      await trx
        .insertInto('approval_answer')
        .values(final.answer)
        // Who agreed before the quorum was there may still refuse; the newest answer stands.
        .onConflict((conflict) => conflict.columns(['request', 'subject']).doUpdateSet({ ...final.answer }))
        .execute();
    }
    await trx
      .updateTable('approval_request')
      .set({
        status,
        ended_at: final.at,
        ended_by: [...final.by],
        comment: final.comment ?? null,
        ...(final.grants === undefined ? {} : { grants: JSON.stringify(final.grants) }),
      })
      .where('id', '=', row.id)
      .execute();
    return final;
  }

  return {
    end,
    settled: (request) => void recorded.delete(request),
    async complete() {
      const failures: unknown[] = [];
      for (const [id, ending] of recorded) {
        try {
          await store.transact(async (trx) => {
            const row = await lockRequest(trx, id);
            // The commit that seemed to fail may have happened.
            if (row.status === 'waiting') await end(trx, row, ending);
          });
          recorded.delete(id);
        } catch (thrown) {
          failures.push(thrown);
        }
      }
      if (failures.length > 0) throw failures[0];
    },
  };
}

function endKind(event: 'refuse' | 'expire' | 'withdraw'): 'approval.refused' | 'approval.expired' | 'approval.withdrawn' {
  switch (event) {
    case 'refuse':
      return 'approval.refused';
    case 'expire':
      return 'approval.expired';
    case 'withdraw':
      return 'approval.withdrawn';
    default:
      return unreachable(event);
  }
}
