import type { Timer, World } from '#model';

const firstMs = 1_000;
const longestMs = 30_000;
/** A process that served this long was healthy: the next wait starts small again. */
const healthyMs = 60_000;

/** Waits between restarts: 1 s, doubled each time up to 30 s, small again after a healthy while. */
export class Backoff {
  readonly #world: World;
  #nextMs = firstMs;
  #timer: Timer | undefined;
  #servingSince: bigint | undefined;

  constructor(world: World) {
    this.#world = world;
  }

  serving(): void {
    this.#servingSince = this.#world.monotonicNs();
  }

  /** Calls `again` after the wait, and returns the wait in ms. */
  schedule(again: () => void): number {
    const since = this.#servingSince;
    this.#servingSince = undefined;
    if (since !== undefined && this.#world.monotonicNs() - since >= BigInt(healthyMs) * 1_000_000n) this.#nextMs = firstMs;
    const waitMs = this.#nextMs;
    this.#nextMs = Math.min(waitMs * 2, longestMs);
    this.#timer = this.#world.after(waitMs, again);
    return waitMs;
  }

  cancel(): void {
    this.#timer?.cancel();
  }
}
