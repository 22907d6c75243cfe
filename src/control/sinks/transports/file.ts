import { closeSync, constants, fstatSync, fsyncSync, openSync, readSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { World } from '#model';
import type { Format } from '../mapping/format.ts';
import { formatted } from '../mapping/format.ts';
import { failed, taken } from '../sink.ts';
import type { Delivery, Transport } from '../sink.ts';

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
 * crash left of a line is cut off: its record was not acknowledged and comes again. The disk is waited for elsewhere than on the thread that
 * answers everybody else.
 */
export function fileTransport(options: FileOptions, world: World): Transport {
  const deliver = async (bytes: Uint8Array): Promise<Delivery> => {
    try {
      rotate(options, bytes.length, world);
    } catch (error) {
      return failed(`${options.path} cannot be rotated: ${message(error)}`, 'nothing');
    }
    return append(options.path, bytes);
  };
  return {
    deliver: (events) => {
      const bytes = Buffer.from(events.map((event) => `${formatted(event, options.format)}\n`).join(''), 'utf8');
      return inTurn(options.path, () => deliver(bytes));
    },
    close: async () => undefined,
  };
}

const turns = new Map<string, Promise<unknown>>();

/** One after another for each file: an event that is sent to try it out must not land in the middle of a batch. */
function inTurn<T>(path: string, action: () => Promise<T>): Promise<T> {
  const before = turns.get(path) ?? Promise.resolve();
  const own = before.then(action, action);
  turns.set(path, own);
  const forget = (): void => {
    if (turns.get(path) === own) turns.delete(path);
  };
  own.then(forget, forget);
  return own;
}

const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;

async function append(path: string, bytes: Uint8Array): Promise<Delivery> {
  let file: FileHandle | undefined;
  let size = -1;
  try {
    file = await open(path, flags, 0o600);
    const found = await file.stat();
    if (!found.isFile()) return failed(`${path} is not a file`, 'nothing');
    size = wholeLines(file.fd, found.size);
    if (size < found.size) await file.truncate(size);
    for (let written = 0; written < bytes.length; ) {
      const { bytesWritten } = await file.write(bytes, written, bytes.length - written, size + written);
      written += bytesWritten;
    }
    await file.sync();
    if (size === 0) syncFolder(dirname(path));
    return taken;
  } catch (error) {
    return failed(`${path} cannot be written: ${message(error)}`, (await undone(file, size)) ? 'nothing' : 'unknown');
  } finally {
    await file?.close();
  }
}

/** Puts the file back to what it was; true when nothing of the batch is in it. */
async function undone(file: FileHandle | undefined, size: number): Promise<boolean> {
  if (file === undefined || size < 0) return true;
  try {
    await file.truncate(size);
    await file.sync();
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
  const size = sizeOf(path);
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

function sizeOf(path: string): number {
  const file = openSync(path, flags, 0o600);
  try {
    return fstatSync(file).size;
  } finally {
    closeSync(file);
  }
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
