import { randomBytes } from 'node:crypto';
import type { World } from '#model';

/** A clock that moves by hand. Timers run when `advance` passes them. */
export interface FakeWorld extends World {
  advance(ms: number): void;
  /** Moves only the wall clock, as an administrator or a time server would. */
  step(ms: number): void;
}

export function fakeWorld(): FakeWorld {
  let now = 1_700_000_000_000;
  let mono = 0n;
  const timers = new Set<{ at: bigint; callback: () => void }>();
  return {
    now: () => now,
    monotonicNs: () => mono,
    randomBytes: (length) => randomBytes(length),
    after(delayMs, callback) {
      const timer = { at: mono + BigInt(Math.round(delayMs * 1e6)), callback };
      timers.add(timer);
      return { cancel: () => void timers.delete(timer) };
    },
    advance(ms) {
      now += ms;
      mono += BigInt(ms) * 1_000_000n;
      for (const timer of timers) {
        if (timer.at > mono) continue;
        timers.delete(timer);
        timer.callback();
      }
    },
    step(ms) {
      now += ms;
    },
  };
}
