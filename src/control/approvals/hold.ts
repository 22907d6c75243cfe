import type { Ledger } from '#ledger';
import { Fault, limits, newIdentifier } from '#model';
import type { HoldRequest, World } from '#model';
import type { Store } from '../store/database.ts';
import type { Sealing } from '../store/sealing.ts';
import type { StoredRequirement } from './tables.ts';

/** A hold that may wait for reviewers, with everything that is decided at its start. */
export interface AdmittedHold {
  readonly id: string;
  readonly hold: HoldRequest;
  readonly requirements: readonly StoredRequirement[];
  readonly timeoutMs: number;
  readonly openedAt: number;
  readonly expiresAt: number;
}

/** Context of the sealed text of a request. */
export const textContext = (id: string): string => `approval_request/${id}`;

/**
 * Checks a hold and gives it its ids. The ids of its grants are fixed here, one for each requirement, so that no later event can make a
 * second one. Throws APPROVAL_TOO_LONG when nobody could read the text, INVALID_INPUT when nothing is asked.
 */
export function admitHold(hold: HoldRequest, world: World): AdmittedHold {
  if (hold.requirements.length === 0) throw new Fault('INVALID_INPUT', 'a hold without a requirement has nothing to wait for');
  const bytes = Buffer.byteLength(JSON.stringify([hold.text, hold.parameters]));
  if (bytes > limits.approvalTextBytesMax) {
    throw new Fault('APPROVAL_TOO_LONG', `the text has ${bytes} bytes; at most ${limits.approvalTextBytesMax} can be shown to a reviewer`);
  }
  const asked = hold.requirements.map((requirement) => requirement.approval.timeoutMs);
  const timeoutMs = Math.max(1, Math.min(hold.timeoutMs, limits.holdMsMax, ...asked));
  const openedAt = world.now();
  return {
    id: newIdentifier('req', world),
    hold,
    requirements: hold.requirements.map((requirement) => ({ ...requirement, grant: newIdentifier('gnt', world) })),
    timeoutMs,
    openedAt,
    expiresAt: openedAt + timeoutMs,
  };
}

/** Records and stores an admitted hold. Throws RATE_LIMITED when too many wait, CONFLICT when this decision already asked. */
export async function insertHold(
  { store, ledger, sealing }: { store: Store; ledger: Pick<Ledger, 'append'>; sealing: Sealing },
  node: string,
  { id, hold, requirements, openedAt, expiresAt }: AdmittedHold,
): Promise<void> {
  const { subject, resource } = hold;
  const onBehalfOf = subject.onBehalfOf === undefined ? {} : { onBehalfOf: subject.onBehalfOf.id };
  await store.transact(async (trx) => {
    const { count } = await trx
      .selectFrom('approval_request')
      .select((is) => is.fn.countAll<number>().as('count'))
      .where('status', '=', 'waiting')
      .executeTakeFirstOrThrow();
    if (count >= limits.requestsWaitingMax) throw new Fault('RATE_LIMITED', `${count} requests wait for reviewers already`);
    const inserted = await trx
      .insertInto('approval_request')
      .values({
        id,
        status: 'waiting',
        gateway: node,
        session: hold.session,
        operation: hold.operation,
        decision: hold.decision,
        requester: JSON.stringify({ id: subject.id, name: subject.name, groups: subject.groups, ...onBehalfOf }),
        requester_id: subject.id,
        resource: JSON.stringify(resource),
        source: hold.source,
        client: hold.client,
        verb: hold.verb,
        objects: JSON.stringify(hold.objects),
        text: sealing.seal({ text: hold.text, parameters: hold.parameters }, textContext(id)),
        requirements: JSON.stringify(requirements),
        bundle: hold.bundle,
        opened_at: openedAt,
        expires_at: expiresAt,
      })
      .onConflict((conflict) => conflict.columns(['operation', 'decision']).doNothing())
      .returning('id')
      .executeTakeFirst();
    if (inserted === undefined) throw new Fault('CONFLICT', `operation ${hold.operation} asked for approval before`);
    // Last in the transaction: what is recorded here is stored unless the commit itself fails.
    await ledger.append({
      kind: 'approval.requested',
      session: hold.session,
      request: id,
      operation: hold.operation,
      who: { subject: subject.id, ...onBehalfOf },
      what: {
        resource: resource.id,
        rules: requirements.map((requirement) => requirement.rule),
        bound: requirements.map((requirement) => requirement.bound),
      },
      evidence: { text: hold.text, parameters: hold.parameters },
      expiresAt,
    });
  });
}
