import { verify } from 'node:crypto';
import { Fault } from '#model';
import { type Disk, makeFolders, writeDurably } from '../disk.ts';
import { keyType, parseVkey } from '../note.ts';
import { keepRotation, keyFollows, readRotations, type Rotation } from '../rotations.ts';
import type { LogSigning } from '../signing.ts';

/** What is known of a key that another process holds. */
export interface HeldKey {
  readonly vkey: string;
  /** A change that the holder has prepared. It takes effect when the log has recorded it. */
  readonly next?: Rotation;
}

interface Place {
  readonly disk: Disk;
  readonly keys: string;
  readonly origin: string;
  /** Of the log. */
  readonly directory: string;
}

/** A key that is held by another process: here only its public form is known. */
export class RemoteSigning implements LogSigning {
  readonly name: string;
  readonly #place: Place;
  #vkey: string;
  #next: Rotation | undefined;

  /**
   * Keeps the public form beside the other keys, for a start at which the signer does not answer. `rotations` are the changes in the newest entries:
   * one that the holder has prepared and that was recorded just before a crash is carried out. Faults: CONFIG_INVALID.
   */
  constructor(place: Place, held: HeldKey, rotations: readonly Rotation[]) {
    const { disk, keys, origin } = place;
    const key = parseVkey(held.vkey);
    if (key?.name !== origin || key.type !== keyType.log)
      throw new Fault(
        'CONFIG_INVALID',
        `the signer holds the key of ${key?.name ?? 'nobody'}, not of the log ${origin}; name another socket`,
      );
    if (disk.size(`${keys}/log.key`) !== undefined)
      throw new Fault(
        'CONFIG_INVALID',
        `${keys}/log.key is there, but a signer is to hold the key of ${origin}; move the file to the signer's folder`,
      );
    this.name = origin;
    this.#place = place;
    this.#vkey = held.vkey;
    this.#next = held.next;
    makeFolders(disk, keys);
    this.#tell();
    const recorded = [...rotations, ...readRotations(disk, place.directory)];
    if (recorded.some(({ vkey, previous }) => vkey === held.next?.vkey && previous === held.vkey)) this.finish();
  }

  /** The key that signs from now on. The holder may not have heard of it yet. */
  get vkey(): string {
    return this.#vkey;
  }

  sign(): undefined {
    return undefined;
  }

  /** True when the log's key has signed the note, or one from which a chain of changes leads to it. */
  signed(note: string): boolean {
    const split = note.indexOf('\n\n');
    if (split < 0 || !note.endsWith('\n')) return false;
    const text = Buffer.from(note.slice(0, split + 1));
    const lines = note.slice(split + 2, -1).split('\n');
    return this.#keys().some((vkey) => lines.some((line) => this.#isBy(vkey, text, line)));
  }

  #keys(): string[] {
    const { disk, directory } = this.#place;
    const rotations = readRotations(disk, directory);
    const before = rotations.map(({ previous }) => previous).filter((from) => keyFollows(this.name, { from, to: this.#vkey }, rotations));
    return [this.#vkey, ...before];
  }

  #isBy(vkey: string, text: Buffer, line: string): boolean {
    const key = parseVkey(vkey);
    const [, name, data] = /^\u2014 (\S+) (\S+)$/.exec(line) ?? [];
    const bytes = Buffer.from(data ?? '', 'base64');
    if (key === undefined || name !== this.name) return false;
    return key.id.equals(bytes.subarray(0, 4)) && verify(null, text, key.publicKey, bytes.subarray(4));
  }

  prepare(): Rotation {
    if (this.#next === undefined)
      throw new Fault('LEDGER_UNSIGNED', `the signer of ${this.name} has prepared no other key; is it one that can?`);
    const { previous, vkey } = this.#next;
    if (previous !== this.#vkey || !keyFollows(this.name, { from: previous, to: vkey }, [this.#next]))
      throw new Fault('CONFIG_INVALID', `the change of keys that the signer of ${this.name} has prepared is not signed by both keys`);
    return this.#next;
  }

  finish(): void {
    if (this.#next === undefined) return;
    keepRotation(this.#place.disk, this.#place.directory, this.#next);
    this.#vkey = this.#next.vkey;
    this.#next = undefined;
    this.#tell();
  }

  #tell(): void {
    const { disk, keys } = this.#place;
    const line = Buffer.from(`${this.#vkey}\n`);
    const before = disk.read(`${keys}/log.vkey`);
    if (before === undefined || !line.equals(before)) writeDurably(disk, `${keys}/log.vkey`, line);
  }
}
