import { statfsSync } from 'node:fs';
import { limits, type RecordDraft, type Timer, type World } from '#model';

interface Parts {
  readonly origin: string;
  /** Of the log. */
  readonly directory: string;
  readonly world: World;
  readonly record: (draft: RecordDraft) => Promise<unknown>;
  /** Bytes free and in all, of the disk; only tests say something else than the system. */
  readonly look?: () => { readonly free: number; readonly total: number };
}

/**
 * Raises an alarm while there is still time: when the disk of the log has less than a tenth or less than a gibibyte left. Operations go on until
 * the reserve is touched.
 */
export class SpaceWatch {
  readonly #parts: Parts;
  #timer: Timer | undefined;
  #low = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#again(0);
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #again(delayMs: number): void {
    this.#timer = this.#parts.world.after(delayMs, () => {
      this.#look();
      this.#again(limits.ledgerSpaceLookMs);
    });
  }

  #look(): void {
    const { directory, origin, record } = this.#parts;
    const { free, total } = (this.#parts.look ?? (() => spaceOf(directory)))();
    const low = free < Math.max(total * limits.ledgerSpaceLowShare, limits.ledgerSpaceLowBytes);
    // Cleared only with some distance, so that it does not come and go.
    const clear = free > Math.max(total * limits.ledgerSpaceLowShare, limits.ledgerSpaceLowBytes) * 1.2;
    if (low === this.#low || (this.#low && !clear)) return;
    this.#low = low;
    const message = `${Math.floor(free / 1024 ** 2)} MiB of ${Math.floor(total / 1024 ** 2)} MiB are free`;
    const kind = low ? 'alarm.raised' : 'alarm.cleared';
    record({ kind, alarm: 'ledger.space', object: origin, message }).catch(() => {
      // The ledger is full already, or has failed, and says so; said again when it takes records.
      this.#low = !low;
    });
  }
}

function spaceOf(directory: string): { free: number; total: number } {
  const { bavail, blocks, bsize } = statfsSync(directory);
  return { free: bavail * bsize, total: blocks * bsize };
}
