import { randomBytes } from 'node:crypto';
import type { World } from '#model';

/** `setTimeout` fires at once for anything longer than this. */
const timerMsMax = 2 ** 31 - 1;
/** Asking the system for each identifier's few bytes was an eighth of the work of a statement; a pool is asked for once for many. */
const poolBytes = 4_096;
let pool = Buffer.alloc(0);

/** The machine's own clock, randomness and timers. The only place of the product that touches them. */
export const realWorld: World = {
  now: () => Date.now(),
  monotonicNs: () => process.hrtime.bigint(),
  randomBytes(length) {
    if (length > poolBytes / 8) return randomBytes(length);
    if (pool.length < length) pool = randomBytes(poolBytes);
    const bytes = Uint8Array.from(pool.subarray(0, length));
    // What was handed out is not kept: nobody who reads this memory later learns a key or a nonce.
    pool.fill(0, 0, length);
    pool = pool.subarray(length);
    return bytes;
  },
  after(delayMs, callback) {
    let timer: NodeJS.Timeout;
    const arm = (leftMs: number): void => {
      timer = setTimeout(() => (leftMs > timerMsMax ? arm(leftMs - timerMsMax) : callback()), Math.min(leftMs, timerMsMax));
      timer.unref();
    };
    arm(delayMs);
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
