import * as fs from 'node:fs';
import { type Disk, type DiskFile, systemCode } from './disk.ts';

/** The real file system. */
export const nodeDisk: Disk = {
  makeFolder: (path) => {
    absentAs(undefined, () => fs.mkdirSync(path, { mode: 0o700 }), 'EEXIST');
  },
  list: (path) => absentAs([], () => fs.readdirSync(path).sort()),
  read: (path, range) => absentAs(undefined, () => (range === undefined ? fs.readFileSync(path) : readRange(path, range))),
  size: (path) => fs.statSync(path, { throwIfNoEntry: false })?.size,
  open: (path, how) => nodeFile(fs.openSync(path, how === 'create' ? 'w+' : 'r+', 0o600)),
  rename: (from, to) => fs.renameSync(from, to),
  remove: (path) => absentAs(undefined, () => fs.unlinkSync(path)),
  removeFolder: (path) => absentAs(undefined, () => fs.rmdirSync(path)),
  syncFolder: (path) => {
    const folder = fs.openSync(path, 'r');
    try {
      fs.fsyncSync(folder);
    } finally {
      fs.closeSync(folder);
    }
  },
  free: (path) => {
    const { bavail, bsize } = fs.statfsSync(path);
    return bavail * bsize;
  },
};

function nodeFile(descriptor: number): DiskFile {
  return {
    write: (bytes, position) => fs.writeSync(descriptor, bytes, 0, bytes.length, position),
    sync: () => fs.fdatasyncSync(descriptor),
    truncate: (length) => fs.ftruncateSync(descriptor, length),
    close: () => fs.closeSync(descriptor),
  };
}

function readRange(path: string, range: { offset: number; length: number }): Uint8Array {
  const descriptor = fs.openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(range.length);
    let filled = 0;
    while (filled < range.length) {
      const count = fs.readSync(descriptor, bytes, filled, range.length - filled, range.offset + filled);
      if (count === 0) break;
      filled += count;
    }
    return bytes.subarray(0, filled);
  } finally {
    fs.closeSync(descriptor);
  }
}

function absentAs<T>(absent: T, action: () => T, code = 'ENOENT'): T {
  try {
    return action();
  } catch (error) {
    if (systemCode(error) === code) return absent;
    throw error;
  }
}
