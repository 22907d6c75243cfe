import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { World } from '#model';
import type { Format } from '../mapping/format.ts';
import { formatted } from '../mapping/format.ts';
import { failed, taken } from '../sink.ts';
import type { Transport } from '../sink.ts';

export interface FileOptions {
  readonly path: string;
  readonly format: Format;
  /** The file is put aside before it would grow larger than this. */
  readonly rotateBytes: number;
  /** How many of those put aside are kept; all when absent. */
  readonly keep?: number | undefined;
}

/**
 * Lines in a file, mode 0600, durable before they count as delivered. A file that is full is renamed to `path.` and the moment of it. What a
 * crash left of a line is cut off: its record was not acknowledged and comes again.
 */
export function fileTransport(options: FileOptions, world: World): Transport {
  return {
    async deliver(events) {
      const bytes = Buffer.from(events.map((event) => `${formatted(event, options.format)}\n`).join(''), 'utf8');
      try {
        rotate(options, bytes.length, world);
      } catch (error) {
        return failed(`${options.path} cannot be rotated: ${message(error)}`, 'nothing');
      }
      return append(options.path, bytes);
    },
    close: async () => undefined,
  };
}

function open(path: string): number {
  return openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
}

function append(path: string, bytes: Uint8Array) {
  let file: number | undefined;
  let size = -1;
  try {
    file = open(path);
    const found = fstatSync(file);
    if (!found.isFile()) return failed(`${path} is not a file`, 'nothing');
    size = wholeLines(file, found.size);
    if (size < found.size) ftruncateSync(file, size);
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written, bytes.length - written, size + written);
    fsyncSync(file);
    if (size === 0) syncFolder(dirname(path));
    return taken;
  } catch (error) {
    return failed(`${path} cannot be written: ${message(error)}`, undone(file, size) ? 'nothing' : 'unknown');
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Puts the file back to what it was; true when nothing of the batch is in it. */
function undone(file: number | undefined, size: number): boolean {
  if (file === undefined || size < 0) return true;
  try {
    ftruncateSync(file, size);
    fsyncSync(file);
    return true;
  } catch {
    // The next attempt finds whole lines, and marks them.
    return false;
  }
}

/** Bytes up to and with the last line feed. */
function wholeLines(file: number, size: number): number {
  const piece = Buffer.alloc(64 * 1024);
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - piece.length);
    const read = readSync(file, piece, 0, end - start, start);
    const at = piece.subarray(0, read).lastIndexOf(0x0a);
    if (at >= 0) return start + at + 1;
    end = start;
  }
  return 0;
}

function rotate({ path, rotateBytes, keep }: FileOptions, coming: number, world: World): void {
  const file = open(path);
  let size: number;
  try {
    ({ size } = fstatSync(file));
  } finally {
    closeSync(file);
  }
  if (size === 0 || size + coming <= rotateBytes) return;
  const folder = dirname(path);
  const aside = (name: string): boolean => name.startsWith(`${basename(path)}.`) && /\.\d{17}(?:-\d{6})?$/.test(name);
  const stamp = new Date(world.now()).toISOString().replaceAll(/\D/g, '');
  const taken = new Set(readdirSync(folder));
  let name = `${basename(path)}.${stamp}`;
  for (let more = 1; taken.has(name); more += 1) name = `${basename(path)}.${stamp}-${String(more).padStart(6, '0')}`;
  renameSync(path, join(folder, name));
  syncFolder(folder);
  if (keep === undefined) return;
  const old = readdirSync(folder).filter(aside).sort();
  for (const one of old.slice(0, Math.max(0, old.length - keep))) rmSync(join(folder, one), { force: true });
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
