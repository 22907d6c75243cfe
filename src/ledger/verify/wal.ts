import { crc32, equalBytes, fromText, parseJson, toText } from './bytes.ts';
import { isObject } from './grammar.ts';
import type { Findings } from './report.ts';
import type { LedgerSource, VerifyCrypto } from './source.ts';

/** Format: docs/formats/wal.md. */
const headerBytes = 92;
const frameHeaderBytes = 12;
const entryBytesMax = 16 * 1024;

export interface SegmentStart {
  readonly first: number;
  readonly prev: Uint8Array;
  readonly low: number;
}

export interface WalEntry {
  readonly bytes: Uint8Array;
  /** Set for the first entry of a segment. */
  readonly segment?: SegmentStart;
}

interface Place {
  readonly source: LedgerSource;
  readonly crypto: VerifyCrypto;
  readonly origin: string;
  /** Entries below are signed, so nothing about them can be unfinished. */
  readonly signed: number;
  readonly findings: Findings;
}

interface OpenSegment {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly start: SegmentStart;
  position: number;
  /** No entry was taken yet. */
  fresh: boolean;
}

/** Reads the write-ahead segments that are kept, once, in order, one segment in memory at a time. */
export class WalReader {
  readonly #place: Place;
  readonly #segments: { readonly name: string; readonly first: number }[];
  #current: OpenSegment | undefined;
  #next: number;

  private constructor(place: Place, segments: { name: string; first: number }[]) {
    this.#place = place;
    this.#segments = segments;
    this.#next = segments[0]?.first ?? Number.POSITIVE_INFINITY;
  }

  static async open(place: Place): Promise<WalReader> {
    const names = (await place.source.list('wal')).filter((name) => /^\d{12}\.wal$/.test(name)).sort();
    return new WalReader(
      place,
      names.map((name) => ({ name, first: Number(name.slice(0, 12)) })),
    );
  }

  /** Index of the entry that comes next; infinite when there is no write-ahead log (a published copy has none). */
  get next(): number {
    return this.#next;
  }

  /** The entry at `index`, which must not be lower than before; undefined when the segments do not have it. */
  async take(index: number): Promise<WalEntry | undefined> {
    while (index >= this.#next) {
      this.#current ??= await this.#open();
      if (this.#current === undefined) return undefined;
      const entry = this.#frame(this.#current);
      if (entry === undefined) {
        this.#current = undefined;
        continue;
      }
      const at = this.#next;
      this.#next += 1;
      if (at === index) return entry;
    }
    return undefined;
  }

  /** Opens the next segment; a damaged one is reported and skipped. */
  async #open(): Promise<OpenSegment | undefined> {
    for (let segment = this.#segments.shift(); segment !== undefined; segment = this.#segments.shift()) {
      const bytes = (await this.#place.source.read(`wal/${segment.name}`)) ?? new Uint8Array();
      if (segment.first !== this.#next) {
        if (segment.first > this.#next)
          this.#place.findings.tampered('wal', `the write-ahead log has no entries from here to ${segment.first - 1}`, this.#next);
        else this.#place.findings.tampered('wal', `segment ${segment.name} repeats entries`, segment.first);
        this.#next = segment.first;
      }
      const start = this.#header(bytes);
      if (start?.first === segment.first) return { bytes, position: headerBytes, start, name: segment.name, fresh: true };
      const empty = this.#segments.length === 0 && segment.first >= this.#place.signed && !hasFrame(bytes, 0, -1);
      if (empty) this.#place.findings.add('hole', 'wal', `segment ${segment.name} was being begun when the writer stopped`, segment.first);
      else this.#place.findings.tampered('wal', `segment ${segment.name} has a damaged header`, segment.first);
    }
    return undefined;
  }

  #header(bytes: Uint8Array): SegmentStart | undefined {
    if (bytes.length < headerBytes) return undefined;
    const view = viewOf(bytes);
    if (view.getUint32(headerBytes - 4) !== crc32(bytes.subarray(0, headerBytes - 4))) return undefined;
    if (
      toText(bytes.subarray(0, 8)) !== 'WARDWAL1' ||
      !equalBytes(bytes.subarray(8, 40), this.#place.crypto.sha256(fromText(this.#place.origin)))
    )
      return undefined;
    return { first: Number(view.getBigUint64(40)), prev: bytes.subarray(48, 80), low: Number(view.getBigUint64(80)) };
  }

  /** The next frame of the segment; undefined at its end, after reporting what is wrong with the end. */
  #frame(segment: OpenSegment): WalEntry | undefined {
    const frame = frameAt(segment.bytes, segment.position);
    if (frame !== undefined) {
      const entry = segment.fresh ? { bytes: frame.entry, segment: segment.start } : { bytes: frame.entry };
      segment.fresh = false;
      segment.position = frame.end;
      return entry;
    }
    if (segment.bytes.subarray(segment.position).every((byte) => byte === 0)) return undefined;
    const { findings, signed } = this.#place;
    // A frame of a later write shows that this one was durable once; a signature shows the same.
    const proven = this.#next < signed || this.#segments.length > 0 || hasFrame(segment.bytes, segment.position, this.#next);
    if (proven) findings.tampered('wal', `segment ${segment.name} is damaged at byte ${segment.position}`, this.#next);
    else findings.add('hole', 'wal', `segment ${segment.name} ends in an unfinished write at byte ${segment.position}`, this.#next);
    return undefined;
  }
}

/** True when a whole frame stands anywhere after the offset whose write began after entry `index`. */
function hasFrame(bytes: Uint8Array, from: number, index: number): boolean {
  for (let brace = bytes.indexOf(0x7b, from + frameHeaderBytes); brace >= 0; brace = bytes.indexOf(0x7b, brace + 1)) {
    const frame = frameAt(bytes, brace - frameHeaderBytes);
    const record = frame === undefined ? undefined : parseJson(toText(frame.entry));
    if (frame !== undefined && isObject(record) && Number(record.i) - frame.ahead > index) return true;
  }
  return false;
}

function frameAt(bytes: Uint8Array, at: number): { entry: Uint8Array; ahead: number; end: number } | undefined {
  if (at + frameHeaderBytes > bytes.length) return undefined;
  const view = viewOf(bytes);
  const length = view.getUint32(at);
  const end = at + frameHeaderBytes + length;
  if (length < 2 || length > entryBytesMax || end > bytes.length) return undefined;
  if (view.getUint32(at + 4) !== crc32(bytes.subarray(at + 8, end), crc32(bytes.subarray(at, at + 4)))) return undefined;
  return { entry: bytes.subarray(at + frameHeaderBytes, end), ahead: view.getUint32(at + 8), end };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
