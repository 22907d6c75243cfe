import { cedarFactOf, cedarQuestions, foreignInput, type Bundle } from '#policy';
import type { DecisionRequest, Engine, EngineAnswer, EngineTerms, FactRecord, World } from '#model';
import { createHash } from 'node:crypto';
import type { Log } from '../log.ts';
import type { FactAnswer, FactProducer } from './producer.ts';

/** Makes an engine of what a bundle says of it, with what only this machine knows. Never throws. */
export type OpenEngine = (terms: EngineTerms) => Engine;

interface Parts {
  readonly world: World;
  readonly log: Log;
  readonly openEngine: OpenEngine;
}

interface Opened {
  readonly engine: Engine;
  readonly producer: FactProducer;
}

/**
 * The engines of the bundle in force. An engine that two bundles have in common goes on, with what is known of its failures, when one takes
 * the place of the other.
 */
export class ForeignEngines {
  readonly #parts: Parts;
  readonly #opened = new Map<string, Opened>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** The producers of a bundle's engines; those that do not run yet are started. */
  of(bundle: Bundle): readonly FactProducer[] {
    return [...bundle.engines.values()].map((terms) => this.#open(terms).producer);
  }

  /** Resolves when the engines of a bundle can be asked, or cannot be made ready. */
  async ready(bundle: Bundle): Promise<void> {
    await Promise.all([...bundle.engines.values()].map((terms) => this.#open(terms).engine.ready()));
  }

  /** Ends all engines but those of the bundle; whoever still waits for one of them gets no answer. */
  keepOnly(bundle: Bundle | undefined): void {
    const kept = new Set([...(bundle?.engines.values() ?? [])].map(({ digest }) => digest));
    for (const [digest, { engine }] of this.#opened) {
      if (kept.has(digest)) continue;
      this.#opened.delete(digest);
      void engine.close();
    }
  }

  #open(terms: EngineTerms): Opened {
    const known = this.#opened.get(terms.digest);
    if (known !== undefined) return known;
    const engine = this.#parts.openEngine(terms);
    const opened = { engine, producer: engineProducer(terms, engine, this.#parts) };
    this.#opened.set(terms.digest, opened);
    return opened;
  }
}

/** What an engine says is the fact `foreign.<fact>`, with the member `result` where it is defined. */
function engineProducer(terms: EngineTerms, engine: Engine, { world, log }: Parts): FactProducer {
  const path = `foreign.${terms.fact}`;
  let silent = false;
  /** Once when it falls silent and once when it speaks again: an engine that is down must not fill the log. */
  const tell = (answer: EngineAnswer): void => {
    if (answer.ok === !silent) return;
    silent = !answer.ok;
    if (answer.ok) log.info({ fact: path, engine: terms.engine }, 'an engine that gave no answers gives answers again');
    else
      log.warn(
        { fact: path, engine: terms.engine, because: answer.because, reason: answer.why.slice(0, reasonCharactersMax) },
        'an engine gives no answers; rules that need them do what they say for that',
      );
  };
  return {
    path,
    produce: async ({ request }) => {
      const startedNs = world.monotonicNs();
      const answer = await asked(terms, engine, request);
      tell(answer);
      const latencyUs = Number((world.monotonicNs() - startedNs) / 1_000n);
      return factOf(answer, { fact: path, engine: terms.engine, digest: terms.digest, latencyUs });
    },
  };
}

const reasonCharactersMax = 300;

async function asked(terms: EngineTerms, engine: Engine, request: DecisionRequest): Promise<EngineAnswer> {
  try {
    const input = terms.engine === 'cedar' ? cedarQuestions(request) : foreignInput(terms, request);
    if (input === undefined) return { ok: false, because: 'failed', why: 'its input cannot be made of this request' };
    const answer = await engine.ask(input, request.now);
    if (terms.engine !== 'cedar' || !answer.ok) return answer;
    // Reason: the engine for Cedar answers with the responses to the questions, one for each.
    return { ok: true, result: cedarFactOf(answer.result as Parameters<typeof cedarFactOf>[0]) };
  } catch (thrown) {
    return { ok: false, because: 'failed', why: thrown instanceof Error ? thrown.message : String(thrown) };
  }
}

function factOf(answer: EngineAnswer, told: Pick<FactRecord, 'fact' | 'engine' | 'digest' | 'latencyUs'>): FactAnswer {
  if (!answer.ok) return { value: undefined, record: { ...told, status: 'unavailable', because: answer.because } };
  if (!('result' in answer) || answer.result === undefined) return { value: {}, record: { ...told, status: 'undefined' } };
  const { result } = answer;
  const digest = `sha256:${createHash('sha256').update(JSON.stringify(result)).digest('hex')}`;
  return { value: { result }, record: { ...told, status: 'answered', answer: digest } };
}
