import type { Timer, World } from '#model';
import { seededRandom } from './story.ts';

/** A world whose clocks stand still until `pass` moves them. */
export class HandWorld implements World {
  readonly randomBytes: (length: number) => Uint8Array;
  wall = 1_700_000_000_000;
  #nowMs = 0;
  #timers: { at: number; run: () => void }[] = [];

  constructor(seed = 1) {
    this.randomBytes = seededRandom(seed);
  }

  now(): number {
    return this.wall;
  }

  monotonicNs(): bigint {
    return BigInt(this.#nowMs) * 1_000_000n;
  }

  after(delayMs: number, run: () => void): Timer {
    const timer = { at: this.#nowMs + delayMs, run };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((one) => one !== timer);
      },
    };
  }

  /** Moves both clocks, firing what comes due, in order, and letting promises settle in between. */
  async pass(ms: number): Promise<void> {
    const end = this.#nowMs + ms;
    for (;;) {
      await new Promise(setImmediate);
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.wall += next.at - this.#nowMs;
      this.#nowMs = next.at;
      next.run();
    }
    this.wall += end - this.#nowMs;
    this.#nowMs = end;
  }
}
