import { Fault } from '#model';
import type { Disk } from './disk.ts';
import { nodeHash } from './merkle.ts';
import { tilePath } from './tile-path.ts';

/** Two sizes of one log, with their roots. */
export interface Growth {
  readonly from: { readonly size: number; readonly root: Buffer };
  readonly to: { readonly size: number; readonly root: Buffer };
}

/** True when the proof shows that the log of the smaller size was only appended to. SPEC: RFC 9162 §2.1.4.2. */
export function isConsistent({ from, to }: Growth, proof: readonly Buffer[]): boolean {
  if (from.size === 0) return proof.length === 0;
  if (from.size === to.size) return proof.length === 0 && from.root.equals(to.root);
  if (from.size > to.size) return false;
  let [fn, sn] = [from.size - 1, to.size - 1];
  for (; fn % 2 === 1; sn = Math.floor(sn / 2)) fn = (fn - 1) / 2;
  // A perfect tree is its own first node, so the proof leaves it out.
  const [first, ...rest] = fn === 0 ? [from.root, ...proof] : proof;
  if (first === undefined) return false;
  let [older, newer] = [first, first];
  for (const node of rest) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      older = nodeHash(node, older);
      newer = nodeHash(node, newer);
      for (; fn % 2 === 0 && fn > 0; sn = Math.floor(sn / 2)) fn /= 2;
    } else newer = nodeHash(newer, node);
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  return sn === 0 && older.equals(from.root) && newer.equals(to.root);
}

/**
 * The proof that the log at size `from` became the log at size `to`, which must be signed, so that its tiles are on disk.
 * SPEC: RFC 6962 §2.1.2. Faults: LEDGER_CORRUPT when a tile is missing.
 */
export function proveConsistency(disk: Disk, directory: string, sizes: { readonly from: number; readonly to: number }): Buffer[] {
  const { from, to } = sizes;
  if (from === 0 || from === to) return [];
  const tiles = new Tiles(disk, directory, to);
  const proof: Buffer[] = [];
  let [low, high] = [0, to];
  // The subtree on the way down is whole in the smaller log as long as nothing to the left was split off.
  while (high !== from) {
    const middle = low + below(high - low);
    if (from <= middle) {
      proof.unshift(tiles.range(middle, high));
      high = middle;
    } else {
      proof.unshift(tiles.range(low, middle));
      low = middle;
    }
  }
  if (low > 0) proof.unshift(tiles.range(low, high));
  return proof;
}

/**
 * The proof that the entry at `index` is in the log at `size`, which must be signed: hashes from the sibling of the leaf to a child of the root.
 * SPEC: RFC 6962 §2.1.1. Faults: LEDGER_CORRUPT when a tile is missing.
 */
export function proveInclusion(
  disk: Disk,
  directory: string,
  { index, size }: { readonly index: number; readonly size: number },
): Buffer[] {
  const tiles = new Tiles(disk, directory, size);
  const proof: Buffer[] = [];
  let [low, high] = [0, size];
  while (high - low > 1) {
    const middle = low + below(high - low);
    proof.unshift(index < middle ? tiles.range(middle, high) : tiles.range(low, middle));
    if (index < middle) high = middle;
    else low = middle;
  }
  return proof;
}

/** Hashes of a log at a signed size, from its tiles. */
class Tiles {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #size: number;

  constructor(disk: Disk, directory: string, size: number) {
    this.#disk = disk;
    this.#directory = directory;
    this.#size = size;
  }

  /** Hash over the leaves from `low` up to `high`, where `low` is a multiple of a power of two at least as large as their number. */
  range(low: number, high: number): Buffer {
    const count = high - low;
    for (let level = 0, width = 1; width <= count; level += 1, width *= 256) if (width === count) return this.#stored(level, low / count);
    const middle = low + below(count);
    return nodeHash(this.range(low, middle), this.range(middle, high));
  }

  #stored(level: number, index: number): Buffer {
    const number = Math.floor(index / 256);
    const width = Math.min(256, Math.floor(this.#size / 256 ** level) - number * 256);
    const paths = width === 256 ? [tilePath(level, number)] : [tilePath(level, number, width), tilePath(level, number)];
    for (const path of paths) {
      const bytes = this.#disk.read(`${this.#directory}/${path}`);
      const at = (index % 256) * 32;
      if (bytes !== undefined && bytes.length >= at + 32) return Buffer.from(bytes.subarray(at, at + 32));
    }
    throw new Fault('LEDGER_CORRUPT', `tile ${paths[0] ?? ''} is missing or damaged`);
  }
}

/** The largest power of two below the count, which is at least 2. */
function below(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}
