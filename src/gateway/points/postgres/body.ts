import { Fault } from '#model';

// `ignoreBOM` keeps a byte order mark in the text: the server sees it too, so the inspector must.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Text of UTF-8 bytes. Throws a Fault when they are not UTF-8: what cannot be read cannot be decided. */
function decodeText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new Fault('PROTOCOL_VIOLATION', 'a text is not valid UTF-8');
  }
}

/** Reads the body of one message, field by field. Every read is checked: a body that is too short is a Fault, never an overrun. */
export class Body {
  readonly #buffer: Buffer;
  readonly #end: number;
  #at: number;

  /** `start` is the first byte after the header. */
  constructor(buffer: Buffer, start: number, end: number) {
    this.#buffer = buffer;
    this.#at = start;
    this.#end = end;
  }

  get rest(): number {
    return this.#end - this.#at;
  }

  byte(): number {
    return this.#buffer.readUInt8(this.#take(1));
  }

  int16(): number {
    return this.#buffer.readInt16BE(this.#take(2));
  }

  uint16(): number {
    return this.#buffer.readUInt16BE(this.#take(2));
  }

  int32(): number {
    return this.#buffer.readInt32BE(this.#take(4));
  }

  uint32(): number {
    return this.#buffer.readUInt32BE(this.#take(4));
  }

  bytes(length: number): Buffer {
    const from = this.#take(length);
    return this.#buffer.subarray(from, from + length);
  }

  /** Bytes up to the next NUL, which is skipped. */
  cbytes(): Buffer {
    const nul = this.#buffer.indexOf(0, this.#at);
    if (nul < 0 || nul >= this.#end) throw new Fault('PROTOCOL_VIOLATION', 'a string in a message does not end');
    const text = this.#buffer.subarray(this.#at, nul);
    this.#at = nul + 1;
    return text;
  }

  /** Text up to the next NUL. */
  cstring(): string {
    return decodeText(this.cbytes());
  }

  /** INVARIANT: nothing of a message goes unread; what we did not look at might mean something to the server. */
  done(): void {
    if (this.#at !== this.#end) throw new Fault('PROTOCOL_VIOLATION', `a message has ${this.rest} bytes more than its fields`);
  }

  #take(length: number): number {
    const from = this.#at;
    if (length < 0 || from + length > this.#end) throw new Fault('PROTOCOL_VIOLATION', 'a message is shorter than its fields say');
    this.#at = from + length;
    return from;
  }
}
