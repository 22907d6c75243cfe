import type { InDoubt } from './contract.ts';

interface Waiting extends InDoubt {
  readonly n: number;
}

/** Allowed operations whose outcome is not in the log yet. */
export class Unsettled {
  readonly #waiting = new Map<number, Waiting>();

  /** Looks at a durable entry, parsed. */
  take(index: number, entry: unknown): void {
    // Safe: entries are our own; every field that is used was put there by `composeEntry`.
    const record = entry as { kind: string; session: string; operation: string; n: number; for: number; decision: { verdict: string } };
    if (record.kind === 'operation.decided' && record.decision.verdict === 'allow') {
      this.#waiting.set(index, { session: record.session, operation: record.operation, n: record.n, index });
    } else if (record.kind === 'operation.settled' || record.kind === 'operation.indoubt') this.#waiting.delete(record.for);
  }

  /** In order of their index. */
  all(): Waiting[] {
    return [...this.#waiting.values()];
  }

  /** Every operation decided before this index has an outcome; `size` when all have. */
  low(size: number): number {
    return this.#waiting.keys().next().value ?? size;
  }
}
