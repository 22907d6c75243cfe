import { Fault } from '#model';
import type { Checkpoint } from './checkpoint.ts';
import { type Disk, makeFolders } from './disk.ts';
import { leafHashWithin } from './merkle.ts';
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
  /** The file beside the first segment, where it was missing or damaged and had to be computed. */
  readonly sessionsFile?: { readonly path: string; readonly bytes: Buffer };
  /** Changes of keys in the scanned entries. */
  readonly rotations: readonly Rotation[];
  /** Kind of the last scanned entry. */
  readonly lastKind: string;
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
  const found: Scan = { entries: [], prev: start, torn: 0, base: firsts[0] ?? 0, state: undefined, rotations: [], lastKind: '' };
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
      found.state = stateAt(setting, { base: found.base, low: header.low });
    }
    checkJoin({ first, header, next: found.base + found.entries.length, prev: found.prev });
    const position = scanSegment(setting, bytes, found, last);
    kept.push(first);
    end = { first, position };
  }
  const { base, entries, prev, torn, rotations, lastKind, state = { unsettled: new Unsettled(), sessions: new OpenSessions() } } = found;
  return { base, entries, prev, torn, rotations, lastKind, ...state, segments: kept, ...(end === undefined ? {} : { end }) };
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

/** What is open at some entry. */
type State = Pick<Found, 'unsettled' | 'sessions' | 'sessionsFile'>;

interface Scan {
  readonly entries: { entry: Buffer; leaf: Buffer }[];
  readonly base: number;
  readonly rotations: Rotation[];
  prev: Buffer;
  torn: number;
  lastKind: string;
  /** Known once the first segment has told where it begins. */
  state: State | undefined;
}

/** Takes the frames of one segment; returns the offset after the last good one. */
function scanSegment(setting: WalSetting, bytes: Buffer, scan: Scan, last: boolean): number {
  let position = walHeaderBytes + 4;
  for (;;) {
    const index = scan.base + scan.entries.length;
    const frame = decodeFrame(bytes, position, setting.checksum);
    if (frame === 'end') return position;
    const record = frame === 'bad' ? undefined : linked(frame.entry, index, scan.prev);
    if (frame !== 'bad' && record !== undefined) {
      const leaf = leafHashWithin(bytes, frame.end - frame.entry.length, frame.end);
      takeEntry(scan, { entry: frame.entry, leaf, record, index });
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

/** The record of this entry, when it is the one that must follow. Parsed once: a long write-ahead log must not make a long start. */
function linked(entry: Buffer, index: number, prev: Buffer): Head | undefined {
  const head = parse(entry, index);
  return head.i === index && head.prev === prev.toString('hex') ? head : undefined;
}

function takeEntry(scan: Scan, { entry, leaf, record, index }: { entry: Buffer; leaf: Buffer; record: Head; index: number }): void {
  scan.prev = leaf;
  scan.entries.push({ entry, leaf });
  scan.state?.unsettled.take(index, record);
  scan.state?.sessions.take(record);
  scan.lastKind = record.kind;
  if (record.kind !== 'key.rotated') return;
  // Safe: our own entry, of this kind.
  const { previous, vkey, signature, accepted } = record as Head & Rotation;
  scan.rotations.push({ previous, vkey, signature, accepted });
}

function indexOf(entry: Buffer): number {
  return parse(entry, -1).i;
}

interface Head {
  readonly i: number;
  readonly prev: string;
  readonly kind: string;
}

// The checksum said that these are the bytes that were written, so anything but one of our records is damage.
function parse(entry: Buffer, index: number): Head {
  try {
    // Safe: only read back here, and compared with what is expected.
    return JSON.parse(entry.toString()) as Head;
  } catch (cause) {
    throw corrupt(index, 'a frame with a good checksum holds no record', cause);
  }
}

/** What was open where the scan begins: operations from the mark that the first segment carries, sessions from the file beside it. */
function stateAt(setting: WalSetting, { base, low }: { readonly base: number; readonly low: number }): State {
  const unsettled = new Unsettled();
  const directory = setting.folder.slice(0, -'/wal'.length);
  for (let i = low; i < base; ) {
    const entries = readBundle(setting.disk, directory, Math.floor(i / 256)).slice(i % 256);
    for (const entry of entries.slice(0, base - i)) unsettled.take(i++, JSON.parse(Buffer.from(entry).toString()));
  }
  if (base === 0) return { unsettled, sessions: new OpenSessions() };
  const path = `${setting.folder}/${sessionsName(base)}`;
  const stored = setting.disk.read(path);
  const known = stored === undefined ? undefined : OpenSessions.decode(stored, base);
  if (known !== undefined) return { unsettled, sessions: known };
  const sessions = sessionsBefore(setting, base);
  return { unsettled, sessions, sessionsFile: { path, bytes: sessions.encode(base) } };
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

/** Throws LEDGER_SEALED when the last entry says that nothing follows. */
export function refuseSealed(found: Found, origin: string): void {
  if (found.lastKind !== 'log.sealed') return;
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
