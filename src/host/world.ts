import { randomBytes } from 'node:crypto';
import type { World } from '#model';

/** The machine's own clock, randomness and timers. The only place of the product that touches them. */
export const realWorld: World = {
  now: () => Date.now(),
  monotonicNs: () => process.hrtime.bigint(),
  randomBytes: (length) => randomBytes(length),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

/** Resolves after `delayMs`; keeps the process alive meanwhile, so only for short waits for a condition. */
export function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delayMs);
  });
}

/** Waits until `condition` gives something other than `undefined`, asking every `everyMs`; `undefined` when `deadlineMs` have passed. */
export async function until<T>(
  condition: () => T | undefined | Promise<T | undefined>,
  times: { readonly deadlineMs: number; readonly everyMs?: number },
): Promise<T | undefined> {
  const end = performance.now() + times.deadlineMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined) return value;
    if (performance.now() >= end) return undefined;
    await pause(times.everyMs ?? 10);
  }
}

/** True when the promise settles in time. */
export function within(settles: Promise<unknown>, deadlineMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), deadlineMs);
    const settled = (): void => {
      clearTimeout(timer);
      resolve(true);
    };
    settles.then(settled, settled);
  });
}
