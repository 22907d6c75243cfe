/** A world for tests: the clock moves only when it is told to. */
import { randomBytes } from 'node:crypto';
import type { Timer, World } from '#model';

export interface TestWorld extends World {
  /** Moves both clocks and runs the timers that fall due, in order. */
  advance(ms: number): void;
}

export function testWorld(start = Date.UTC(2026, 10, 20, 12)): TestWorld {
  let now = start;
  const timers = new Set<{ at: number; callback: () => void }>();
  return {
    now: () => now,
    monotonicNs: () => BigInt(now - start) * 1_000_000n,
    randomBytes: (length) => randomBytes(length),
    after: (delayMs, callback): Timer => {
      const timer = { at: now + delayMs, callback };
      timers.add(timer);
      return { cancel: () => void timers.delete(timer) };
    },
    advance: (ms) => {
      const end = now + ms;
      for (;;) {
        const [due] = [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
        if (!due) break;
        timers.delete(due);
        now = Math.max(now, due.at);
        due.callback();
      }
      now = end;
    },
  };
}
