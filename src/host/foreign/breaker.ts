import type { BreakerTerms } from '#model';

/**
 * Leaves an engine alone that keeps failing, so that every operation does not wait for its deadline again. After the pause one question is
 * let through; its answer closes the breaker, its failure opens it for another pause.
 */
export class Breaker {
  readonly #terms: BreakerTerms;
  readonly #monotonicMs: () => number;
  #failures = 0;
  #openUntil = 0;
  #trying = false;

  /** @param monotonicMs a clock that never goes back */
  constructor(terms: BreakerTerms, monotonicMs: () => number) {
    this.#terms = terms;
    this.#monotonicMs = monotonicMs;
  }

  /** Whether a question may be asked now. Who is told yes must say `succeeded` or `failed` afterwards. */
  admits(): boolean {
    if (this.#failures < this.#terms.failures) return true;
    if (this.#trying || this.#monotonicMs() < this.#openUntil) return false;
    this.#trying = true;
    return true;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#trying = false;
  }

  failed(): void {
    this.#failures += 1;
    this.#trying = false;
    this.#openUntil = this.#monotonicMs() + this.#terms.pauseMs;
  }
}
