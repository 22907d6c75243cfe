import { hash } from 'node:crypto';
import { limits } from '#model';

/** Checksum of a frame: CRC-32 as in zlib. */
export type Checksum = (bytes: Uint8Array, start?: number) => number;

export const walHeaderBytes = 88;
export const walFrameHeaderBytes = 12;
const magic = Buffer.from('WARDWAL1');

/** What a segment says of itself before its first frame. */
export interface SegmentHeader {
  /** Index of its first entry. */
  readonly first: number;
  /** Leaf hash of the entry before. */
  readonly prev: Buffer;
  /** No operation decided before this index was still without outcome when the segment began. */
  readonly low: number;
}

/** magic 8 | SHA-256 of the origin 32 | first u64 | prev 32 | low u64 | checksum u32, all big-endian. See docs/formats/wal.md. */
export function encodeHeader(origin: string, header: SegmentHeader, checksum: Checksum): Buffer {
  const bytes = Buffer.alloc(walHeaderBytes + 4);
  magic.copy(bytes, 0);
  hash('sha256', origin, 'buffer').copy(bytes, 8);
  bytes.writeBigUInt64BE(BigInt(header.first), 40);
  header.prev.copy(bytes, 48);
  bytes.writeBigUInt64BE(BigInt(header.low), 80);
  bytes.writeUInt32BE(checksum(bytes.subarray(0, walHeaderBytes)), walHeaderBytes);
  return bytes;
}

/** Undefined when it is not a whole header of this log. */
export function decodeHeader(origin: string, bytes: Buffer, checksum: Checksum): SegmentHeader | undefined {
  if (bytes.length < walHeaderBytes + 4) return undefined;
  if (bytes.readUInt32BE(walHeaderBytes) !== checksum(bytes.subarray(0, walHeaderBytes))) return undefined;
  if (!bytes.subarray(0, 8).equals(magic) || !bytes.subarray(8, 40).equals(hash('sha256', origin, 'buffer'))) return undefined;
  return { first: Number(bytes.readBigUInt64BE(40)), prev: Buffer.from(bytes.subarray(48, 80)), low: Number(bytes.readBigUInt64BE(80)) };
}

/**
 * One entry in the write-ahead log: u32 length | u32 checksum | u32 ahead | entry.
 * `ahead` counts the entries before this one in the same write. A frame thus tells that everything before its write was durable when it
 * was written, which is how recovery knows a write that a crash tore apart from a frame that was damaged later.
 */
export function encodeFrame(entry: Uint8Array, ahead: number, checksum: Checksum): Buffer {
  const frame = Buffer.allocUnsafe(walFrameHeaderBytes + entry.length);
  frame.writeUInt32BE(entry.length, 0);
  frame.writeUInt32BE(ahead, 8);
  frame.set(entry, walFrameHeaderBytes);
  frame.writeUInt32BE(frameChecksum(frame, checksum), 4);
  return frame;
}

export interface Frame {
  readonly entry: Buffer;
  readonly ahead: number;
  /** Offset of the byte after it. */
  readonly end: number;
}

/** The frame at this offset; `end` when only zeros follow; `bad` otherwise. */
export function decodeFrame(bytes: Buffer, at: number, checksum: Checksum): Frame | 'end' | 'bad' {
  const frame = frameAt(bytes, at, checksum);
  if (frame !== undefined) return frame;
  for (let i = at; i < bytes.length; i += zeros.length) {
    const some = bytes.subarray(i, i + zeros.length);
    if (!some.equals(zeros.subarray(0, some.length))) return 'bad';
  }
  return 'end';
}

const zeros = Buffer.alloc(16 * 1024);

/** Any whole frame that begins at or after the offset, wherever it begins. */
export function* framesAfter(bytes: Buffer, from: number, checksum: Checksum): Generator<Frame> {
  // Every entry is a JSON object, so a search for its first byte skips nearly every offset.
  let brace = bytes.indexOf(0x7b, from + walFrameHeaderBytes);
  while (brace >= 0) {
    const frame = frameAt(bytes, brace - walFrameHeaderBytes, checksum);
    if (frame !== undefined) yield frame;
    brace = bytes.indexOf(0x7b, brace + 1);
  }
}

function frameAt(bytes: Buffer, at: number, checksum: Checksum): Frame | undefined {
  if (at + walFrameHeaderBytes > bytes.length) return undefined;
  const length = bytes.readUInt32BE(at);
  const end = at + walFrameHeaderBytes + length;
  if (length < 2 || length > limits.entryBytesMax || end > bytes.length) return undefined;
  const frame = bytes.subarray(at, end);
  if (frame.readUInt32BE(4) !== frameChecksum(frame, checksum)) return undefined;
  return { entry: frame.subarray(walFrameHeaderBytes), ahead: frame.readUInt32BE(8), end };
}

function frameChecksum(frame: Buffer, checksum: Checksum): number {
  return checksum(frame.subarray(8), checksum(frame.subarray(0, 4)));
}

/** `000000012288.wal` for the segment that begins with entry 12288. */
export function segmentName(first: number): string {
  return `${String(first).padStart(12, '0')}.wal`;
}

/** `000000012288.sessions`: which sessions were open where that segment begins. */
export function sessionsName(first: number): string {
  return `${String(first).padStart(12, '0')}.sessions`;
}
