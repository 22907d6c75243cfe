import { type Disk, makeFolders, writeDurably } from './disk.ts';
import { decodePrivate, decodeSigningKey, encodeSigningKey, keyType, type Signer, signerOf } from './note.ts';
import type { KeyPlace } from './keys.ts';
import { type Rotation, rotationText } from './rotations.ts';

/** How long the key before signs beside the new one: whoever pinned it has this long to learn of the change. */
export const bothSignMs = 7 * 24 * 60 * 60 * 1000;

/**
 * The private keys of a log in a folder: the one that signs, for a week after a change the one before, and one that is being introduced. A change
 * is made in two steps, `prepare` and `adopt`, between which it is recorded; each can be repeated after a crash.
 */
export class SigningKeys {
  readonly #place: KeyPlace;
  #current: Signer;
  #previous: { readonly signer: Signer; readonly until: number } | undefined;
  #next: Signer | undefined;

  private constructor(place: KeyPlace, stored: { current: Signer; next: Signer | undefined }) {
    this.#place = place;
    this.#current = stored.current;
    this.#next = stored.next;
    this.#previous = readPrevious(place, stored.current);
  }

  /** Undefined when there is no key yet. Faults: CONFIG_INVALID. */
  static open(place: KeyPlace): SigningKeys | undefined {
    const { disk, keys, origin } = place;
    const current = readText(disk, `${keys}/log.key`);
    if (current === undefined) return undefined;
    const next = readText(disk, `${keys}/log.next.key`);
    const stored = new SigningKeys(place, {
      current: decodeSigningKey(current, origin),
      next: next === undefined ? undefined : decodeSigningKey(next, origin),
    });
    // A crash can leave the new name of a file beside the old one.
    if (stored.#next?.vkey === stored.vkey) stored.discard();
    return stored;
  }

  static make(place: KeyPlace): SigningKeys {
    const { disk, keys, origin, random } = place;
    makeFolders(disk, keys);
    const seed = random(32);
    writeDurably(disk, `${keys}/log.key`, Buffer.from(encodeSigningKey(origin, seed)));
    return new SigningKeys(place, { current: signerOf(origin, seed), next: undefined });
  }

  get name(): string {
    return this.#current.name;
  }

  get vkey(): string {
    return this.#current.vkey;
  }

  /** The change that was prepared and not adopted yet, signed by both keys. */
  get next(): Rotation | undefined {
    if (this.#next === undefined) return undefined;
    const pair = { previous: this.#current.vkey, vkey: this.#next.vkey };
    const text = rotationText(this.name, pair);
    const signed = (signer: Signer): string => signer.signBytes(text).toString('base64');
    return { ...pair, signature: signed(this.#current), accepted: signed(this.#next) };
  }

  /** The signature lines of all keys that sign now. The key before goes when its time is over, so that nobody can sign with it. */
  lines(text: string, now: number): string {
    if (this.#previous !== undefined && now > this.#previous.until) {
      const { disk, keys } = this.#place;
      for (const name of ['log.previous.key', 'log.previous.until']) disk.remove(`${keys}/${name}`);
      disk.syncFolder(keys);
      this.#previous = undefined;
    }
    return `${this.#current.line(text)}${this.#previous?.signer.line(text) ?? ''}`;
  }

  /** True when one of these keys has signed the note. Ed25519 is deterministic: what a key signed is what it would sign again. */
  signed(note: string): boolean {
    const split = note.indexOf('\n\n');
    if (split < 0 || !note.endsWith('\n')) return false;
    const text = note.slice(0, split + 1);
    const lines = note.slice(split + 2, -1).split('\n');
    return [this.#current, this.#previous?.signer].some((signer) => signer !== undefined && lines.includes(signer.line(text).slice(0, -1)));
  }

  /** Makes the next key, durable, unless there is one, and says what must be recorded before it may sign. */
  prepare(): Rotation {
    const { disk, keys, origin, random } = this.#place;
    if (this.#next === undefined) {
      const seed = random(32);
      writeDurably(disk, `${keys}/log.next.key`, Buffer.from(encodeSigningKey(origin, seed)));
      this.#next = signerOf(origin, seed);
    }
    return this.next ?? { previous: '', vkey: '', signature: '', accepted: '' };
  }

  /** Forgets a change that was never recorded. */
  discard(): void {
    this.#place.disk.remove(`${this.#place.keys}/log.next.key`);
    this.#next = undefined;
  }

  /** The change is recorded: the new key signs, and the old one beside it for a while. */
  adopt(now: number): void {
    if (this.#next === undefined) return;
    const { disk, keys } = this.#place;
    const until = now + bothSignMs;
    writeDurably(disk, `${keys}/log.previous.until`, Buffer.from(`${until}\n`));
    writeDurably(disk, `${keys}/log.previous.key`, disk.read(`${keys}/log.key`) ?? new Uint8Array());
    disk.rename(`${keys}/log.next.key`, `${keys}/log.key`);
    disk.syncFolder(keys);
    this.#previous = { signer: this.#current, until };
    this.#current = this.#next;
    this.#next = undefined;
  }
}

/** The key before, when there is one; one that a crash left beside itself is none. */
function readPrevious({ disk, keys, origin }: KeyPlace, current: Signer): { signer: Signer; until: number } | undefined {
  const stored = readText(disk, `${keys}/log.previous.key`);
  if (stored === undefined) return undefined;
  const signer = signerOf(origin, decodePrivate(stored, origin, keyType.log));
  const until = Number(readText(disk, `${keys}/log.previous.until`) ?? 0);
  return signer.vkey === current.vkey ? undefined : { signer, until };
}

function readText(disk: Disk, path: string): string | undefined {
  const bytes = disk.read(path);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString();
}
