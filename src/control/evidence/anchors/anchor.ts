import { type FoundLog, type Ledger, readCheckpoint } from '#ledger';
import { Fault } from '#model';
import type { Timer, World } from '#model';
import type { Log } from '../../log.ts';

/** Somewhere outside this machine where checkpoints of the control plane's ledger are kept. */
export interface AnchorPlace {
  /** For people: what and where. Without secrets. */
  readonly name: string;
  /** Checkpoints are kept at most this often; 0 keeps each. */
  readonly everyMs: number;
  /** The newest note that is kept for this log; undefined when there is none. Throws when it cannot be read now. */
  last(origin: string): Promise<string | undefined>;
  /** Keeps a note; throws when that is not certain. The same note may come again. */
  keep(note: string): Promise<void>;
}

interface Parts {
  readonly place: AnchorPlace;
  readonly world: World;
  readonly log: Log;
  /** The log is shorter than what is kept there. */
  readonly onRollback: (fault: Fault) => void;
}

/** After a failure it is tried again after this time, or with the next checkpoint when that comes later. */
const retryMs = 10_000;

/**
 * Keeps checkpoints of the control plane's ledger in one place elsewhere. Whoever puts back an old copy of the whole machine does not have
 * that place, and the log is refused: at the start, or, when the place cannot be reached then, as soon as it can.
 */
export class Anchor {
  readonly #parts: Parts;
  #confirmed = false;
  #broken = false;
  #next: string | undefined;
  #running: Promise<void> | undefined;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Throws LEDGER_ROLLBACK when the log is shorter than what was anchored under its key. */
  async confirm(found: Pick<FoundLog, 'origin' | 'vkey' | 'size'>): Promise<void> {
    const { place, log } = this.#parts;
    let note: string | undefined;
    try {
      note = await place.last(found.origin);
    } catch (error) {
      return log.warn({ anchor: place.name, error: messageOf(error) }, 'the anchor cannot be read now; it is compared as soon as it can');
    }
    this.#confirmed = true;
    if (note === undefined) return;
    let size: number;
    try {
      ({ size } = readCheckpoint(note, found.vkey));
    } catch {
      return log.warn(
        { anchor: place.name },
        'the anchor was made with another key; `warder ledger verify --since` shows whether they agree',
      );
    }
    if (size <= found.size) return;
    throw new Fault('LEDGER_ROLLBACK', `the log ${found.origin} holds ${found.size} entries, but ${size} are anchored in ${place.name}`, {
      detail: { size: found.size, anchored: size },
    });
  }

  /**
   * Anchors what is signed from now on; a slow place only delays it. A failure raises an alarm and is tried again. `stop` keeps the last
   * checkpoint, and waits for what is under way.
   */
  follow(ledger: Ledger): { stop(): Promise<void> } {
    const keep = (note: string): void => {
      this.#next = note;
      this.#run(ledger);
    };
    if (ledger.checkpoint !== undefined) keep(ledger.checkpoint);
    const unsubscribe = ledger.onSigned(keep);
    return {
      stop: async () => {
        unsubscribe();
        this.#stopped = true;
        this.#timer?.cancel();
        await this.#running;
        if (this.#next !== undefined && !this.#broken) await this.#keepOne(ledger, this.#next);
      },
    };
  }

  #run(ledger: Ledger): void {
    if (this.#running !== undefined || this.#timer !== undefined || this.#stopped) return;
    const note = this.#next;
    if (note === undefined) return;
    this.#next = undefined;
    this.#running = this.#keepOne(ledger, note).finally(() => {
      this.#running = undefined;
      const pause = this.#broken ? Math.max(retryMs, this.#parts.place.everyMs / 10) : this.#parts.place.everyMs;
      if (pause === 0) return this.#run(ledger);
      if (this.#stopped) return;
      this.#timer = this.#parts.world.after(pause, () => {
        this.#timer = undefined;
        this.#run(ledger);
      });
    });
  }

  async #keepOne(ledger: Ledger, note: string): Promise<void> {
    const { place, onRollback } = this.#parts;
    try {
      if (!this.#confirmed) await this.confirm(ledger);
      if (!this.#confirmed) throw new Fault('INTERNAL', 'it cannot be read');
      await place.keep(note);
      if (this.#broken) this.#tell(ledger, 'alarm.cleared', 'checkpoints are anchored again');
      this.#broken = false;
    } catch (error) {
      if (error instanceof Fault && error.code === 'LEDGER_ROLLBACK') return onRollback(error);
      if (!this.#broken) this.#tell(ledger, 'alarm.raised', `checkpoints cannot be anchored: ${messageOf(error)}`);
      this.#broken = true;
      // A newer one may have come meanwhile.
      this.#next ??= note;
    }
  }

  #tell(ledger: Ledger, kind: 'alarm.raised' | 'alarm.cleared', message: string): void {
    const { place, log } = this.#parts;
    log.error({ anchor: place.name }, message);
    ledger.append({ kind, alarm: 'ledger.anchor', object: place.name, message }).catch(() => undefined); // The ledger itself has failed, and says so.
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
