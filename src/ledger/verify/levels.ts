import { concat, equalBytes } from './bytes.ts';
import { readTile } from './bundles.ts';
import type { Findings } from './report.ts';
import type { LedgerSource } from './source.ts';
import { tilePath } from './tree.ts';

/**
 * Checks the tiles above the leaves against the tree that the leaves gave, and at the end every narrower tile and bundle that is kept
 * for readers with an older checkpoint.
 */
export class Levels {
  readonly #source: LedgerSource;
  readonly #findings: Findings;
  /** Per level from 1: hashes of the tile that is being filled. */
  readonly #filling: Uint8Array[][] = [];
  readonly #full: { level: number; number: number; hashes: Uint8Array[] }[] = [];

  constructor(source: LedgerSource, findings: Findings) {
    this.#source = source;
    this.#findings = findings;
  }

  /** The tree grew a node of this level. */
  add(level: number, index: number, hash: Uint8Array): void {
    if (level === 0) return;
    const tile = (this.#filling[level] ??= []);
    tile.push(hash);
    if (tile.length < 256) return;
    this.#full.push({ level, number: Math.floor(index / 256), hashes: tile });
    this.#filling[level] = [];
  }

  /** Compares the tiles that were filled since the last call. */
  async check(): Promise<void> {
    for (const tile of this.#full.splice(0)) await this.#compare(tile);
  }

  /** At the signed size: the tiles at the right edge. `last` is what the unfinished bundle holds. */
  async end(
    size: number,
    last: { readonly leaves: readonly Uint8Array[]; readonly bundle: Uint8Array; readonly ends: readonly number[] },
  ): Promise<void> {
    await this.check();
    for (let level = 1, count = Math.floor(size / 256); count > 0; level += 1, count = Math.floor(count / 256)) {
      const hashes = this.#filling[level] ?? [];
      const number = Math.floor(count / 256);
      if (hashes.length > 0) await this.#compare({ level, number, hashes });
      await this.#narrower(tilePath(level, number), {
        firstOf: (width) => (number * 256 + width) * 256 ** level,
        of: (width) => concat(...hashes.slice(0, width)),
        width: hashes.length,
      });
    }
    const number = Math.floor(size / 256);
    const firstOf = (width: number): number => number * 256 + width;
    await this.#narrower(tilePath(0, number), {
      firstOf,
      of: (width) => concat(...last.leaves.slice(0, width)),
      width: last.leaves.length,
    });
    await this.#narrower(tilePath('entries', number), {
      firstOf,
      of: (width) => last.bundle.subarray(0, last.ends[width - 1]),
      width: last.ends.length,
    });
  }

  async #compare(tile: { level: number; number: number; hashes: readonly Uint8Array[] }): Promise<void> {
    const stored = await readTile(this.#source, { ...tile, width: tile.hashes.length });
    const span = 256 ** tile.level;
    const first = tile.number * 256 * span;
    const path = tilePath(tile.level, tile.number);
    if (stored === undefined) return this.#findings.add('hole', path, 'the tile is missing; it can be made again from the entries', first);
    for (const [k, hash] of tile.hashes.entries()) {
      if (equalBytes(stored.bytes.subarray(k * 32, k * 32 + 32), hash)) continue;
      return this.#findings.tampered(
        stored.path,
        `the tile has another hash for the entries ${first + k * span} to ${first + (k + 1) * span - 1}`,
        first + k * span,
      );
    }
    const width = stored.path.includes('.p/') ? tile.hashes.length : 256;
    if (stored.bytes.length !== width * 32) this.#findings.tampered(stored.path, `the tile has ${stored.bytes.length} bytes`, first);
  }

  async #narrower(
    path: string,
    expected: { of: (width: number) => Uint8Array; width: number; firstOf: (width: number) => number },
  ): Promise<void> {
    for (const name of await this.#source.list(`${path}.p`)) {
      const width = Number(name);
      // Wider ones were written by a crash before anything was signed about them; others are unfinished temporary files.
      if (!/^[1-9]\d{0,2}$/.test(name) || width >= expected.width) continue;
      const bytes = await this.#source.read(`${path}.p/${name}`);
      const wanted = expected.of(width);
      if (bytes === undefined || equalBytes(bytes, wanted)) continue;
      const at = bytes.findIndex((byte, k) => byte !== wanted[k]);
      const share = Math.floor(((at < 0 ? bytes.length : at) / Math.max(1, wanted.length)) * width);
      this.#findings.tampered(`${path}.p/${name}`, 'differs from the entries it was made of', expected.firstOf(Math.min(share, width - 1)));
    }
  }
}
