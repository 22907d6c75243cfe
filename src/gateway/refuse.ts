import assert from 'node:assert/strict';
import type { Ledger } from '#ledger';
import type { Decision, Fault } from '#model';
import { recordOf } from './decided-record.ts';
import type { Judged } from './judge.ts';
import type { Payment } from './limits.ts';
import type { Admission, LiveSession, Refusal } from './point.ts';

/** Operations of which none may run, and the one because of which. */
interface RefusedBatch {
  readonly live: LiveSession;
  readonly judged: readonly Judged[];
  readonly culprit: Judged;
  readonly refusal: Refusal;
}

/** The batch with the operation that exceeds a limit refused for it. */
export function exceeded(live: LiveSession, judged: readonly Judged[], { charge, waitMs }: Payment & { readonly ok: false }): RefusedBatch {
  const refused = judged.map((one): Judged => {
    if (one.decision.limits?.includes(charge) !== true) return one;
    const { limits: _unpaid, ...decision } = one.decision;
    const { reason, message, rule } = charge;
    return { ...one, decision: { ...decision, verdict: 'deny', reason, message, obligations: [], decisive: [rule] } };
  });
  const culprit = refused.find(({ decision }) => decision.verdict === 'deny');
  assert(culprit, 'a charge belongs to an operation of its batch');
  const hint = Number.isFinite(waitMs)
    ? `Try again in ${Math.max(1, Math.ceil(waitMs / 1000))} s.`
    : 'It is larger than the limit ever allows.';
  return { live, judged: refused, culprit, refusal: { ...denialOf(culprit), code: 'RATE_LIMITED', hint } };
}

/** Records the refusal of the whole batch before it is shown: nothing of it runs, so every operation has its own record. */
export async function refuse(ledger: Pick<Ledger, 'append'>, batch: RefusedBatch): Promise<Admission> {
  const { live, judged, culprit, refusal } = batch;
  await Promise.all(
    judged.map((one) => {
      if (one === culprit && one.decision.verdict === 'deny') return ledger.append(recordOf(live, one));
      const reason = one === culprit ? refusal.reason : 'BATCH_REFUSED';
      const message = one === culprit ? refusal.message : `Not run, because another operation of the same batch was refused.`;
      const decision: Decision = { ...one.decision, verdict: 'deny', reason, message, requirements: [], grantsUsed: [] };
      return ledger.append(recordOf(live, { ...one, decision }));
    }),
  );
  return { kind: 'refused', refusal };
}

/** What the client is told of a denial: the rule's public message, never the policy. */
export function denialOf({ decision, decisionId }: Pick<Judged, 'decision' | 'decisionId'>): Refusal {
  const code = decision.reason === 'CANNOT_ENFORCE' || decision.reason === 'POLICY_FAULT' ? decision.reason : 'DENIED';
  return { code, reason: decision.reason, message: decision.message, decisionId };
}

/** The refusal that a fault becomes; its remedy is the hint. */
export function refusalOf(fault: Fault): Refusal {
  const message = fault.code === 'INTERNAL' ? 'Warder failed while handling this operation, so it was refused.' : fault.message;
  return { code: fault.code, reason: fault.code, message, hint: fault.remedy };
}
