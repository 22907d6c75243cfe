import { parentPort, workerData } from 'node:worker_threads';
import { RegoModule } from './rego-module.ts';
import type { RegoTerms } from './rego-module.ts';
import type { ThreadQuestion, ThreadReply } from './thread.ts';

/** The thread that a compiled policy runs in: it can be ended from outside while the policy runs. */
const port = parentPort;
if (port !== null) {
  let rego: RegoModule | Error;
  try {
    // Reason: the only place that starts this thread hands over these terms.
    rego = new RegoModule(workerData as RegoTerms);
  } catch (error) {
    rego = error instanceof Error ? error : new Error(String(error));
  }
  port.postMessage({ id: 0 } satisfies ThreadReply);
  port.on('message', ({ id, input, nowMs }: ThreadQuestion) => port.postMessage(reply(id, input, nowMs)));

  const reply = (id: number, input: string, nowMs: number): ThreadReply => {
    if (rego instanceof Error) return { id, ok: false, why: rego.message };
    try {
      const [result] = rego.evaluate(input, nowMs);
      return result === undefined ? { id, ok: true } : { id, ok: true, result };
    } catch (error) {
      return { id, ok: false, why: error instanceof Error ? error.message : String(error) };
    }
  };
}
