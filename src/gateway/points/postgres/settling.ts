import { unsent, type World } from '#model';
import type { Admitted, Pipeline } from '../../point.ts';
import type { TransactionStatus } from './encode.ts';
import type { Run } from './run.ts';

/** Follows the admitted operations of one session to their outcomes. Every one is settled exactly once. */
export class Settling {
  readonly #pipeline: Pipeline;
  readonly #world: World;
  /** Begun since the target was last ready. */
  #open: Run[] = [];
  /** Portals that gave a part of their rows and can give more. */
  readonly #suspended = new Set<Run>();
  readonly #pending = new Set<Promise<void>>();

  constructor(pipeline: Pipeline, world: World) {
    this.#pipeline = pipeline;
    this.#world = world;
  }

  begin(run: Run): void {
    this.#open.push(run);
  }

  /** Runs since the target was last ready. */
  get current(): readonly Run[] {
    return this.#open;
  }

  /** The target is ready: what was begun has ended, unless its portal is suspended and the transaction still open. */
  ready(status: TransactionStatus): void {
    const runs = this.#open;
    this.#open = [];
    if (status === 'I') undoImplicit(runs);
    for (const run of runs) {
      if (run.state === 'waiting') run.state = 'done';
      if (run.state === 'suspended' && status !== 'I') this.#suspended.add(run);
      else this.settle(run);
    }
    if (status === 'I') for (const run of this.#suspended) this.settle(run);
    // A suspended portal may have been read to its end by a later batch.
    for (const run of this.#suspended) if (run.state !== 'suspended') this.settle(run);
  }

  /** What was begun since the target was last ready will be rolled back. SQLSTATE 40000 is "transaction rollback". */
  undone(): void {
    for (const run of this.#open) if (run.state === 'done' || run.state === 'suspended') run.fail('40000');
  }

  /** Records what happened to a run; the second time it does nothing. */
  settle(run: Run): void {
    this.#suspended.delete(run);
    if (run.settled) return;
    run.settled = true;
    this.#record(run.parts.admitted, run.outcome(this.#world.monotonicNs()));
  }

  /** Operations that were admitted and never sent. */
  discard(admitted: readonly Admitted[], status: 'refused' | 'cancelled'): void {
    for (const one of admitted) this.#record(one, unsent(status));
  }

  /** The connection is over: whatever has no end yet is in doubt. Resolves when every outcome is recorded. */
  async close(): Promise<void> {
    for (const run of [...this.#open, ...this.#suspended]) this.settle(run);
    this.#open = [];
    await Promise.all(this.#pending);
  }

  #record(admitted: Admitted, outcome: Parameters<Pipeline['settle']>[1]): void {
    const recorded = this.#pipeline.settle(admitted, outcome).finally(() => this.#pending.delete(recorded));
    this.#pending.add(recorded);
  }
}

/**
 * A batch without transaction control is one transaction: when one of its operations failed, those before it were undone. Saying that
 * they were done would be untrue.
 */
function undoImplicit(runs: readonly Run[]): void {
  const failed = runs.find(({ state }) => state === 'error' || state === 'cancelled');
  if (!failed || runs.some((run) => run.controlsTransaction)) return;
  for (const run of runs) if (run.state === 'done' || run.state === 'suspended') run.fail(failed.code ?? '57014');
}
