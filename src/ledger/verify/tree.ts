import { equalBytes } from './bytes.ts';
import type { VerifyCrypto } from './source.ts';

/** SPEC: RFC 6962 §2.1. The byte before `start` must be writable: it is the prefix for as long as it takes, which saves a copy. */
export function leafHashInPlace(crypto: VerifyCrypto, bytes: Uint8Array, start: number, end: number): Uint8Array {
  const before = bytes[start - 1] ?? 0;
  bytes[start - 1] = 0;
  const leaf = crypto.sha256(bytes.subarray(start - 1, end));
  bytes[start - 1] = before;
  return leaf;
}

export function leafHash(crypto: VerifyCrypto, entry: Uint8Array): Uint8Array {
  const input = new Uint8Array(entry.length + 1);
  input.set(entry, 1);
  return crypto.sha256(input);
}

/** SPEC: RFC 6962 §2.1. */
export function nodeHash(crypto: VerifyCrypto, left: Uint8Array, right: Uint8Array): Uint8Array {
  pair.set(left, 1);
  pair.set(right, 33);
  return crypto.sha256(pair);
}

// Used by one call at a time: the hash is taken before anything else runs.
const pair = new Uint8Array(65).fill(1, 0, 1);

/**
 * A tree that only grows: one hash for each perfect subtree, largest first, as in a binary counter.
 * SPEC: RFC 6962 §2.1.
 */
export class GrowingTree {
  readonly #crypto: VerifyCrypto;
  readonly #onNode: (level: number, index: number, hash: Uint8Array) => void;
  /** `#peaks[k]` is the hash over 2^k leaves when bit k of the size is set. */
  readonly #peaks: (Uint8Array | undefined)[] = [];
  #size = 0;

  /** `onNode` hears of the root of every perfect subtree of 256^level leaves, the `index`-th of its level. */
  constructor(crypto: VerifyCrypto, onNode: (level: number, index: number, hash: Uint8Array) => void) {
    this.#crypto = crypto;
    this.#onNode = onNode;
  }

  get size(): number {
    return this.#size;
  }

  add(leaf: Uint8Array): void {
    this.#grow(leaf, 0);
  }

  /** Adds 256 leaves of which only the hash over all is known. The size must be a multiple of 256. */
  addTile(hash: Uint8Array): void {
    this.#grow(hash, 8);
  }

  #grow(added: Uint8Array, height: number): void {
    let hash = added;
    let power = height;
    for (; this.#peaks[power] !== undefined; power += 1) {
      if (power % 8 === 0) this.#onNode(power / 8, Math.floor(this.#size / 2 ** power), hash);
      hash = this.#node(this.#peaks[power] ?? hash, hash);
      this.#peaks[power] = undefined;
    }
    if (power % 8 === 0) this.#onNode(power / 8, Math.floor(this.#size / 2 ** power), hash);
    this.#peaks[power] = hash;
    this.#size += 2 ** height;
  }

  root(): Uint8Array {
    let root: Uint8Array | undefined;
    for (const peak of this.#peaks) if (peak !== undefined) root = root === undefined ? peak : this.#node(peak, root);
    return root ?? this.#crypto.sha256(new Uint8Array());
  }

  hasRoot(root: Uint8Array): boolean {
    return equalBytes(this.root(), root);
  }

  #node(left: Uint8Array, right: Uint8Array): Uint8Array {
    return nodeHash(this.#crypto, left, right);
  }
}

/** SPEC: C2SP tlog-tiles: path of tile or bundle (`entries`), numbers in groups of three digits. */
export function tilePath(level: number | 'entries', number: number): string {
  const groups: string[] = [];
  for (let rest = number; groups.length === 0 || rest > 0; rest = Math.floor(rest / 1000)) {
    groups.unshift(`${groups.length === 0 ? '' : 'x'}${String(rest % 1000).padStart(3, '0')}`);
  }
  return `tile/${level}/${groups.join('/')}`;
}
