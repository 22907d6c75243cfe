import { Fault, unreachable } from '#model';
import type { Step } from './plan.ts';
import type { Portal, Statement } from './prepared.ts';
import type { Run } from './run.ts';

/** Rows of a query that Warder asked for itself, one list per result; or the SQLSTATE of its error. */
export type OwnAnswer = { readonly rows: readonly (readonly (string | null)[][])[] } | { readonly error: string };

/**
 * A reply the target owes. `shown` is false for what Warder asked: the reply is swallowed. `run` is the operation it belongs to, so that
 * errors are judged by it.
 */
export type Expected =
  | { readonly kind: 'parse'; readonly statement: Statement; readonly shown: boolean; readonly run: Run | undefined }
  | { readonly kind: 'bind'; readonly portal: Portal; readonly run: Run | undefined }
  | { readonly kind: 'close'; readonly of: 'statement' | 'portal'; readonly name: string; readonly shown: boolean; readonly run: undefined }
  | { readonly kind: 'describe-statement'; readonly run: Run | undefined }
  | { readonly kind: 'describe-portal'; readonly portal: Portal; readonly shown: boolean; readonly run: Run | undefined }
  | { readonly kind: 'execute'; readonly portal: Portal; readonly run: Run | undefined }
  /** All results of a Query message, then ReadyForQuery. */
  | { readonly kind: 'query'; readonly run: Run }
  | { readonly kind: 'sync'; readonly run: undefined }
  /** A Bind that must fail, to abort the transaction after a refusal. */
  | { readonly kind: 'poison'; readonly run: undefined }
  /** A query of Warder's own, then ReadyForQuery. */
  | { readonly kind: 'own'; readonly resolve: (answer: OwnAnswer) => void; readonly run: undefined };

/** A first-in first-out queue that does not move its members at every step. */
export class ExpectedQueue {
  #entries: Expected[] = [];
  #head = 0;

  get first(): Expected | undefined {
    return this.#entries[this.#head];
  }

  get empty(): boolean {
    return this.#head === this.#entries.length;
  }

  push(entry: Expected): void {
    this.#entries.push(entry);
  }

  shift(): void {
    this.#head += 1;
    if (this.#head === this.#entries.length || this.#head > 1_024) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
  }

  /** After an error the target skips everything up to the next Sync; so does the queue. Gives what was skipped. */
  skipToSync(): readonly Expected[] {
    const skipped: Expected[] = [];
    for (let entry = this.first; entry && entry.kind !== 'sync'; entry = this.first) {
      skipped.push(entry);
      this.shift();
    }
    return skipped;
  }

  /** Everything that is still owed; the queue is empty then. */
  drain(): readonly Expected[] {
    const rest = this.#entries.slice(this.#head);
    this.#entries = [];
    this.#head = 0;
    return rest;
  }
}

/** What the target owes for a step of a plan; undefined when it owes nothing. `run` is the operation that the step belongs to. */
export function owedFor(step: Step, run: Run | undefined): Expected | undefined {
  switch (step.kind) {
    case 'query':
      if (!run) throw new Fault('INTERNAL', 'a query was planned without its operation');
      return { kind: 'query', run };
    case 'parse':
      return { kind: 'parse', statement: step.statement, shown: step.shown, run };
    case 'bind':
      return { kind: 'bind', portal: step.portal, run };
    case 'describe-portal':
      return { kind: 'describe-portal', portal: step.portal, shown: step.shown, run: run ?? step.portal.run };
    case 'describe-statement':
      return { kind: 'describe-statement', run };
    case 'execute':
      return { kind: 'execute', portal: step.portal, run: run ?? step.portal.run };
    case 'close':
      return { kind: 'close', of: step.of, name: step.name, shown: step.shown, run: undefined };
    case 'sync':
      return { kind: 'sync', run: undefined };
    case 'flush':
      return undefined;
    default:
      return unreachable(step);
  }
}

/** The target did not send what it owes: nothing can be matched any more. */
export function unexpected(type: number, first: Expected | undefined): Fault {
  const owed = first ? first.kind : 'nothing';
  return new Fault('RESPONSE_CUT', `the target sent a message of type 0x${type.toString(16)} while ${owed} was owed`);
}
