import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { tilePath } from './tile-path.ts';

/** SPEC: RFC 6962 §2.1. */
export function leafHash(entry: Uint8Array): Buffer {
  const input = Buffer.allocUnsafe(entry.length + 1);
  input[0] = 0;
  input.set(entry, 1);
  return sha256(input);
}

/** The same for an entry inside of other bytes, without a copy: the byte before it is the prefix for as long as the hashing takes. */
export function leafHashWithin(bytes: Buffer, start: number, end: number): Buffer {
  const before = bytes[start - 1] ?? 0;
  bytes[start - 1] = 0;
  const leaf = sha256(bytes.subarray(start - 1, end));
  bytes[start - 1] = before;
  return leaf;
}

const pair = Buffer.alloc(65, 1);
/** SPEC: RFC 6962 §2.1. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  pair.set(left, 1);
  pair.set(right, 33);
  return sha256(pair);
}

/** Many hashes share a piece of memory: one of their own for each costs more than the hashing. */
function sha256(bytes: Uint8Array): Buffer {
  if (poolAt === pool.length) {
    pool = Buffer.alloc(poolBytes);
    poolAt = 0;
  }
  const digest = pool.subarray(poolAt, poolAt + 32);
  digest.write(hash('sha256', bytes, 'binary'), 'latin1');
  poolAt += 32;
  return digest;
}

const poolBytes = 8 * 1024;
let pool = Buffer.alloc(poolBytes);
let poolAt = 0;

/** A tile or entry bundle that belongs on disk. The path is relative to the log's folder. */
export interface TileFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/**
 * The right edge of the tree: for each tile level the hashes of the tile that is not full yet. Enough to grow and to name the root;
 * everything to the left is in full tiles on disk.
 * SPEC: C2SP tlog-tiles; a tile is 256 hashes, and a full tile of level L is one hash of level L + 1.
 */
export class Tree {
  /** `edge[L]` holds 0…255 hashes. */
  readonly #edge: Buffer[][];
  #size: number;

  constructor(size = 0, edge: Buffer[][] = []) {
    this.#size = size;
    this.#edge = edge;
  }

  get size(): number {
    return this.#size;
  }

  /** Adds a leaf and returns the tiles it filled, lowest level first. */
  add(leaf: Buffer): TileFile[] {
    const filled: TileFile[] = [];
    let hashed = leaf;
    let number = this.#size;
    this.#size += 1;
    for (let level = 0; ; level += 1) {
      const tile = (this.#edge[level] ??= []);
      tile.push(hashed);
      if (tile.length < 256) return filled;
      number = Math.floor(number / 256);
      filled.push({ path: tilePath(level, number), bytes: Buffer.concat(tile) });
      hashed = perfectRoot(tile);
      this.#edge[level] = [];
    }
  }

  /** The tiles at the right edge that are not full. */
  partial(): TileFile[] {
    const tiles: TileFile[] = [];
    let count = this.#size;
    for (let level = 0; count > 0; level += 1, count = Math.floor(count / 256)) {
      const tile = this.#edge[level] ?? [];
      assert.equal(tile.length, count % 256);
      if (tile.length > 0) tiles.push({ path: tilePath(level, Math.floor(count / 256), tile.length), bytes: Buffer.concat(tile) });
    }
    return tiles;
  }

  /** SPEC: RFC 6962 §2.1, the hash of the empty string for no entries. */
  root(): Buffer {
    let root: Buffer | undefined;
    for (const tile of this.#edge) {
      // Perfect subtrees from the smallest (rightmost) to the largest, each joined to the left of what there is.
      const peaks: Buffer[] = [];
      let from = 0;
      for (let width = 128; width >= 1; width /= 2) {
        if ((tile.length & width) === 0) continue;
        peaks.push(perfectRoot(tile.slice(from, from + width)));
        from += width;
      }
      for (const peak of peaks.reverse()) root = root === undefined ? peak : nodeHash(peak, root);
    }
    return root ?? hash('sha256', '', 'buffer');
  }
}

/** Root over a power of two of hashes. */
function perfectRoot(hashes: readonly Buffer[]): Buffer {
  let row = hashes;
  while (row.length > 1) {
    const next: Buffer[] = [];
    for (let i = 0; i < row.length; i += 2) next.push(nodeHash(row[i] ?? missing(), row[i + 1] ?? missing()));
    row = next;
  }
  return row[0] ?? missing();
}

function missing(): never {
  assert.fail('a perfect subtree has a power of two of hashes');
}
