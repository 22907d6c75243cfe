const slotMs = 10_000;
/** Fifteen minutes, and the slot that has only begun. */
const slots = 15 * 6 + 1;

/**
 * Counts what happens, in all and in the last minutes. Times are in slots of ten seconds, so "the last five minutes" may be up to ten
 * seconds more: never less.
 */
export class Tally {
  readonly #slots = new Uint32Array(slots);
  #newest = 0;
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** @param nowMs of a clock that never goes back */
  add(nowMs: number, count: number): void {
    this.#advance(nowMs);
    this.#total += count;
    const at = this.#newest % slots;
    this.#slots[at] = (this.#slots[at] ?? 0) + count;
  }

  /** What happened in the last minutes, 15 at most. */
  last(nowMs: number, minutes: number): number {
    this.#advance(nowMs);
    let sum = 0;
    for (let back = 0; back <= (minutes * 60_000) / slotMs && back < slots; back += 1) {
      if (this.#newest >= back) sum += this.#slots[(this.#newest - back) % slots] ?? 0;
    }
    return sum;
  }

  /** Forgets what has become too old. */
  #advance(nowMs: number): void {
    const now = Math.floor(nowMs / slotMs);
    for (let slot = Math.max(this.#newest + 1, now - slots + 1); slot <= now; slot += 1) this.#slots[slot % slots] = 0;
    this.#newest = Math.max(this.#newest, now);
  }
}
