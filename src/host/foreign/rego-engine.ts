import { limits } from '#model';
import type { Engine } from '#model';
import { guarded, noResult, questionText } from './engine.ts';
import type { GuardTerms } from './engine.ts';
import { EngineThread } from './thread.ts';
import type { RegoTerms } from './rego-module.ts';

export interface RegoEngineTerms extends GuardTerms, Omit<RegoTerms, 'memoryBytesMax'> {
  readonly memoryBytesMax?: number;
}

/**
 * A compiled Rego policy in a thread of its own, started when it is first asked. A policy that runs past its deadline is ended with its
 * thread, and so is one that broke; the next question is asked in another.
 */
export function regoEngine(terms: RegoEngineTerms): Engine {
  const { wasm, data, entrypoint, memoryBytesMax = limits.foreignMemoryBytesMax } = terms;
  const thread = new EngineThread(new URL('./rego-worker.ts', import.meta.url), {
    ...{ wasm, data, entrypoint, memoryBytesMax },
  } satisfies RegoTerms);
  const ask = guarded(async (input, nowMs, signal) => {
    const answer = await thread.ask(questionText(input), nowMs, signal);
    return 'result' in answer ? answer.result : noResult;
  }, terms);
  return { ask, ready: () => thread.ready(), close: () => thread.close() };
}
