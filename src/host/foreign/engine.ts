import { limits } from '#model';
import type { BreakerTerms, Engine, EngineAnswer, Unavailable, World } from '#model';
import { realWorld } from '../world.ts';
import { Breaker } from './breaker.ts';
import { Places } from './places.ts';

/** One way to ask, which may fail or take for ever; `signal` says that nobody waits any more. */
export type Attempt = (input: unknown, nowMs: number, signal: AbortSignal) => Promise<unknown>;

export interface GuardTerms {
  readonly deadlineMs: number;
  readonly breaker: BreakerTerms;
}

/** The value that an attempt resolves with where the policies leave the result undefined. */
export const noResult = Symbol('no result');

/**
 * Puts a deadline, a breaker and a bulkhead around an attempt, and bounds to what it may answer: a question that takes too long, an engine
 * that keeps failing, a crowd of questions at the same time and an answer that is too big are all answers without a result, and the policy
 * that reads the fact says what that means. The deadline counts from when the question is asked, the time in the queue included.
 */
export function guarded(attempt: Attempt, terms: GuardTerms, world: Pick<World, 'monotonicNs' | 'after'> = realWorld): Engine['ask'] {
  const breaker = new Breaker(terms.breaker, () => Number(world.monotonicNs() / 1_000_000n));
  const places = new Places(limits.foreignQuestionsMax, limits.foreignWaitingMax);
  return async (input, nowMs) => {
    if (places.full) return unavailable('busy', `${limits.foreignWaitingMax} questions wait for it already`);
    const controller = new AbortController();
    // Not at once: where this process itself was held up, an answer may have come in time and not been looked at yet.
    const timer = world.after(terms.deadlineMs, () => void setImmediate(() => controller.abort()));
    // Before the attempt, which hears of the end as well: what counts is that the time was over.
    const expired = expiry(controller.signal, terms.deadlineMs);
    try {
      await places.take(expired);
    } catch (error) {
      // Nothing was asked, so this says nothing about the engine: those who are under way tell whether it still answers.
      return unavailable('late', reasonOf(error));
    }
    try {
      if (!breaker.admits()) return unavailable('resting', 'it failed too often and is left alone for a while');
      const answer = await answerOf(Promise.race([expired, attempt(input, nowMs, controller.signal)]));
      if (answer.ok) breaker.succeeded();
      else breaker.failed();
      return answer;
    } finally {
      timer.cancel();
      places.leave();
    }
  };
}

async function answerOf(asked: Promise<unknown>): Promise<EngineAnswer> {
  try {
    const result = await asked;
    if (result === noResult) return { ok: true };
    checkBounds(result);
    return { ok: true, result };
  } catch (error) {
    return unavailable(error instanceof Late ? 'late' : 'failed', reasonOf(error));
  }
}

function unavailable(because: Unavailable, why: string): EngineAnswer {
  return { ok: false, because, why };
}

class Late extends Error {}

/** `fetch failed` says nothing; its cause does. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== '' ? `${error.message}: ${error.cause.message}` : error.message;
}

function expiry(signal: AbortSignal, deadlineMs: number): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Late(`no answer within ${deadlineMs} ms`)), { once: true });
  });
}

/** What rules and records walk through must be neither deep nor endless. Throws an Error that says which it is. */
function checkBounds(answer: unknown): void {
  let values = 0;
  let level: unknown[] = [answer];
  for (let depth = 0; level.length > 0; depth += 1) {
    values += level.length;
    if (depth >= limits.foreignAnswerDepthMax) throw new Error(`its answer is nested deeper than ${limits.foreignAnswerDepthMax} levels`);
    if (values > limits.foreignAnswerValuesMax) throw new Error(`its answer has more than ${limits.foreignAnswerValuesMax} values`);
    level = level.flatMap((value) => (typeof value === 'object' && value !== null ? Object.values(value) : []));
  }
}

/** A question as JSON: whole numbers beyond JavaScript's are text. Throws an Error when it is longer than an engine is asked. */
export function questionText(input: unknown): string {
  const text = JSON.stringify(input ?? null, exactly);
  if (text.length > limits.foreignQuestionCharsMax)
    throw new Error(`the question is longer than ${limits.foreignQuestionCharsMax} characters`);
  return text;
}

function exactly(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? (Number.isSafeInteger(Number(value)) ? Number(value) : value.toString()) : value;
}
