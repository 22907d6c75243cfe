import { Worker } from 'node:worker_threads';
import { limits } from '#model';
import { guarded, noResult } from './engine.ts';
import type { ForeignAsker, GuardTerms } from './engine.ts';
import { exactly } from './remote-opa.ts';
import type { RegoTerms } from './rego-module.ts';
import type { RegoReply } from './rego-worker.ts';

export interface RegoEngineTerms extends GuardTerms, Omit<RegoTerms, 'memoryBytesMax'> {
  readonly memoryBytesMax?: number;
}

/**
 * A compiled Rego policy in a thread of its own, started when it is first asked. A policy that runs past its deadline is ended with its
 * thread, and so is one that broke; the next question starts another.
 */
export function regoEngine(terms: RegoEngineTerms): ForeignAsker {
  const thread = new RegoThread({
    wasm: terms.wasm,
    data: terms.data,
    entrypoint: terms.entrypoint,
    memoryBytesMax: terms.memoryBytesMax ?? limits.foreignMemoryBytesMax,
  });
  const ask = guarded((input, nowMs, signal) => thread.ask(input, nowMs, signal), terms);
  return { ask, ready: () => thread.ready(), close: () => thread.end() };
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

class RegoThread {
  readonly #terms: RegoTerms;
  #worker: Worker | undefined;
  #waiting = new Map<number, Waiting>();
  #asked = 0;
  #started: Promise<void> = Promise.resolve();
  #sayStarted = (): void => undefined;

  constructor(terms: RegoTerms) {
    this.#terms = terms;
  }

  ask(input: unknown, nowMs: number, signal: AbortSignal): Promise<unknown> {
    const worker = (this.#worker ??= this.#start());
    const id = (this.#asked += 1);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      // Whatever cannot be copied to another thread is no JSON either.
      worker.postMessage({ id, input: JSON.parse(JSON.stringify(input ?? null, exactly)) as unknown, nowMs });
      signal.addEventListener('abort', () => this.#waiting.has(id) && void this.end(), { once: true });
    });
  }

  async ready(): Promise<void> {
    this.#worker ??= this.#start();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, limits.foreignStartMs);
    });
    await Promise.race([this.#started, late]);
    clearTimeout(timer);
  }

  /** Ends the thread in the middle of whatever it does; everybody who waits for it gets an error. */
  async end(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    this.#lose(worker, new Error('the policy was ended'));
    await worker.terminate();
  }

  #start(): Worker {
    this.#started = new Promise((resolve) => {
      this.#sayStarted = resolve;
    });
    const worker = new Worker(new URL('./rego-worker.ts', import.meta.url), {
      workerData: this.#terms,
      // The policy sees nothing of the process around it.
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: limits.foreignThreadHeapMb },
    });
    worker.unref();
    worker.on('message', (reply: RegoReply) => this.#settle(reply));
    worker.on('error', (error) => this.#lose(worker, error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', () => this.#lose(worker, new Error('the thread of the policy ended')));
    return worker;
  }

  #settle(reply: RegoReply): void {
    if ('ready' in reply) return this.#sayStarted();
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (!reply.ok) waiting?.reject(new Error(reply.why));
    else waiting?.resolve(reply.results.length === 0 ? noResult : reply.results[0]);
  }

  #lose(worker: Worker, error: Error): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    this.#sayStarted();
    const waiting = this.#waiting;
    this.#waiting = new Map();
    for (const { reject } of waiting.values()) reject(error);
  }
}
