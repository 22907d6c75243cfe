import type { Disk, DiskFile } from '../disk.ts';
import type { LedgerSource } from '../verify/index.ts';

const sectorBytes = 512;

/** What a process gets instead of returning from a call when the power goes. */
export class PowerCut extends Error {}

interface Inode {
  /** What a reader sees. */
  written: Buffer;
  /** What is surely on the medium. */
  synced: Buffer;
  /** Sectors written since the last sync. */
  readonly dirty: Set<number>;
}

type NameChange = { readonly path: string; readonly inode: Inode | undefined };

/**
 * A disk in memory that separates what was written from what was synced. At a power cut every sector that was not synced is kept or
 * lost by a coin, lengths are cut anywhere between the old and the new one, and names that were not synced in their folder are lost
 * from some point on.
 */
export class SimulatedDisk implements Disk {
  #files = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  readonly #pendingNames: NameChange[] = [];
  readonly #folders = new Set<string>(['/']);
  /** Calls until the power goes. */
  fuse = Number.POSITIVE_INFINITY;
  #losing = false;
  /** Bytes that can still be written. */
  room = Number.POSITIVE_INFINITY;

  makeFolder(path: string): void {
    this.#tick();
    this.#folders.add(path);
  }

  list(path: string): readonly string[] {
    const names = new Set<string>();
    for (const known of [...this.#files.keys(), ...this.#folders]) {
      if (known.startsWith(`${path}/`)) names.add(known.slice(path.length + 1).split('/')[0] ?? '');
    }
    return [...names].sort();
  }

  read(path: string, range?: { offset: number; length: number }): Buffer | undefined {
    const bytes = this.#files.get(path)?.written;
    if (bytes === undefined) return undefined;
    return Buffer.from(range === undefined ? bytes : bytes.subarray(range.offset, range.offset + range.length));
  }

  size(path: string): number | undefined {
    if (this.#folders.has(path)) return 0;
    return this.#files.get(path)?.written.length;
  }

  open(path: string, how: 'create' | 'existing'): DiskFile {
    this.#tick();
    let inode = this.#files.get(path);
    if (inode === undefined) {
      if (how === 'existing') throw Object.assign(new Error(`no file ${path}`), { code: 'ENOENT' });
      inode = { written: Buffer.alloc(0), synced: Buffer.alloc(0), dirty: new Set() };
      this.#name(path, inode);
    } else if (how === 'create') this.#resize(inode, 0);
    const file = inode;
    return {
      write: (bytes, position) => this.#write(file, bytes, position),
      sync: () => {
        this.#tick();
        if (this.#losing) {
          this.#losing = false;
          // As a kernel does: the pages count as clean from now on, and the next sync succeeds.
          file.dirty.clear();
          throw Object.assign(new Error('input/output error'), { code: 'EIO' });
        }
        syncSectors(file);
      },
      truncate: (length) => {
        this.#tick();
        this.#resize(file, length);
      },
      close: () => undefined,
    };
  }

  rename(from: string, to: string): void {
    this.#tick();
    const inode = this.#files.get(from);
    if (inode === undefined) throw Object.assign(new Error(`no file ${from}`), { code: 'ENOENT' });
    this.#name(to, inode);
    this.#name(from, undefined);
  }

  remove(path: string): void {
    this.#tick();
    if (this.#files.has(path)) this.#name(path, undefined);
  }

  removeFolder(path: string): void {
    this.#tick();
    this.#folders.delete(path);
  }

  syncFolder(path: string): void {
    this.#tick();
    // Only this folder's names become durable; those of others stay open, in order.
    for (let i = 0; i < this.#pendingNames.length; ) {
      const change = this.#pendingNames[i];
      if (change !== undefined && change.path.slice(0, change.path.lastIndexOf('/')) === path) {
        this.#apply(change);
        this.#pendingNames.splice(i, 1);
      } else i += 1;
    }
  }

  /** The next sync fails, and what it should have made durable is lost at the next power cut. */
  loseNextSync(): void {
    this.#losing = true;
  }

  free(): number {
    return this.room;
  }

  /** The disk as it may be found after a power cut; `coin(n)` gives a number from 0 to n - 1. */
  afterPowerCut(coin: (sides: number) => number): SimulatedDisk {
    const after = new SimulatedDisk();
    const kept = this.#pendingNames.splice(0, coin(this.#pendingNames.length + 1));
    for (const change of kept) this.#apply(change);
    for (const [path, inode] of this.#durableNames) {
      const survived = tear(inode, coin);
      after.#files.set(path, survived);
      after.#durableNames.set(path, survived);
    }
    for (const folder of this.#folders) after.#folders.add(folder);
    return after;
  }

  /** The same without cutting the power: this disk goes on as it was. */
  peekPowerCut(coin: (sides: number) => number): SimulatedDisk {
    const after = new SimulatedDisk();
    const names = new Map(this.#durableNames);
    for (const { path, inode } of this.#pendingNames.slice(0, coin(this.#pendingNames.length + 1))) {
      if (inode === undefined) names.delete(path);
      else names.set(path, inode);
    }
    for (const [path, inode] of names) {
      const survived = tear(inode, coin);
      after.#files.set(path, survived);
      after.#durableNames.set(path, survived);
    }
    for (const folder of this.#folders) after.#folders.add(folder);
    return after;
  }

  /** An exact copy, all of it durable. */
  copy(): SimulatedDisk {
    const copy = new SimulatedDisk();
    for (const [path, { written }] of this.#files) {
      const inode = { written: Buffer.from(written), synced: Buffer.from(written), dirty: new Set<number>() };
      copy.#files.set(path, inode);
      copy.#durableNames.set(path, inode);
    }
    for (const folder of this.#folders) copy.#folders.add(folder);
    return copy;
  }

  paths(): string[] {
    return [...this.#files.keys()].sort();
  }

  /** Puts bytes in a file as somebody with an editor would. */
  put(path: string, bytes: Uint8Array | undefined): void {
    if (bytes === undefined) {
      this.#files.delete(path);
      return;
    }
    const inode = { written: Buffer.from(bytes), synced: Buffer.from(bytes), dirty: new Set<number>() };
    this.#files.set(path, inode);
    this.#durableNames.set(path, inode);
  }

  /** Changes one bit in place, and back when called again. */
  flip(path: string, bit: number): void {
    const bytes = this.#files.get(path)?.written;
    if (bytes !== undefined) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  }

  /** The files below a folder as the verifier reads them. */
  source(folder: string): LedgerSource {
    return {
      read: (path, range) => Promise.resolve(this.read(`${folder}/${path}`, range)),
      list: (path) => Promise.resolve(this.list(`${folder}/${path}`)),
    };
  }

  #tick(): void {
    this.fuse -= 1;
    if (this.fuse < 0) throw new PowerCut('the power went');
  }

  #write(inode: Inode, bytes: Uint8Array, position: number): number {
    const count = Math.min(bytes.length, this.room);
    // A cut in the middle of a write: it may have happened in part.
    const cut = this.fuse < 1;
    if (position + count > inode.written.length) this.#resize(inode, position + count);
    inode.written.set(bytes.subarray(0, count), position);
    for (let sector = Math.floor(position / sectorBytes); sector * sectorBytes < position + count; sector += 1) inode.dirty.add(sector);
    this.room -= count;
    if (cut) this.fuse = 0;
    this.#tick();
    return count;
  }

  #resize(inode: Inode, length: number): void {
    const old = inode.written;
    inode.written = Buffer.alloc(length);
    old.copy(inode.written);
    for (
      let sector = Math.floor(Math.min(old.length, length) / sectorBytes);
      sector * sectorBytes < Math.max(old.length, length);
      sector += 1
    )
      inode.dirty.add(sector);
    this.room += Math.max(0, old.length - length);
  }

  #name(path: string, inode: Inode | undefined): void {
    if (inode === undefined) this.#files.delete(path);
    else this.#files.set(path, inode);
    this.#pendingNames.push({ path, inode });
  }

  #apply({ path, inode }: NameChange): void {
    if (inode === undefined) this.#durableNames.delete(path);
    else this.#durableNames.set(path, inode);
  }
}

function syncSectors(inode: Inode): void {
  if (inode.synced.length !== inode.written.length) {
    const resized = Buffer.alloc(inode.written.length);
    inode.synced.copy(resized);
    inode.synced = resized;
  }
  for (const sector of inode.dirty)
    if (sector * sectorBytes < inode.written.length)
      inode.written.copy(inode.synced, sector * sectorBytes, sector * sectorBytes, (sector + 1) * sectorBytes);
  inode.dirty.clear();
}

/** A file with a coin's choice of what was not synced. */
function tear(inode: Inode, coin: (sides: number) => number): Inode {
  const [shorter, longer] = [inode.synced.length, inode.written.length].sort((a, b) => a - b);
  const length = (shorter ?? 0) + coin((longer ?? 0) - (shorter ?? 0) + 1);
  const bytes = Buffer.alloc(length);
  inode.synced.copy(bytes);
  for (const sector of inode.dirty) {
    if (coin(2) === 0) continue;
    const from = sector * sectorBytes;
    if (from < Math.min(length, inode.written.length))
      inode.written.copy(bytes, from, from, Math.min(from + sectorBytes, inode.written.length));
  }
  return { written: bytes, synced: Buffer.from(bytes), dirty: new Set() };
}
