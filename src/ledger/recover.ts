import { Fault } from '#model';
import type { Checkpoint } from './checkpoint.ts';
import { type Disk, makeFolders } from './disk.ts';
import { leafHash } from './merkle.ts';
import { OpenSessions } from './open-sessions.ts';
import { readBundle, readTree } from './sealer.ts';
import type { Rotation } from './rotations.ts';
import { bundlePath } from './tile-path.ts';
import { Unsettled } from './unsettled.ts';
import type { WalSetting } from './wal.ts';
import { decodeFrame, decodeHeader, framesAfter, segmentName, type SegmentHeader, sessionsName, walHeaderBytes } from './wal-format.ts';

/** What the files say at the start of the scan. */
export interface Found {
  /** The retained segments' first entry; everything before is in full bundles. */
  readonly base: number;
  readonly entries: readonly { readonly entry: Buffer; readonly leaf: Buffer }[];
  /** Leaf hash of the last entry. */
  readonly prev: Buffer;
  /** Operations without outcome. */
  readonly unsettled: Unsettled;
  /** Sessions without end. */
  readonly sessions: OpenSessions;
  /** The segment to go on with, and where its last good frame ends; absent for an empty log. */
  readonly end?: { readonly first: number; readonly position: number };
  /** First indexes of all retained segments. */
  readonly segments: readonly number[];
  /** Bytes after the last good frame. */
  readonly torn: number;
}

const start = Buffer.alloc(32);

/**
 * Reads the write-ahead log as a crash may have left it. It changes nothing.
 *
 * A bad frame at the very end, none of whose successors prove that it was durable once, is an unfinished write and counts as torn.
 * Anything else that does not fit is damage: LEDGER_CORRUPT, because an acknowledged record may be gone.
 */
export function scanWal(setting: WalSetting): Found {
  const firsts = segmentsOf(setting.disk, setting.folder);
  const found: Scan = { entries: [], prev: start, torn: 0, base: firsts[0] ?? 0, low: 0 };
  let end: { first: number; position: number } | undefined;
  const kept: number[] = [];
  for (const [k, first] of firsts.entries()) {
    const last = k === firsts.length - 1;
    const bytes = Buffer.from(setting.disk.read(`${setting.folder}/${segmentName(first)}`) ?? []);
    const header = decodeHeader(setting.origin, bytes, setting.checksum);
    if (header === undefined) {
      if (!last || framesAfter(bytes, 0, setting.checksum).next().done !== true)
        throw corrupt(first, `segment ${segmentName(first)} has a damaged header`);
      // The crash came while the segment was begun: nothing was in it.
      found.torn += bytes.length;
      break;
    }
    if (k === 0) {
      found.prev = header.prev;
      found.low = header.low;
    }
    checkJoin({ first, header, next: found.base + found.entries.length, prev: found.prev });
    const position = scanSegment(setting, bytes, found, last);
    kept.push(first);
    end = { first, position };
  }
  const unsettled = replay(setting, found);
  const sessions = openSessions(setting, found);
  return {
    base: found.base,
    entries: found.entries,
    prev: found.prev,
    unsettled,
    sessions,
    segments: kept,
    torn: found.torn,
    ...(end === undefined ? {} : { end }),
  };
}

function segmentsOf(disk: Disk, folder: string): number[] {
  makeFolders(disk, folder);
  return disk
    .list(folder)
    .filter((name) => /^\d{12}\.wal$/.test(name))
    .map((name) => Number(name.slice(0, 12)));
}

function checkJoin(at: { first: number; header: SegmentHeader; next: number; prev: Buffer }): void {
  if (at.header.first !== at.first || at.first !== at.next)
    throw corrupt(at.next, `segment ${segmentName(at.first)} does not follow entry ${at.next - 1}`);
  if (!at.header.prev.equals(at.prev)) throw corrupt(at.first, `segment ${segmentName(at.first)} does not link to the entry before it`);
}

type Scan = { entries: { entry: Buffer; leaf: Buffer }[]; prev: Buffer; torn: number; base: number; low: number };

/** Takes the frames of one segment; returns the offset after the last good one. */
function scanSegment(setting: WalSetting, bytes: Buffer, scan: Scan, last: boolean): number {
  let position = walHeaderBytes + 4;
  for (;;) {
    const index = scan.base + scan.entries.length;
    const frame = decodeFrame(bytes, position, setting.checksum);
    if (frame === 'end') return position;
    if (frame !== 'bad' && links(frame.entry, index, scan.prev)) {
      const entry = Buffer.from(frame.entry);
      scan.prev = leafHash(entry);
      scan.entries.push({ entry, leaf: scan.prev });
      position = frame.end;
      continue;
    }
    if (!last) throw corrupt(index, `segment before the last holds a damaged frame at byte ${position}`);
    for (const later of framesAfter(bytes, position, setting.checksum)) {
      // A frame `ahead` places into its write, with index j, was written when every entry below j - ahead was durable.
      if (indexOf(later.entry) - later.ahead > index)
        throw corrupt(index, `the frame at byte ${position} was damaged after it was durable`);
    }
    let length = bytes.length;
    while (bytes[length - 1] === 0) length -= 1;
    scan.torn += length - position;
    return position;
  }
}

function links(entry: Buffer, index: number, prev: Buffer): boolean {
  const head = parse(entry, index);
  return head.i === index && head.prev === prev.toString('hex');
}

function indexOf(entry: Buffer): number {
  return parse(entry, -1).i;
}

// The checksum said that these are the bytes that were written, so anything but one of our records is damage.
function parse(entry: Buffer, index: number): { i: number; prev: string; kind: string } {
  try {
    // Safe: only read back here, and compared with what is expected.
    return JSON.parse(entry.toString()) as { i: number; prev: string; kind: string };
  } catch (cause) {
    throw corrupt(index, 'a frame with a good checksum holds no record', cause);
  }
}

/** Which operations have no outcome: from the mark that the first segment carries, through bundles and then the scanned entries. */
function replay(setting: WalSetting, scan: Scan): Unsettled {
  const unsettled = new Unsettled();
  const directory = setting.folder.slice(0, -'/wal'.length);
  for (let i = scan.low; i < scan.base; ) {
    const entries = readBundle(setting.disk, directory, Math.floor(i / 256)).slice(i % 256);
    for (const entry of entries.slice(0, scan.base - i)) unsettled.take(i++, JSON.parse(Buffer.from(entry).toString()));
  }
  for (const [k, { entry }] of scan.entries.entries()) unsettled.take(scan.base + k, JSON.parse(entry.toString()));
  return unsettled;
}

/** Which sessions have no end: from the file beside the first segment, then the scanned entries. */
function openSessions(setting: WalSetting, { base, entries }: Scan): OpenSessions {
  const stored = base === 0 ? undefined : setting.disk.read(`${setting.folder}/${sessionsName(base)}`);
  const sessions = (stored && OpenSessions.decode(stored, base)) ?? sessionsBefore(setting, base);
  for (const { entry } of entries) sessions.take(JSON.parse(entry.toString()));
  return sessions;
}

/** The same from the entries themselves, for a log that was written before such files were, or one whose file was damaged. */
function sessionsBefore(setting: WalSetting, base: number): OpenSessions {
  const sessions = new OpenSessions();
  const directory = setting.folder.slice(0, -'/wal'.length);
  for (let number = 0; number * 256 < base; number += 1) {
    // What was pruned is gone with what it opened; a bundle that is missing for another reason is the verifier's to name.
    if (setting.disk.size(`${directory}/${bundlePath(number)}`) === undefined) sessions.forget();
    else
      for (const entry of readBundle(setting.disk, directory, number).slice(0, base - number * 256))
        sessions.take(JSON.parse(Buffer.from(entry).toString()));
  }
  return sessions;
}

/** The tree and unfinished bundle at the base of the scan, from tiles and bundles on disk. */
export function startOf(disk: Disk, directory: string, base: number): { tree: ReturnType<typeof readTree>; tail: Buffer[] } {
  const tail = base % 256 === 0 ? [] : readBundle(disk, directory, Math.floor(base / 256)).slice(0, base % 256);
  return { tree: readTree(disk, directory, base), tail: tail.map((entry) => Buffer.from(entry)) };
}

/** Changes of keys in the scanned entries. */
export function rotationsIn(found: Found): readonly Rotation[] {
  return (
    found.entries
      .filter(({ entry }) => entry.includes('"kind":"key.rotated"'))
      // Safe: our own entry, of this kind or one that quotes it, in which case its `vkey` is nobody's.
      .map(({ entry }) => JSON.parse(entry.toString()) as Rotation)
      .map(({ previous, vkey, signature, accepted }) => ({ previous, vkey, signature, accepted }))
  );
}

/** Throws LEDGER_SEALED when the last entry says that nothing follows. */
export function refuseSealed(found: Found, origin: string): void {
  const last = found.entries.at(-1)?.entry;
  if (last === undefined || parse(last, -1).kind !== 'log.sealed') return;
  throw new Fault('LEDGER_SEALED', `the log ${origin} was sealed; nothing can be added to it`);
}

/** A log that is shorter than what was signed has lost records. */
export function checkSize(durable: number, signed: Checkpoint | undefined): void {
  if (signed === undefined || durable >= signed.size) return;
  throw new Fault('LEDGER_ROLLBACK', `the log holds ${durable} entries, but ${signed.size} were signed`, {
    detail: { durable, signed: signed.size },
  });
}

export function corrupt(index: number, message: string, cause?: unknown): Fault {
  return new Fault('LEDGER_CORRUPT', `entry ${index}: ${message}`, { detail: { index }, cause });
}
