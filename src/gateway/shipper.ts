import { cosignedAt, type Ledger, readCheckpoint } from '#ledger';
import { asFault, Fault, limits, type Timer, type World } from '#model';
import type { Link } from './link.ts';
import type { Log } from './log.ts';

/** Small, because each is written as one piece of JSON while the operations of everybody else wait. */
const entriesPerCall = 256;
/** Calls that are under way at the same time: the mirror need not wait for what comes next. */
const callsAhead = 4;
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
  /** Verifier key of the mirror's signatures, as it said at the last hello. */
  #mirrorKey: string | undefined;
  /** The largest size that the mirror has signed. */
  #cosigned = 0;
  #nextOfferNs = 0n;
  #running = false;
  #stopped = false;
  #gathering: Timer | undefined;
  /** Until the next checkpoint may be offered. */
  #later: Timer | undefined;

  constructor(parts: { readonly world: World; readonly ledger: Ledger; readonly link: Link; readonly log: Log }) {
    this.#parts = parts;
    parts.ledger.onGrow(() => this.#gather());
    parts.ledger.onSigned(() => this.#gather());
    parts.ledger.reach.onWanted = () => this.#kick();
  }

  /** The mirror has `mirrored` entries of this log, and signs with this key. */
  resume(mirrored: number, mirrorKey: string | undefined): void {
    this.#cursor = mirrored;
    this.#mirrorKey = mirrorKey;
    this.#parts.ledger.reach.advance('mirrored', mirrored);
    this.#kick();
  }

  stop(): void {
    this.#stopped = true;
    this.#gathering?.cancel();
    this.#later?.cancel();
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
    const underWay: { readonly end: number; readonly reply: Promise<{ mirrored: number }> }[] = [];
    let next = this.#cursor;
    for (;;) {
      while (!this.#stopped && underWay.length < callsAhead && next < ledger.size) {
        const entries = await ledger.read(next, entriesPerCall);
        if (entries.length === 0) break;
        const reply = link.call('ledger.entries', { origin: ledger.origin, first: next, entries });
        // One that fails while another is waited for is found when it has its turn.
        reply.catch(() => undefined);
        next += entries.length;
        underWay.push({ end: next, reply });
      }
      const oldest = underWay.shift();
      if (oldest === undefined) break;
      const { mirrored } = await oldest.reply;
      this.#cursor = mirrored;
      ledger.reach.advance('mirrored', mirrored);
      if (mirrored >= oldest.end) continue;
      // What follows was not taken either: from where the mirror is, again.
      await Promise.allSettled(underWay.splice(0).map(({ reply }) => reply));
      next = mirrored;
    }
    if (!this.#stopped && this.#cursor >= ledger.size) await this.#offer();
  }

  /** Has the newest checkpoint signed by the mirror: at once when somebody waits for it, otherwise now and then. */
  async #offer(): Promise<void> {
    const { world, ledger, link } = this.#parts;
    const note = ledger.checkpoint;
    if (note === undefined || this.#mirrorKey === undefined) return;
    const { size, text } = readCheckpoint(note, ledger.vkey);
    const urgent = ledger.reach.wanted('witnessed');
    if (size <= this.#cosigned || size > this.#cursor) return;
    const waitNs = this.#nextOfferNs - world.monotonicNs();
    if (!urgent && waitNs > 0n) {
      this.#later ??= world.after(Number(waitNs / 1_000_000n) + 1, () => {
        this.#later = undefined;
        this.#kick();
      });
      return;
    }
    const { cosignature } = await link.call('ledger.checkpoint', { origin: ledger.origin, note });
    if (cosignedAt(text, cosignature, this.#mirrorKey) === undefined)
      throw new Fault('LEDGER_TAMPERED', `the mirror's signature is not by its key ${this.#mirrorKey}`);
    this.#cosigned = size;
    this.#nextOfferNs = world.monotonicNs() + BigInt(limits.ledgerWitnessMs) * 1_000_000n;
    ledger.keepCosigned(`${note}${cosignature}`);
    ledger.reach.advance('witnessed', size);
  }
}
