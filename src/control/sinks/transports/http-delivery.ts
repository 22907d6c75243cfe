import { failed, taken } from '../sink.ts';
import type { Delivery } from '../sink.ts';
import type { Answer } from './http.ts';

/** Statuses with which a receiver says that it has not taken the request. */
const refusals = new Set([400, 401, 403, 404, 405, 408, 411, 413, 415, 422, 429, 503]);

/**
 * What an answer means when any 2xx is an acknowledgement of everything. A batch that the receiver finds too large or wrong is tried in
 * smaller pieces, so that one event that it cannot take stops only itself.
 */
export function deliveryOf(answer: Answer): Delivery {
  if (answer.kind === 'broken') return failed(answer.why, answer.sent ? 'unknown' : 'nothing');
  if (answer.status >= 200 && answer.status < 300) return taken;
  return failed(
    `the receiver answered with status ${answer.status}`,
    refusals.has(answer.status) || (answer.status >= 300 && answer.status < 400) ? 'nothing' : 'unknown',
    { smaller: [400, 413, 422].includes(answer.status), retryAfterMs: answer.retryAfterMs },
  );
}

/** The JSON of an acknowledgement; `undefined` when it is not JSON. */
export function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined; // The caller says what that means.
  }
}
