/**
 * The outside world as values that can be replaced: clock, randomness and timers.
 *
 * Product code never reads `Date`, `Math.random`, `crypto.random*` or timers itself; it is handed a
 * `World`. The real one lives in `host/world.ts`, tests use a clock they move by hand.
 */
export interface World {
  /** Wall clock, milliseconds since 1970-01-01T00:00:00Z. May jump; never used to order things. */
  now(): number;
  /** Monotonic clock, nanoseconds since an arbitrary start. Used for durations and expiry. */
  monotonicNs(): bigint;
  /** Cryptographically secure random bytes. */
  randomBytes(length: number): Uint8Array;
  /** Runs `callback` once after `delayMs`. The timer does not keep the process alive. */
  after(delayMs: number, callback: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}
