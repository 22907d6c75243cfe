import { factsRead, mayRead, type Bundle } from '#policy';
import { limits, type DecisionRequest, type FactRecord, type World } from '#model';
import type { LiveSession } from '../point.ts';
import type { Activities } from './activity.ts';
import type { ForeignEngines } from './engines.ts';
import type { FactAnswer, FactProducer } from './producer.ts';

/** What was found out about one operation. */
export interface Gathered {
  /** For `facts` of its decision; what is not available is not in it. */
  readonly facts: Readonly<Record<string, unknown>>;
  readonly records: readonly FactRecord[];
}

interface Task {
  readonly producer: FactProducer;
  readonly request: DecisionRequest;
  /** Where the answer belongs. */
  readonly answers: Map<FactProducer, FactAnswer>;
}

/** Between understanding and deciding: asks the producers for what rules that may apply read. */
export class Facts {
  readonly activities: Activities;
  readonly #world: World;
  readonly #engines: ForeignEngines;

  constructor(parts: { readonly world: World; readonly activities: Activities; readonly engines: ForeignEngines }) {
    this.#world = parts.world;
    this.activities = parts.activities;
    this.#engines = parts.engines;
  }

  /**
   * The facts for each request of a batch, in order; undefined, at once, when no rule that may apply to any of them reads one. Never
   * rejects, and takes `factsMs` at most: what is not there by then is not available.
   */
  gather(bundle: Bundle, live: LiveSession, requests: readonly DecisionRequest[]): Promise<readonly Gathered[]> | undefined {
    const reads = requests.map((request) => factsRead(bundle, request));
    if (reads.every((read) => read.length === 0)) return undefined;
    const producers = [...this.activities.producers, ...this.#engines.of(bundle)];
    const tasks: Task[] = [];
    const answers = requests.map((request, i) => {
      const found = new Map<FactProducer, FactAnswer>();
      for (const producer of producers)
        if (reads[i]?.some((path) => mayRead(path, producer.path)) === true) tasks.push({ producer, request, answers: found });
      return found;
    });
    return this.#gathered(tasks, live, answers);
  }

  async #gathered(tasks: readonly Task[], live: LiveSession, answers: readonly Map<FactProducer, FactAnswer>[]): Promise<Gathered[]> {
    const over = Promise.withResolvers<'over'>();
    const timer = this.#world.after(limits.factsMs, () => over.resolve('over'));
    const queue = tasks.values();
    let isOver = false;
    const work = async (): Promise<void> => {
      for (const { producer, request, answers: found } of queue) {
        if (isOver) return;
        found.set(producer, await answered(producer, live, request));
      }
    };
    const workers = Array.from({ length: Math.min(tasks.length, limits.factsQuestionsMax) }, work);
    isOver = (await Promise.race([over.promise, Promise.all(workers)])) === 'over';
    timer.cancel();
    // An answer that comes later still must not change what is decided with now.
    return answers.map((found) => factsOf(new Map(found)));
  }
}

async function answered(producer: FactProducer, live: LiveSession, request: DecisionRequest): Promise<FactAnswer> {
  try {
    return await producer.produce({ live, request });
  } catch {
    return { value: undefined };
  }
}

function factsOf(answers: ReadonlyMap<FactProducer, FactAnswer>): Gathered {
  const facts: Record<string, unknown> = {};
  const foreign: Record<string, unknown> = {};
  const records: FactRecord[] = [];
  for (const [{ path }, { value, record }] of answers) {
    if (record !== undefined) records.push(record);
    if (value === undefined) continue;
    if (path.startsWith('foreign.')) foreign[path.slice('foreign.'.length)] = value;
    else facts[path] = value;
  }
  return { facts: Object.keys(foreign).length === 0 ? facts : { ...facts, foreign }, records };
}
