import { equalBytes, parseJson, toHex, toText } from './bytes.ts';
import { isObject } from './grammar.ts';
import type { Findings } from './report.ts';
import type { LedgerSource, VerifyCrypto } from './source.ts';
import { leafHashInPlace, tilePath } from './tree.ts';

/** One signed entry as far as it can be trusted. */
export interface SignedEntry {
  /** The hash the tree is built with; undefined when neither bundle nor tile has it. */
  readonly leaf: Uint8Array | undefined;
  /** The entry's bytes; undefined when they are missing or not those of the leaf. */
  readonly bytes: Uint8Array | undefined;
}

interface Place {
  readonly crypto: VerifyCrypto;
  readonly findings: Findings;
}

/** A tile or bundle: the full one, or the one of exactly this width. */
export async function readTile(
  source: LedgerSource,
  at: { level: number | 'entries'; number: number; width: number },
): Promise<{ bytes: Uint8Array; path: string } | undefined> {
  const full = tilePath(at.level, at.number);
  for (const path of at.width === 256 ? [full] : [`${full}.p/${at.width}`, full]) {
    const bytes = await source.read(path);
    if (bytes !== undefined) return { bytes, path };
  }
  return undefined;
}

/** What the files have of 256 entries: the bundle and the tile with its hashes. */
export interface LoadedBundle {
  readonly number: number;
  readonly width: number;
  readonly bundle: { readonly bytes: Uint8Array; readonly path: string } | undefined;
  readonly tile: { readonly bytes: Uint8Array; readonly path: string } | undefined;
}

export async function loadBundle(source: LedgerSource, number: number, width: number): Promise<LoadedBundle> {
  const [bundle, tile] = await Promise.all([
    readTile(source, { level: 'entries', number, width }),
    readTile(source, { level: 0, number, width }),
  ]);
  return { number, width, bundle, tile };
}

// Enough to keep the processor busy while files are read, wherever they come from.
const bundlesAhead = 8;

/** The bundles of a log of this size in order, read ahead. The bytes of one are released when the next is asked for. */
export async function* loadBundles(source: LedgerSource, size: number): AsyncGenerator<LoadedBundle> {
  const ahead: Promise<LoadedBundle>[] = [];
  for (let first = 0; first < size || ahead.length > 0; first += 256) {
    if (first < size) {
      const loading = loadBundle(source, first / 256, Math.min(256, size - first));
      // A failure is thrown when it is this one's turn.
      loading.catch(() => undefined);
      ahead.push(loading);
    }
    const next = ahead.length > bundlesAhead || first >= size ? ahead.shift() : undefined;
    if (next === undefined) continue;
    const loaded = await next;
    yield loaded;
    for (const file of [loaded.bundle, loaded.tile]) if (file !== undefined) source.release?.(file.bytes);
  }
}

/** The hash over a bundle that was removed together with its tile, from the tile above; undefined when it was not removed. */
export async function prunedHash(source: LedgerSource, loaded: LoadedBundle, size: number): Promise<Uint8Array | undefined> {
  const { number } = loaded;
  if ((number + 1) * 256 > size || loaded.bundle !== undefined || loaded.tile !== undefined) return undefined;
  const above = Math.floor(number / 256);
  const width = Math.min(256, Math.floor(size / 256) - above * 256);
  const tile = await readTile(source, { level: 1, number: above, width });
  const at = (number % 256) * 32;
  return tile === undefined || tile.bytes.length < at + 32 ? undefined : tile.bytes.slice(at, at + 32);
}

/**
 * The entries of one bundle, each against its hash in the tile. One finding at most for each bundle names the first entry that is
 * wrong: behind a length that was changed or an entry that was taken out, everything is shifted.
 */
export function checkBundle(place: Place, { number, width, bundle, tile }: LoadedBundle): SignedEntry[] {
  const first = number * 256;
  if (bundle === undefined)
    place.findings.tampered(tilePath('entries', number), `the entries ${first} to ${first + width - 1} were signed but are missing`, first);
  const whole = tile !== undefined && tile.bytes.length === (tile.path.includes('.p/') ? width : 256) * 32;
  if (tile === undefined)
    place.findings.add('hole', tilePath(0, number), 'the tile is missing; it can be made again from the entries', first);
  else if (!whole)
    place.findings.tampered(
      tile.path,
      `the tile has ${tile.bytes.length} bytes`,
      first + Math.min(width - 1, Math.floor(tile.bytes.length / 32)),
    );
  const hashes = Array.from({ length: width }, (_, k) =>
    tile === undefined || tile.bytes.length < k * 32 + 32 ? undefined : tile.bytes.subarray(k * 32, k * 32 + 32),
  );
  // Copies, here and below: the tree keeps a leaf longer than the file is kept.
  if (bundle === undefined) return hashes.map((leaf) => ({ leaf: leaf?.slice(), bytes: undefined }));
  return compare(place, { ...bundle, first, hashes, tile: tilePath(0, number) });
}

interface Pair {
  readonly bytes: Uint8Array;
  readonly path: string;
  readonly first: number;
  readonly hashes: readonly (Uint8Array | undefined)[];
  readonly tile: string;
}

function compare(place: Place, pair: Pair): SignedEntry[] {
  const { crypto, findings } = place;
  const entries: SignedEntry[] = [];
  let at = 0;
  let reported = false;
  const report = (what: string, message: string, k: number): void => {
    if (!reported) findings.tampered(what, message, pair.first + k);
    reported = true;
  };
  for (const [k, expected] of pair.hashes.entries()) {
    const range = entryAt(pair.bytes, at);
    if (range === undefined) {
      report(pair.path, `the bundle cannot be split into entries from entry ${pair.first + k} on`, k);
      entries.push({ leaf: expected?.slice(), bytes: undefined });
      continue;
    }
    at = range.end;
    const bytes = pair.bytes.subarray(range.start, range.end);
    const leaf = leafHashInPlace(crypto, pair.bytes, range.start, range.end);
    if (expected === undefined || equalBytes(leaf, expected)) entries.push({ leaf, bytes });
    else if (nextLinksTo(pair.bytes, at, leaf)) {
      // The following record quotes this very entry, so it is the tile that was changed.
      report(pair.tile, `the tile has another hash for entry ${pair.first + k}`, k);
      entries.push({ leaf, bytes });
    } else {
      report(pair.path, `entry ${pair.first + k} is not the one that was hashed`, k);
      entries.push({ leaf: expected.slice(), bytes: undefined });
    }
  }
  const full = !pair.path.includes('.p/');
  if (at !== pair.bytes.length && !(full && pair.hashes.length < 256))
    report(pair.path, 'the bundle has bytes after its last entry', pair.hashes.length - 1);
  return entries;
}

function entryAt(bytes: Uint8Array, at: number): { start: number; end: number } | undefined {
  if (at + 2 > bytes.length) return undefined;
  const start = at + 2;
  const end = start + (((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0));
  return end > bytes.length ? undefined : { start, end };
}

function nextLinksTo(bytes: Uint8Array, at: number, leaf: Uint8Array): boolean {
  const range = entryAt(bytes, at);
  const next = range === undefined ? undefined : parseJson(toText(bytes.subarray(range.start, range.end)));
  return isObject(next) && next.prev === toHex(leaf);
}
