import { Fault } from '#model';
import { writeDurably } from './disk.ts';
import type { KeyPlace } from './keys.ts';
import { keepRotation, type Rotation } from './rotations.ts';
import { SigningKeys } from './signing-keys.ts';

/** Who signs the checkpoints of a log. */
export interface LogSigning {
  readonly name: string;
  readonly vkey: string;
  /** The signed note; undefined when the signature comes later, from another process. */
  sign(text: string): string | undefined;
  /** Whether a key of the log has signed the note. */
  signed(note: string): boolean;
  /** Prepares a change of keys and says what must be recorded of it. */
  prepare(): Rotation;
  /** The change is recorded. Safe to repeat after a crash. */
  finish(now: number): void;
}

type Place = KeyPlace & { readonly directory: string };

/** The keys that sign a log, in a folder of this machine. */
export class Signing implements LogSigning {
  readonly #place: Place;
  readonly #keys: SigningKeys;
  readonly #now: number;

  private constructor(place: Place, keys: SigningKeys, now: number) {
    this.#place = place;
    this.#keys = keys;
    this.#now = now;
  }

  /**
   * Opens the keys; makes them for a log that is just being made. `rotations` are the changes that stand in the newest entries: one of
   * them may have been recorded just before a crash, and is then carried out. A log that exists without its key is refused, because going on
   * with another would look like a forgery. Faults: LEDGER_CORRUPT, CONFIG_INVALID.
   */
  static open(place: Place, log: { readonly isNew: boolean; readonly now: number; readonly rotations: readonly Rotation[] }): Signing {
    const { keys, origin } = place;
    const stored = SigningKeys.open(place);
    if (stored === undefined && !log.isNew)
      throw new Fault('LEDGER_CORRUPT', `the log ${origin} exists, but its key ${keys}/log.key does not; put the key back`);
    const signing = new Signing(place, stored ?? SigningKeys.make(place), log.now);
    if (stored === undefined) signing.#tell();
    const next = signing.#keys.next?.vkey;
    if (next === undefined) return signing;
    if (log.rotations.some(({ vkey }) => vkey === next)) signing.finish(log.now);
    else signing.#keys.discard();
    return signing;
  }

  get name(): string {
    return this.#keys.name;
  }

  get vkey(): string {
    return this.#keys.vkey;
  }

  /** The note with the signatures of all keys that sign now. */
  sign(text: string): string {
    return `${text}\n${this.#keys.lines(text, this.#now)}`;
  }

  signed(note: string): boolean {
    return this.#keys.signed(note);
  }

  prepare(): Rotation {
    return this.#keys.prepare();
  }

  finish(now: number): void {
    const rotation = this.#keys.next;
    if (rotation === undefined) throw new Fault('INTERNAL', 'no key was prepared');
    keepRotation(this.#place.disk, this.#place.directory, rotation);
    this.#tell(rotation.vkey);
    this.#keys.adopt(now);
  }

  /** Names the key where everybody may read it. */
  #tell(vkey = this.vkey): void {
    writeDurably(this.#place.disk, `${this.#place.keys}/log.vkey`, Buffer.from(`${vkey}\n`));
  }
}
