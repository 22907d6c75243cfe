import { Fault, limits } from '#model';

/** Typed messages have one byte of type before the length; the first packets of a connection have none. */
export type FrameShape = 'startup' | 'typed';

const empty = Buffer.alloc(0);

/**
 * Cuts one direction of one connection into frames, whatever way the bytes were split. Pure: bytes in, frames out, no I/O.
 *
 * After `advance()` returned true the frame is `source[start, end)`, header included. A frame that lies in one chunk is not copied; one
 * that crosses chunks is collected, and memory grows with the bytes that really came, never with the length that was announced.
 *
 * SPEC: PostgreSQL 18 documentation, §54.1.1 and §54.7 (message formats): type byte, int32 length that counts itself, body.
 */
export class Framer {
  type = 0;
  source: Buffer = empty;
  start = 0;
  end = 0;

  shape: FrameShape;
  /** Largest frame accepted, in bytes of the length field. */
  limit: number;
  /** Types that may come; any other is a Fault before its body is waited for. Absent: all. */
  types: ReadonlySet<number> | undefined;
  /** Asked about a frame that has not come whole: true to be given it in parts, as they come. Absent: frames are always whole. */
  streams: ((type: number, size: number) => boolean) | undefined;
  /** What is shown continues the frame that was shown before. */
  continued = false;

  #chunk: Buffer = empty;
  #at = 0;
  /** The beginning of a frame whose end has not come yet. */
  #store: Buffer = empty;
  #stored = 0;
  /** Bytes of a frame given in parts that are still to come. */
  #remaining = 0;

  constructor(shape: FrameShape, limit: number) {
    this.shape = shape;
    this.limit = limit;
  }

  /** Bytes that came and are not part of a frame yet. */
  get pending(): number {
    return this.#stored + this.#chunk.length - this.#at;
  }

  /** True when nothing refers to the chunk that was pushed last, so that its memory may be used again. */
  get drained(): boolean {
    return this.#at === this.#chunk.length;
  }

  /** Adds bytes. They must stay as they are until every frame in them was taken. */
  push(chunk: Buffer): void {
    // Only a consumer that stopped taking frames leaves some behind; its socket is paused then, so this stays rare.
    this.#chunk = this.drained ? chunk : Buffer.concat([this.#chunk.subarray(this.#at), chunk]);
    this.#at = 0;
  }

  /** First byte that was not taken yet, without taking it. */
  peek(): number | undefined {
    return this.#stored > 0 ? this.#store[0] : this.#chunk[this.#at];
  }

  /** Takes everything that is left, framed or not. */
  takeRest(): Buffer {
    const rest = Buffer.concat([this.#store.subarray(0, this.#stored), this.#chunk.subarray(this.#at)]);
    this.#stored = 0;
    this.#chunk = empty;
    this.#at = 0;
    return rest;
  }

  /** Moves to the next whole frame, or the next part of one that is streamed. Throws a Fault when the length cannot be right; the connection cannot be framed any more then. */
  advance(): boolean {
    this.continued = false;
    if (this.#stored > 0) return this.#advanceStored();
    const rest = this.#chunk.length - this.#at;
    if (rest === 0) return false;
    if (this.#remaining > 0) return this.#continue(Math.min(rest, this.#remaining));
    const header = this.shape === 'typed' ? 5 : 4;
    if (rest >= header) {
      const size = this.#frameSize(this.#chunk, this.#at);
      if (size <= rest) {
        this.#show(this.#chunk, this.#at, size);
        this.#at += size;
        return true;
      }
      if (this.streams?.(this.#chunk[this.#at] ?? 0, size)) {
        this.#show(this.#chunk, this.#at, rest);
        this.#at += rest;
        this.#remaining = size - rest;
        return true;
      }
    }
    this.#keep(rest, rest);
    return false;
  }

  #advanceStored(): boolean {
    const header = this.shape === 'typed' ? 5 : 4;
    if (this.#stored < header) this.#keep(header - this.#stored, header);
    if (this.#stored < header) return false;
    const size = this.#frameSize(this.#store, 0);
    if (this.#stored === header && this.streams?.(this.#store[0] ?? 0, size)) {
      this.#remaining = size - header;
      this.#showStored(header);
      return true;
    }
    this.#keep(size - this.#stored, size);
    if (this.#stored < size) return false;
    this.#showStored(size);
    return true;
  }

  #continue(size: number): boolean {
    this.continued = true;
    this.source = this.#chunk;
    this.start = this.#at;
    this.end = this.#at + size;
    this.#at += size;
    this.#remaining -= size;
    return true;
  }

  #showStored(size: number): void {
    this.#show(this.#store, 0, size);
    this.#store = empty;
    this.#stored = 0;
  }

  /** Moves up to `wanted` bytes from the chunk to the store, which will hold `most` bytes in the end. */
  #keep(wanted: number, most: number): void {
    const taken = Math.min(wanted, this.#chunk.length - this.#at);
    const needed = this.#stored + taken;
    if (needed > this.#store.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, Math.min(most, this.#store.length * 2)));
      this.#store.copy(grown, 0, 0, this.#stored);
      this.#store = grown;
    }
    this.#chunk.copy(this.#store, this.#stored, this.#at, this.#at + taken);
    this.#stored = needed;
    this.#at += taken;
  }

  #frameSize(buffer: Buffer, at: number): number {
    const prefix = this.shape === 'typed' ? 1 : 0;
    const type = buffer[at] ?? 0;
    if (prefix === 1 && this.types && !this.types.has(type)) {
      throw new Fault('PROTOCOL_VIOLATION', `a message of type 0x${type.toString(16).padStart(2, '0')} is not allowed here`);
    }
    const length = buffer.readUInt32BE(at + prefix);
    if (length < (prefix === 1 ? 4 : 8))
      throw new Fault('PROTOCOL_VIOLATION', `a message announces a length of ${length} bytes, less than its header`);
    if (length > this.limit) {
      throw new Fault('MESSAGE_TOO_LARGE', `a message announces ${length} bytes; at most ${this.limit} are taken here`);
    }
    return prefix + length;
  }

  #show(source: Buffer, start: number, size: number): void {
    this.source = source;
    this.start = start;
    this.end = start + size;
    this.type = this.shape === 'typed' ? (source[start] ?? 0) : 0;
  }
}

/** A framer for what a client sends, from its first byte. */
export function clientFramer(): Framer {
  return new Framer('startup', limits.startupPacketBytesMax);
}

/** A framer for what a target sends; its first byte is already a typed message. */
export function targetFramer(): Framer {
  return new Framer('typed', limits.targetMessageBytesMax);
}
