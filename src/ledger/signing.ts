import { type KeyObject, verify } from 'node:crypto';
import { Fault } from '#model';
import { type Disk, makeFolders, writeDurably } from './disk.ts';
import { decodePrivate, decodeSigningKey, encodeSigningKey, keyType, parseVkey, type Signer, signerOf } from './note.ts';
import type { KeyPlace } from './keys.ts';

/** One key of a log follows another, and both have signed it. Format: docs/formats/checkpoint.md. */
export interface Rotation {
  readonly previous: string;
  readonly vkey: string;
  /** Base64, by the previous key. */
  readonly signature: string;
  /** Base64, by the new key. */
  readonly accepted: string;
}

/** Who signs the checkpoints of a log. */
export interface LogSigning {
  readonly name: string;
  readonly vkey: string;
  /** The signed note; undefined when the signature comes later, from another process. */
  sign(text: string): string | undefined;
  /** Whether a key of the log has signed the note. */
  signed(note: string): boolean;
  prepare(): Rotation;
  finish(now: number): void;
}

/** How long the key before signs beside the new one: whoever pinned it has this long to learn of the change. */
export const bothSignMs = 7 * 24 * 60 * 60 * 1000;

type Place = KeyPlace & { readonly directory: string };

/** The keys that sign a log: its own, and for a week after a change the one before. */
export class Signing implements LogSigning {
  readonly #place: Place;
  #current: Signer;
  #previous: Signer | undefined;
  #next: { readonly signer: Signer; readonly rotation: Rotation } | undefined;

  private constructor(place: Place, current: Signer, previous: Signer | undefined) {
    this.#place = place;
    this.#current = current;
    this.#previous = previous;
  }

  /**
   * Opens the keys; makes them for a log that is just being made. `rotations` are the changes that stand in the newest entries: one of
   * them may have been recorded just before a crash, and is then carried out. A log that exists without its key is refused, because going on
   * with another would look like a forgery. Faults: LEDGER_CORRUPT, CONFIG_INVALID.
   */
  static open(place: Place, log: { readonly isNew: boolean; readonly now: number; readonly rotations: readonly Rotation[] }): Signing {
    const { disk, keys, origin } = place;
    const stored = readText(disk, `${keys}/log.key`);
    if (stored === undefined && !log.isNew)
      throw new Fault('LEDGER_CORRUPT', `the log ${origin} exists, but its key ${keys}/log.key does not; put the key back`);
    if (stored === undefined) makeKey(place);
    const current = decodeSigningKey(stored ?? readText(disk, `${keys}/log.key`) ?? '', origin);
    const signing = new Signing(place, current, openPrevious(place, log.now));
    const next = readText(disk, `${keys}/log.next.key`);
    if (next === undefined) return signing;
    const signer = decodeSigningKey(next, origin);
    const rotation = log.rotations.find(({ vkey }) => vkey === signer.vkey);
    if (rotation === undefined) disk.remove(`${keys}/log.next.key`);
    else {
      signing.#next = { signer, rotation };
      signing.finish(log.now);
    }
    return signing;
  }

  get name(): string {
    return this.#current.name;
  }

  get vkey(): string {
    return this.#current.vkey;
  }

  /** The note with the signatures of all keys that sign now. */
  sign(text: string): string {
    return `${text}\n${this.#current.line(text)}${this.#previous?.line(text) ?? ''}`;
  }

  /** True when one of these keys has signed the note. Ed25519 is deterministic: what a key signed is what it would sign again. */
  signed(note: string): boolean {
    const split = note.indexOf('\n\n');
    if (split < 0 || !note.endsWith('\n')) return false;
    const text = note.slice(0, split + 1);
    const lines = note.slice(split + 2, -1).split('\n');
    return [this.#current, this.#previous].some((signer) => signer !== undefined && lines.includes(signer.line(text).slice(0, -1)));
  }

  /** Makes the next key, durable, and says what must be recorded before it may sign. */
  prepare(): Rotation {
    const { disk, keys, origin, random } = this.#place;
    const seed = random(32);
    const signer = signerOf(origin, seed);
    writeDurably(disk, `${keys}/log.next.key`, Buffer.from(encodeSigningKey(origin, seed)));
    const pair = { previous: this.#current.vkey, vkey: signer.vkey };
    const text = rotationText(origin, pair);
    const rotation = {
      ...pair,
      signature: this.#current.signBytes(text).toString('base64'),
      accepted: signer.signBytes(text).toString('base64'),
    };
    this.#next = { signer, rotation };
    return rotation;
  }

  /** The change is recorded: the new key signs, and the old one beside it for a while. Safe to repeat after a crash. */
  finish(now: number): void {
    if (this.#next === undefined) throw new Fault('INTERNAL', 'no key was prepared');
    const { disk, keys, directory } = this.#place;
    const { signer, rotation } = this.#next;
    const line = `${JSON.stringify(rotation)}\n`;
    const before = readText(disk, `${directory}/rotations`) ?? '';
    if (!before.includes(line)) writeDurably(disk, `${directory}/rotations`, Buffer.from(before + line));
    if (this.#current.vkey !== signer.vkey) {
      writeDurably(disk, `${keys}/log.previous.until`, Buffer.from(`${now + bothSignMs}\n`));
      const old = disk.read(`${keys}/log.key`) ?? new Uint8Array();
      writeDurably(disk, `${keys}/log.previous.key`, old);
      this.#previous = this.#current;
    }
    writeDurably(disk, `${keys}/log.vkey`, Buffer.from(`${signer.vkey}\n`));
    disk.rename(`${keys}/log.next.key`, `${keys}/log.key`);
    disk.syncFolder(keys);
    this.#current = signer;
    this.#next = undefined;
  }
}

function makeKey(place: Place): void {
  const { disk, keys, origin, random } = place;
  makeFolders(disk, keys);
  const seed = random(32);
  writeDurably(disk, `${keys}/log.key`, Buffer.from(encodeSigningKey(origin, seed)));
  writeDurably(disk, `${keys}/log.vkey`, Buffer.from(`${signerOf(origin, seed).vkey}\n`));
}

/** The key before, as long as it signs; once it does not any more it is removed, so that nobody can sign with it. */
function openPrevious({ disk, keys, origin }: Place, now: number): Signer | undefined {
  const stored = readText(disk, `${keys}/log.previous.key`);
  if (stored === undefined) return undefined;
  if (now <= Number(readText(disk, `${keys}/log.previous.until`) ?? 0)) return signerOf(origin, decodePrivate(stored, origin, keyType.log));
  disk.remove(`${keys}/log.previous.key`);
  disk.remove(`${keys}/log.previous.until`);
  disk.syncFolder(keys);
  return undefined;
}

/** The rotations of the log in this folder, oldest first. */
export function readRotations(disk: Disk, directory: string): readonly Rotation[] {
  const lines = (readText(disk, `${directory}/rotations`) ?? '').split('\n').filter((line) => line !== '');
  // Safe: whoever uses one checks its signatures.
  return lines.map((line) => JSON.parse(line) as Rotation);
}

/** True when a chain of rotations, each signed by both keys, leads from one key of the log to the other. */
export function keyFollows(origin: string, keys: { readonly from: string; readonly to: string }, rotations: readonly Rotation[]): boolean {
  let at = keys.from;
  for (const rotation of rotations) {
    if (rotation.previous !== at) continue;
    const text = rotationText(origin, rotation);
    const [old, fresh] = [parseVkey(rotation.previous), parseVkey(rotation.vkey)];
    if (old?.name !== origin || fresh?.name !== origin || fresh.type !== keyType.log) return false;
    if (!isSigned(old.publicKey, text, rotation.signature) || !isSigned(fresh.publicKey, text, rotation.accepted)) return false;
    at = rotation.vkey;
    if (at === keys.to) return true;
  }
  return false;
}

function isSigned(key: KeyObject, text: Uint8Array, signature: string): boolean {
  return verify(null, text, key, Buffer.from(signature, 'base64'));
}

function rotationText(origin: string, pair: { readonly previous: string; readonly vkey: string }): Buffer {
  return Buffer.from(`key.rotated/v1\n${origin}\n${pair.previous}\n${pair.vkey}\n`);
}

function readText(disk: Disk, path: string): string | undefined {
  const bytes = disk.read(path);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString();
}
