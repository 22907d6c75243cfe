import type { Ledger } from '#ledger';
import { limits, type Timer, type World } from '#model';

/**
 * Says in the ledger when the mirror has not taken anything for a minute although there is something to take, and when it does again. Rules that
 * want their records elsewhere refuse at once; the others go on, so somebody must be told.
 */
export class MirrorAlarm {
  readonly #parts: { readonly world: World; readonly ledger: Pick<Ledger, 'append' | 'origin' | 'reach' | 'size'> };
  #timer: Timer | undefined;
  #raised = false;
  /** What was mirrored when it last grew, and when that was. */
  #last: { readonly mirrored: number; readonly ns: bigint };

  constructor(parts: { readonly world: World; readonly ledger: Pick<Ledger, 'append' | 'origin' | 'reach' | 'size'> }) {
    this.#parts = parts;
    this.#last = { mirrored: parts.ledger.reach.at('mirrored'), ns: parts.world.monotonicNs() };
    this.#again();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #again(): void {
    this.#timer = this.#parts.world.after(limits.ledgerMirrorLookMs, () => {
      this.#look();
      this.#again();
    });
  }

  #look(): void {
    const { world, ledger } = this.#parts;
    const mirrored = ledger.reach.at('mirrored');
    const moved = mirrored !== this.#last.mirrored;
    if (moved || mirrored >= ledger.size) this.#last = { mirrored, ns: world.monotonicNs() };
    const behind = world.monotonicNs() - this.#last.ns >= BigInt(limits.ledgerMirrorAlarmMs) * 1_000_000n;
    if (behind === this.#raised) return;
    this.#raised = behind;
    const message = behind ? `the mirror has ${mirrored} of ${ledger.size} entries and takes no more` : 'the mirror takes entries again';
    const kind = behind ? 'alarm.raised' : 'alarm.cleared';
    ledger.append({ kind, alarm: 'ledger.mirror', object: ledger.origin, message }).catch(() => undefined); // The ledger itself says why not.
  }
}
