import { parentPort, workerData } from 'node:worker_threads';
import { RegoModule } from './rego-module.ts';
import type { RegoTerms } from './rego-module.ts';

/** A question to the thread, and what it answers. */
export interface RegoQuestion {
  readonly id: number;
  readonly input: unknown;
  readonly nowMs: number;
}
export type RegoReply =
  | { readonly id: 0; readonly ready: true }
  | { readonly id: number; readonly ok: true; readonly results: readonly unknown[] }
  | { readonly id: number; readonly ok: false; readonly why: string };

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
  port.postMessage({ id: 0, ready: true } satisfies RegoReply);
  port.on('message', ({ id, input, nowMs }: RegoQuestion) => port.postMessage(reply(id, input, nowMs)));

  const reply = (id: number, input: unknown, nowMs: number): RegoReply => {
    if (rego instanceof Error) return { id, ok: false, why: rego.message };
    try {
      return { id, ok: true, results: rego.evaluate(input, nowMs) };
    } catch (error) {
      return { id, ok: false, why: error instanceof Error ? error.message : String(error) };
    }
  };
}
