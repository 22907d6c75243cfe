import type { Ledger } from '#ledger';
import { asFault, type Timer, type World } from '#model';
import type { Link } from './link.ts';
import type { Log } from './log.ts';

const entriesPerCall = 256;
const retryMs = 1_000;
/** Entries gather this long before they travel, so that the mirror writes them together. */
const gatherMs = 100;

/**
 * Streams durable entries to the control plane's mirror, in order, at least once. The cursor is the mirror's own count, told at every
 * hello and in every reply, so nothing is kept here that could be lost. It can lag; it never gates traffic and never skips.
 */
export class Shipper {
  readonly #parts: { readonly world: World; readonly ledger: Ledger; readonly link: Link; readonly log: Log };
  #cursor = 0;
  #running = false;
  #stopped = false;
  #gathering: Timer | undefined;

  constructor(parts: { readonly world: World; readonly ledger: Ledger; readonly link: Link; readonly log: Log }) {
    this.#parts = parts;
    parts.ledger.onGrow(() => this.#gather());
  }

  /** The mirror has `mirrored` entries of this log. */
  resume(mirrored: number): void {
    this.#cursor = mirrored;
    this.#kick();
  }

  stop(): void {
    this.#stopped = true;
    this.#gathering?.cancel();
  }

  #kick(): void {
    if (this.#running || this.#stopped || !this.#parts.link.up) return;
    this.#running = true;
    this.#ship()
      .catch((thrown: unknown) => {
        this.#parts.log.warn(
          { fault: asFault(thrown).code, reason: asFault(thrown).message },
          'the mirror did not take entries; trying again',
        );
        this.#parts.world.after(retryMs, () => this.#kick());
      })
      .finally(() => {
        this.#running = false;
        // Entries that became durable during the last call must not wait for the next one to come.
        if (this.#cursor < this.#parts.ledger.size) this.#gather();
      });
  }

  #gather(): void {
    if (this.#stopped) return;
    this.#gathering ??= this.#parts.world.after(gatherMs, () => {
      this.#gathering = undefined;
      this.#kick();
    });
  }

  async #ship(): Promise<void> {
    const { ledger, link } = this.#parts;
    while (!this.#stopped && this.#cursor < ledger.size) {
      const entries = await ledger.read(this.#cursor, entriesPerCall);
      if (entries.length === 0) return;
      const { mirrored } = await link.call('ledger.entries', { origin: ledger.origin, first: this.#cursor, entries });
      this.#cursor = mirrored;
    }
  }
}
