import type { Fault } from '#model';

/**
 * The few things the ledger asks of a file system, all synchronous: the writer has a thread of its own, where waiting is the point.
 * A narrow door, so that a simulated disk that loses what was never synced can stand in for the real one.
 * Paths are absolute. Every method may throw the system's error with its `code`; `write` may also write less than it was given.
 */
export interface Disk {
  /** Makes one folder, readable by this user only. */
  makeFolder(path: string): void;
  /** Names in a folder, sorted; empty when there is none. */
  list(path: string): readonly string[];
  /** The whole file, or `length` bytes from `offset`; undefined when there is none. */
  read(path: string, range?: { readonly offset: number; readonly length: number }): Uint8Array | undefined;
  /** Bytes, or undefined when there is no such file. */
  size(path: string): number | undefined;
  /** Opens for reading and writing; `create` makes it (mode 0600) or empties it. */
  open(path: string, how: 'create' | 'existing'): DiskFile;
  rename(from: string, to: string): void;
  remove(path: string): void;
  removeFolder(path: string): void;
  /** Makes the names in a folder durable. */
  syncFolder(path: string): void;
  /** Bytes this user can still write to the file system of the path. */
  free(path: string): number;
}

export interface DiskFile {
  /** Returns the number of bytes written, which on a full disk can be fewer without any error. */
  write(bytes: Uint8Array, position: number): number;
  /** Makes data and length durable. */
  sync(): void;
  truncate(length: number): void;
  close(): void;
}

/** The disk has no room: the one failure after which the ledger goes on, refusing. */
export class NoSpace extends Error {}

export function isNoSpace(thrown: unknown): boolean {
  if (thrown instanceof NoSpace) return true;
  const code = systemCode(thrown);
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** The system's error code (`EIO`…), where the thrown value has one. */
export function systemCode(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}

/**
 * Writes all of it or throws. A short write is how a full disk shows itself without an error; with room left it means that
 * something is broken, and what is in the file is then unknown.
 */
export function writeAll(file: DiskFile, bytes: Uint8Array, at: { position: number; disk: Disk; path: string }): void {
  const written = file.write(bytes, at.position);
  if (written === bytes.length) return;
  if (at.disk.free(at.path) < bytes.length - written + fileSystemSlackBytes)
    throw new NoSpace(`short write: ${written} of ${bytes.length} bytes`);
  throw new ShortWrite(`short write of ${at.path}: ${written} of ${bytes.length} bytes`);
}

// File systems refuse data before their count of free bytes reaches zero.
const fileSystemSlackBytes = 1024 * 1024;

export class ShortWrite extends Error {}

/** Replaces a file so that after a crash it has the old or the new content, never a mixture. */
export function writeDurably(disk: Disk, path: string, bytes: Uint8Array): void {
  stage(disk, path, bytes);
  disk.syncFolder(folderOf(path));
}

/** The same without making the name durable: the caller syncs the folder once for many files. */
export function stage(disk: Disk, path: string, bytes: Uint8Array): void {
  const temporary = `${path}.tmp`;
  const file = disk.open(temporary, 'create');
  try {
    writeAll(file, bytes, { position: 0, disk, path: temporary });
    file.sync();
  } catch (error) {
    if (isNoSpace(error)) disk.remove(temporary);
    throw error;
  } finally {
    file.close();
  }
  disk.rename(temporary, path);
}

/** Makes the folders on the way to `path` that are missing, each durable in its parent. */
export function makeFolders(disk: Disk, path: string): void {
  if (disk.size(path) !== undefined) return;
  const parent = folderOf(path);
  makeFolders(disk, parent);
  disk.makeFolder(path);
  disk.syncFolder(parent);
}

export function folderOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')));
}

/** How a thread hands a fault to another. */
export interface PlainFault {
  readonly code: Fault['code'];
  readonly message: string;
}
