import { limits, type OperationDecided, type World } from '#model';

/** How far operations may run ahead of the ledger where a rule says `evidence: buffered`: stated in the records themselves. */
export const aheadWindow = { operations: limits.ledgerAheadOperationsMax, ms: limits.ledgerAheadMs } as const;

/**
 * Which operations may be released before their own record is durable.
 *
 * INVARIANT: a session's first such record is durable, with the window in it, before anything of the session runs ahead; then at most so many
 * operations, none of them later than so many milliseconds after the oldest. What a crash can take is bounded, and said beforehand.
 */
export class Ahead {
  readonly #world: World;
  /** Sessions whose records say that they may run ahead. */
  readonly #told = new Set<string>();
  /** When each operation that is ahead was released; in order. */
  readonly #flying = new Map<string, bigint>();

  constructor(world: World) {
    this.#world = world;
  }

  /** The window is durable in a record of this session. */
  tell(session: string): void {
    this.#told.add(session);
    // A record that becomes durable after its session was closed tells once too often.
    const [oldest] = this.#told;
    if (this.#told.size > limits.sessionsMax && oldest !== undefined) this.#told.delete(oldest);
  }

  forget(session: string): void {
    this.#told.delete(session);
  }

  /** Lets the operation run ahead and returns what is to be called when its record is durable; undefined when it has to wait for that. */
  enter({ session, operation, approval }: OperationDecided): (() => void) | undefined {
    // What a person approved is on the record before it runs.
    if (!this.#told.has(session) || approval !== undefined || this.#flying.size >= aheadWindow.operations) return undefined;
    const now = this.#world.monotonicNs();
    const oldest = this.#flying.values().next().value ?? now;
    if (now - oldest >= BigInt(aheadWindow.ms) * 1_000_000n) return undefined;
    this.#flying.set(operation, now);
    return () => this.#flying.delete(operation);
  }
}
