import { limits } from '#model';
import { Breaker } from './breaker.ts';
import type { BreakerTerms } from './breaker.ts';

/** What an engine said, or why it said nothing. `result` is absent where its policies leave it undefined. */
export type ForeignAnswer = { readonly ok: true; readonly result?: unknown } | { readonly ok: false; readonly why: string };

/** Something that is asked about a request before the decision. Its answers become the fact `facts.foreign.<name>`. */
export interface ForeignAsker {
  /** Never rejects: whatever goes wrong is an answer that says so. `nowMs` is the time of the request. */
  ask(input: unknown, nowMs: number): Promise<ForeignAnswer>;
  /** Gets ready before the first question, so that its deadline is the question's alone. Resolves also when that came to nothing. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/** One way to ask, which may fail or take for ever; `signal` says that nobody waits any more. */
export type Attempt = (input: unknown, nowMs: number, signal: AbortSignal) => Promise<unknown>;

export interface GuardTerms {
  readonly deadlineMs: number;
  readonly breaker: BreakerTerms;
}

/** The value that an attempt resolves with where the policies leave the result undefined. */
export const noResult = Symbol('no result');

/**
 * Puts a deadline, a breaker and a bulkhead around an attempt: a question that takes too long, an engine that keeps failing and a crowd of
 * questions at the same time are all answers without a result, and the policy that reads the fact says what that means.
 */
export function guarded(attempt: Attempt, terms: GuardTerms, monotonicMs: () => number = () => performance.now()): ForeignAsker['ask'] {
  const breaker = new Breaker(terms.breaker, monotonicMs);
  let asking = 0;
  return async (input, nowMs) => {
    if (asking >= limits.foreignQuestionsMax) return { ok: false, why: `${asking} questions wait for it already` };
    if (!breaker.admits()) return { ok: false, why: 'it failed too often and is left alone for a while' };
    asking += 1;
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), terms.deadlineMs);
    // Before the attempt, which hears of the end as well: what counts is that the time was over.
    const expired = expiry(controller.signal, terms.deadlineMs);
    try {
      const result = await Promise.race([expired, attempt(input, nowMs, controller.signal)]);
      breaker.succeeded();
      return result === noResult ? { ok: true } : { ok: true, result };
    } catch (error) {
      breaker.failed();
      return { ok: false, why: reasonOf(error) };
    } finally {
      clearTimeout(timer);
      asking -= 1;
    }
  };
}

/** `fetch failed` says nothing; its cause does. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== '' ? `${error.message}: ${error.cause.message}` : error.message;
}

function expiry(signal: AbortSignal, deadlineMs: number): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error(`no answer within ${deadlineMs} ms`)), { once: true });
  });
}
