import { unreachable } from '#model';

export type RequestStatus = 'waiting' | 'approved' | 'used' | 'refused' | 'expired' | 'withdrawn';

export type RequestEvent = 'approve' | 'refuse' | 'expire' | 'withdraw' | 'use';

/**
 * The state after an event, or `undefined` when the event is not possible there.
 *
 *     waiting ─ approve ─▶ approved ─ use ─▶ used
 *        ├─ refuse ─▶ refused        └─ withdraw ─▶ withdrawn
 *        ├─ expire ─▶ expired
 *        └─ withdraw ─▶ withdrawn
 *
 * INVARIANT: `approved` is entered at most once, `used` only from `approved`, and nothing leaves an end state.
 */
export function nextStatus(status: RequestStatus, event: RequestEvent): RequestStatus | undefined {
  switch (event) {
    case 'approve':
      return status === 'waiting' ? 'approved' : undefined;
    case 'refuse':
      return status === 'waiting' ? 'refused' : undefined;
    case 'expire':
      return status === 'waiting' ? 'expired' : undefined;
    case 'withdraw':
      return status === 'waiting' || status === 'approved' ? 'withdrawn' : undefined;
    case 'use':
      return status === 'approved' ? 'used' : undefined;
    default:
      return unreachable(event);
  }
}
