import { asFault, faultTable, type Fault } from '#model';
import type { HoldNotice, Refusal } from '../../point.ts';
import { errorResponse, noticeResponse } from './encode.ts';

/**
 * A refusal as PostgreSQL clients know errors: SQLSTATE, message, and in DETAIL the stable reason and the decision id for `warder explain`.
 * It names no policy internals beyond what the rule chose to say. `FATAL` ends the session.
 */
export function refusalResponse(refusal: Refusal, severity: 'ERROR' | 'FATAL' = 'ERROR'): Buffer {
  const spec = faultTable[refusal.code];
  const sqlstate = 'sqlstate' in spec ? spec.sqlstate : 'XX000';
  const decision = refusal.decisionId === undefined ? '' : `, decision ${refusal.decisionId}`;
  const remedy = spec.remedy.replace('explain DECISION', `explain ${refusal.decisionId ?? 'DECISION'}`);
  return errorResponse([
    ['S', severity],
    ['V', severity],
    ['C', sqlstate],
    ['M', `warder: ${refusal.message}`],
    ['D', `reason ${refusal.reason}${decision}`],
    ['H', refusal.hint ?? remedy],
  ]);
}

/** What a fault becomes for a client. Unexpected ones say nothing of their inside. */
export function refusalOfFault(fault: Fault): Refusal {
  const message = fault.code === 'INTERNAL' ? 'something went wrong inside Warder, so this was refused' : fault.message;
  return { code: fault.code, reason: fault.code, message };
}

/** The error for a fault; `thrown` may be anything. */
export function faultResponse(thrown: unknown, severity: 'ERROR' | 'FATAL'): Buffer {
  return refusalResponse(refusalOfFault(asFault(thrown)), severity);
}

/** An error of the protocol itself that PostgreSQL would give too, with its own SQLSTATE. */
export interface LocalError {
  readonly sqlstate: string;
  readonly message: string;
  readonly hint?: string;
}

export function localErrorResponse(error: LocalError): Buffer {
  return errorResponse([
    ['S', 'ERROR'],
    ['V', 'ERROR'],
    ['C', error.sqlstate],
    ['M', error.message],
    ['H', error.hint],
  ]);
}

/** Tells the person who waits what is going on and who can help. */
export function holdNotice(notice: HoldNotice, options: { readonly inTransaction: boolean }): Buffer {
  const reviewers = notice.reviewers.length > 0 ? ` (${notice.reviewers.join(', ')})` : '';
  return noticeResponse([
    ['S', 'NOTICE'],
    ['V', 'NOTICE'],
    ['C', '00000'],
    ['M', `warder: waiting for approval ${notice.request}; a reviewer${reviewers} can run: warder approve ${notice.request}`],
    ['D', notice.message],
    ['H', options.inTransaction ? 'Your transaction stays open meanwhile and keeps its locks; consider ROLLBACK.' : undefined],
  ]);
}
