import type { RolloutOffer } from '#model';

/** Bundles whose steps are remembered: the one in force, and one that is still compiled. */
const offersKept = 4;

/** The steps of rollouts as the control plane moved them. Steps belong to a bundle: those of another one say nothing. */
export class RolloutSteps {
  readonly #offers = new Map<string, RolloutOffer['steps']>();

  /** @param inForce the bundle that decides at present; its steps are never forgotten */
  offer({ bundle, steps }: RolloutOffer, inForce = ''): void {
    this.#offers.delete(bundle);
    this.#offers.set(bundle, steps);
    for (const oldest of this.#offers.keys()) {
      if (this.#offers.size <= offersKept) return;
      if (oldest !== inForce) this.#offers.delete(oldest);
    }
  }

  /** What the engine is told; undefined where the documents say it. */
  of(bundle: string): RolloutOffer['steps'] | undefined {
    return this.#offers.get(bundle);
  }
}
