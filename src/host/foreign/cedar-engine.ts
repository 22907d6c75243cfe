import type { Engine } from '#model';
import { guarded, questionText } from './engine.ts';
import type { GuardTerms } from './engine.ts';
import { EngineThread } from './thread.ts';

export interface CedarEngineTerms extends GuardTerms {
  /** The text of each policy by its id. */
  readonly policies: Readonly<Record<string, string>>;
}

/**
 * Cedar in a thread of its own. It is asked with a list of requests in Cedar's form (principal, action, resource, context, entities), and
 * its result is the list of their responses.
 */
export function cedarEngine(terms: CedarEngineTerms): Engine {
  const thread = new EngineThread(new URL('./cedar-worker.ts', import.meta.url), terms.policies);
  const ask = guarded(async (input, nowMs, signal) => {
    const { result } = await thread.ask(questionText(input), nowMs, signal);
    return result;
  }, terms);
  return { ask, ready: () => thread.ready(), close: () => thread.close() };
}
