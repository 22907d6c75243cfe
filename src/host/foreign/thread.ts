import { Worker } from 'node:worker_threads';
import { limits } from '#model';

/** What a thread is asked, one question after the other. */
export interface ThreadQuestion {
  readonly id: number;
  /** JSON. */
  readonly input: string;
  readonly nowMs: number;
}

/** What it says: that it is ready, or an answer. `result` is absent where there is none. */
export type ThreadReply =
  | { readonly id: 0 }
  | { readonly id: number; readonly ok: true; readonly result?: unknown }
  | { readonly id: number; readonly ok: false; readonly why: string };

interface Waiting extends ThreadQuestion {
  readonly resolve: (reply: { readonly result?: unknown }) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Policies in a thread of their own, which can be ended in the middle of whatever it does. It has one question at a time: whoever is too
 * slow ends the thread with its own question alone, and those who wait behind it are asked in the next one.
 */
export class EngineThread {
  readonly #script: URL;
  readonly #terms: unknown;
  #worker: Worker | undefined;
  #isReady = false;
  #start = Promise.withResolvers<void>();
  #startTimer: NodeJS.Timeout | undefined;
  #current: Waiting | undefined;
  #queue: Waiting[] = [];
  #asked = 0;
  #closed = false;

  /** @param terms given to the script as `workerData` */
  constructor(script: URL, terms: unknown) {
    this.#script = script;
    this.#terms = terms;
  }

  /** `signal` says that nobody waits any more: what runs for it is ended. */
  ask(input: string, nowMs: number, signal: AbortSignal): Promise<{ readonly result?: unknown }> {
    if (this.#closed) return Promise.reject(new Error('the engine was closed'));
    this.#launch();
    this.#asked += 1;
    const id = this.#asked;
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { id, input, nowMs, resolve, reject };
      this.#queue.push(waiting);
      signal.addEventListener('abort', () => this.#giveUp(waiting), { once: true });
      this.#next();
    });
  }

  /** Starts the thread, and waits for it. Resolves as well when it does not start: who asks it then is told why. */
  async ready(): Promise<void> {
    if (this.#closed) return;
    try {
      this.#launch();
    } catch {
      return;
    }
    await this.#start.promise;
  }

  /** Ends the thread for good; everybody who waits for it gets an error. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#end(new Error('the engine was closed'));
    this.#failAll(new Error('the engine was closed'));
  }

  #launch(): void {
    if (this.#worker !== undefined || this.#closed) return;
    this.#isReady = false;
    this.#start = Promise.withResolvers<void>();
    const worker = new Worker(this.#script, {
      workerData: this.#terms,
      // The policies see nothing of the process around them.
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: limits.foreignThreadHeapMb },
    });
    worker.unref();
    this.#worker = worker;
    const late = (): void => this.#lost(worker, new Error(`the engine did not start within ${limits.foreignStartMs} ms`));
    this.#startTimer = setTimeout(late, limits.foreignStartMs).unref();
    worker.on('message', (reply: ThreadReply) => this.#worker === worker && this.#take(reply));
    worker.on('error', (error) => this.#lost(worker, error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', () => this.#lost(worker, new Error('the thread of the engine ended')));
  }

  #take(reply: ThreadReply): void {
    if (reply.id === 0) {
      this.#isReady = true;
      clearTimeout(this.#startTimer);
      this.#start.resolve();
    } else if ('ok' in reply && reply.id === this.#current?.id) {
      const { resolve, reject } = this.#current;
      this.#current = undefined;
      if (reply.ok) resolve('result' in reply ? { result: reply.result } : {});
      else reject(new Error(reply.why));
    }
    this.#next();
  }

  #next(): void {
    if (!this.#isReady || this.#current !== undefined) return;
    this.#current = this.#queue.shift();
    if (this.#current === undefined) return;
    const { id, input, nowMs } = this.#current;
    this.#worker?.postMessage({ id, input, nowMs } satisfies ThreadQuestion);
  }

  /** Nobody waits for this question any more. While it waits itself, it is taken out; while it runs, only the end of the thread stops it. */
  #giveUp(waiting: Waiting): void {
    const error = new Error('nobody waits for the answer any more');
    waiting.reject(error);
    if (waiting !== this.#current) {
      this.#queue = this.#queue.filter((one) => one !== waiting);
      return;
    }
    void this.#end(error);
    // Not only when it is needed: the next question should not pay for the start.
    this.#launch();
  }

  /** The thread is gone by itself, or must go. One that does not even start is not tried again for those who wait already. */
  #lost(worker: Worker, error: Error): void {
    if (this.#worker !== worker) return;
    const started = this.#isReady;
    void this.#end(error);
    if (!started) this.#failAll(error);
    else if (this.#queue.length > 0) this.#launch();
  }

  async #end(error: Error): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#isReady = false;
    clearTimeout(this.#startTimer);
    this.#start.resolve();
    this.#current?.reject(error);
    this.#current = undefined;
    await worker?.terminate();
  }

  #failAll(error: Error): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const { reject } of queue) reject(error);
  }
}
