import type { Timer, World } from '#model';

/** Wakes whoever waits for new entries. A ring while nobody waits is remembered: nothing is missed between looking and waiting. */
export interface Bell {
  ring(): void;
  /** Resolves at the next ring, after `waitMs`, or when `signal` aborts. */
  wait(waitMs: number, signal: AbortSignal): Promise<void>;
}

export function openBell(world: World): Bell {
  let rung = false;
  let wake: (() => void) | undefined;
  return {
    ring() {
      rung = true;
      wake?.();
    },
    wait: (waitMs, signal) =>
      new Promise((resolve) => {
        const state: { timer?: Timer } = {};
        const done = (): void => {
          state.timer?.cancel();
          signal.removeEventListener('abort', done);
          wake = undefined;
          rung = false;
          resolve();
        };
        if (rung || signal.aborted) return done();
        wake = done;
        signal.addEventListener('abort', done, { once: true });
        state.timer = world.after(waitMs, done);
      }),
  };
}
