/** So many at the same time, and so many more who wait for their turn, first come first served. */
export class Places {
  #free: number;
  readonly #waitingMax: number;
  readonly #waiting: (() => void)[] = [];

  constructor(places: number, waitingMax: number) {
    this.#free = places;
    this.#waitingMax = waitingMax;
  }

  /** Nobody else may even wait. */
  get full(): boolean {
    return this.#free === 0 && this.#waiting.length >= this.#waitingMax;
  }

  /** Resolves when there is a place, which must be left afterwards. Rejects like `patience`, and then there is nothing to leave. */
  async take(patience: Promise<never>): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    const turn = Promise.withResolvers<void>();
    this.#waiting.push(turn.resolve);
    try {
      await Promise.race([turn.promise, patience]);
    } catch (error) {
      const at = this.#waiting.indexOf(turn.resolve);
      if (at >= 0) this.#waiting.splice(at, 1);
      // The turn came at the very moment the patience ended.
      else this.leave();
      throw error;
    }
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}
