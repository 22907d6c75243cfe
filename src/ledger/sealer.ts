import { Fault } from '#model';
import { decodeBundle, encodeBundle } from './bundle.ts';
import type { Notary } from './checkpoint.ts';
import { type Disk, folderOf, makeFolders, stage } from './disk.ts';
import { type TileFile, Tree } from './merkle.ts';
import { bundlePath, tilePath } from './tile-path.ts';

/**
 * Turns durable entries into tiles, bundles and checkpoints, in steps of one file, so that records never wait for longer than that.
 * What it writes is a pure function of the entries; recovery feeds it the same entries again and it writes what is missing.
 */
export class Sealer {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #notary: Notary;
  readonly #tree: Tree;
  /** Entries of the bundle that is not full yet. */
  #tail: Buffer[] = [];
  /** Full tiles and bundles that are not durable yet, by path. */
  readonly #pending = new Map<string, Uint8Array>();
  /** Full tiles and bundles whose narrower ones go when this size is signed. */
  readonly #replaced: { readonly path: string; readonly size: number }[] = [];
  #steps: Generator<void> | undefined;

  /** `tree` and `tail` describe the log at the size where the caller begins to add entries. */
  constructor(place: { disk: Disk; directory: string; notary: Notary }, start: { tree: Tree; tail: readonly Buffer[] }) {
    this.#disk = place.disk;
    this.#directory = place.directory;
    this.#notary = place.notary;
    this.#tree = start.tree;
    this.#tail = [...start.tail];
  }

  get size(): number {
    return this.#tree.size;
  }

  root(): Buffer {
    return this.#tree.root();
  }

  /** Full tiles and bundles that wait to be written. */
  get backlog(): number {
    return this.#pending.size;
  }

  /** Takes a durable entry. */
  add(entry: Buffer, leaf: Buffer): void {
    const filled = this.#tree.add(leaf);
    this.#tail.push(entry);
    if (filled.length === 0) return;
    this.#pending.set(bundlePath(this.#tree.size / 256 - 1), encodeBundle(this.#tail));
    for (const tile of filled) this.#pending.set(tile.path, tile.bytes);
    this.#tail = [];
  }

  /** Entries from index `first`: those of one bundle at most; empty beyond the end. */
  read(first: number): Uint8Array[] {
    const tailFirst = this.size - this.#tail.length;
    if (first >= tailFirst) return this.#tail.slice(first - tailFirst);
    return readBundle(this.#disk, this.#directory, Math.floor(first / 256), this.#pending).slice(first % 256);
  }

  /** True while there are steps to do. */
  get busy(): boolean {
    return this.#steps !== undefined;
  }

  /** Begins to seal and sign the present size, unless that is being done or was done. */
  begin(): void {
    if (this.#steps !== undefined || (this.#pending.size === 0 && this.#notary.last?.size === this.size) || this.size === 0) return;
    this.#steps = this.#seal();
  }

  /** Does one step. An error ends this attempt; what was not written stays pending. */
  step(): void {
    try {
      if (this.#steps?.next().done === true) this.#steps = undefined;
    } catch (error) {
      this.#steps = undefined;
      throw error;
    }
  }

  // Tiles first, names made durable, and only then the signature that promises them.
  *#seal(): Generator<void> {
    const checkpoint = { size: this.size, root: this.root() };
    const full = [...this.#pending];
    const partial: TileFile[] = this.#tree.partial();
    if (this.#tail.length > 0)
      partial.push({ path: bundlePath(Math.floor(this.size / 256), this.#tail.length), bytes: encodeBundle(this.#tail) });
    const folders = new Set<string>();
    for (const [path, bytes] of [...full, ...partial.map(({ path, bytes }) => [path, bytes] as const)]) {
      this.#write(path, bytes, folders);
      yield;
    }
    for (const folder of folders) {
      this.#disk.syncFolder(folder);
      yield;
    }
    for (const [path] of full) {
      this.#pending.delete(path);
      this.#replaced.push({ path, size: checkpoint.size });
    }
    this.#notary.publish(checkpoint);
    yield;
    this.tidy();
  }

  /** Removes what a signed size made superfluous. SPEC: C2SP tlog-tiles: partial tiles may go once the full tile is there. */
  tidy(): void {
    const signed = this.#notary.last?.size ?? 0;
    for (let next = this.#replaced[0]; next !== undefined && next.size <= signed; next = this.#replaced[0]) {
      this.#removePartials(next.path);
      this.#replaced.shift();
    }
  }

  #write(path: string, bytes: Uint8Array, folders: Set<string>): void {
    const target = `${this.#directory}/${path}`;
    const folder = folderOf(target);
    folders.add(folder);
    const present = this.#disk.read(target);
    if (present !== undefined) {
      // Only after a crash between writing and signing. Anything else here is not ours to overwrite: it is evidence.
      if (Buffer.compare(present, bytes) === 0) return;
      throw new Fault('LEDGER_CORRUPT', `${path} differs from the entries it was made of`);
    }
    makeFolders(this.#disk, folder);
    stage(this.#disk, target, bytes);
  }

  #removePartials(path: string): void {
    const folder = `${this.#directory}/${path}.p`;
    const widths = this.#disk.list(folder);
    for (const width of widths) this.#disk.remove(`${folder}/${width}`);
    if (widths.length > 0) this.#disk.removeFolder(folder);
  }
}

/** The entries of a full bundle, from those not written yet or from disk. */
export function readBundle(disk: Disk, directory: string, number: number, pending?: ReadonlyMap<string, Uint8Array>): Uint8Array[] {
  const path = bundlePath(number);
  const bytes = pending?.get(path) ?? disk.read(`${directory}/${path}`);
  const entries = bytes === undefined ? undefined : decodeBundle(bytes);
  if (entries === undefined) throw new Fault('LEDGER_CORRUPT', `entry bundle ${path} is ${bytes === undefined ? 'missing' : 'damaged'}`);
  return entries;
}

/** The right edge of the tree at `size`, read from the tiles on disk. */
export function readTree(disk: Disk, directory: string, size: number): Tree {
  const edge: Buffer[][] = [];
  for (let level = 0, count = size; count > 0; level += 1, count = Math.floor(count / 256)) {
    const width = count % 256;
    if (width === 0) {
      edge[level] = [];
      continue;
    }
    const full = `${directory}/${tilePath(level, Math.floor(count / 256))}`;
    const widths = disk
      .list(`${full}.p`)
      .map(Number)
      .filter((one) => one >= width);
    const bytes = disk.read(full) ?? (widths[0] === undefined ? undefined : disk.read(`${full}.p/${Math.min(...widths)}`));
    if (bytes === undefined || bytes.length < width * 32)
      throw new Fault('LEDGER_CORRUPT', `a tile of level ${level} for size ${size} is missing or damaged`);
    edge[level] = Array.from({ length: width }, (_, i) => Buffer.from(bytes.subarray(i * 32, i * 32 + 32)));
  }
  return new Tree(size, edge);
}
