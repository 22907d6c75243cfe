import { limits, type Timer, type World } from '#model';
import type { OwnDraft } from './entry.ts';

/**
 * What happens by the clock: once a second the writer is told to seal and sign; a silence of a minute is recorded as such, so that a
 * gap in the log shows; a step of the wall clock is recorded, because times in records stop being comparable there.
 */
export class Pulse {
  readonly #world: World;
  readonly #beat: { tick: () => void; record: (draft: OwnDraft) => void };
  #timer: Timer | undefined;
  #lastGrowthNs: bigint;
  /** When the two clocks were last taken to agree. */
  #agreed: { wall: number; monoNs: bigint };

  constructor(world: World, beat: { tick: () => void; record: (draft: OwnDraft) => void }) {
    this.#world = world;
    this.#beat = beat;
    this.#lastGrowthNs = world.monotonicNs();
    this.#agreed = { wall: world.now(), monoNs: this.#lastGrowthNs };
    this.#arm();
  }

  /** A record became durable. */
  grown(): void {
    this.#lastGrowthNs = this.#world.monotonicNs();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(): void {
    this.#timer = this.#world.after(limits.ledgerSealMs, () => {
      this.#arm();
      this.#look();
    });
  }

  #look(): void {
    const look = { wall: this.#world.now(), monoNs: this.#world.monotonicNs() };
    // Since the last step, not since the last look: a clock that stands still or creeps loses a little with each.
    const byMs = look.wall - this.#agreed.wall - Number((look.monoNs - this.#agreed.monoNs) / 1_000_000n);
    if (Math.abs(byMs) > limits.clockStepMs) {
      this.#agreed = look;
      this.#beat.record({ kind: 'clock.stepped', byMs });
    }
    if (look.monoNs - this.#lastGrowthNs >= BigInt(limits.ledgerHeartbeatMs) * 1_000_000n) {
      this.#lastGrowthNs = look.monoNs;
      this.#beat.record({ kind: 'log.heartbeat' });
    }
    this.#beat.tick();
  }
}
