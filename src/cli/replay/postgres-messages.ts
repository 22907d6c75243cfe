/**
 * The messages of a recorded PostgreSQL session, for showing: what is not understood is left out, never guessed at.
 * SPEC: PostgreSQL 18 documentation, §54.7.
 */
export type Message =
  | { readonly kind: 'query'; readonly text: string }
  | { readonly kind: 'parse'; readonly name: string; readonly text: string }
  | { readonly kind: 'bind'; readonly portal: string; readonly statement: string; readonly parameters: readonly (string | null)[] }
  | { readonly kind: 'execute'; readonly portal: string }
  | { readonly kind: 'columns'; readonly columns: readonly ColumnHead[] }
  | { readonly kind: 'row'; readonly cells: readonly (Buffer | null)[] }
  | { readonly kind: 'complete'; readonly tag: string }
  | { readonly kind: 'error' | 'notice'; readonly fields: Readonly<Record<string, string>> }
  | { readonly kind: 'notification'; readonly process: number; readonly channel: string; readonly payload: string }
  | { readonly kind: 'ready'; readonly status: string }
  /** Nothing can be told from here on. */
  | { readonly kind: 'unreadable' };

export interface ColumnHead {
  readonly name: string;
  readonly type: number;
  readonly binary: boolean;
}

/** Cuts a stream of one direction into messages. */
export class MessageReader {
  readonly #direction: 'in' | 'out';
  /** The beginning of a message, as it came, joined when there is all of it: a value may be many pieces long. */
  #parts: Buffer[] = [];
  #length = 0;
  /** Bytes that must be there before it is worth looking. */
  #wanted = headerBytes;

  constructor(direction: 'in' | 'out') {
    this.#direction = direction;
  }

  *read(bytes: Buffer): Generator<Message> {
    if (this.#wanted === Infinity) return;
    this.#parts.push(bytes);
    this.#length += bytes.length;
    if (this.#length < this.#wanted) return;
    const data = this.#parts.length === 1 ? bytes : Buffer.concat(this.#parts, this.#length);
    let at = 0;
    this.#wanted = headerBytes;
    while (at + headerBytes <= data.length) {
      const size = 1 + data.readUInt32BE(at + 1);
      if (size < headerBytes) {
        this.#wanted = Infinity;
        this.#parts = [];
        yield { kind: 'unreadable' };
        return;
      }
      if (at + size > data.length) {
        this.#wanted = size;
        break;
      }
      const message = decode(this.#direction, String.fromCharCode(data[at] ?? 0), new Body(data.subarray(at + headerBytes, at + size)));
      if (message !== undefined) yield message;
      at += size;
    }
    this.#parts = at === data.length ? [] : [data.subarray(at)];
    this.#length = data.length - at;
  }
}

// SPEC: a byte of type, and a length that counts itself.
const headerBytes = 5;

function decode(direction: 'in' | 'out', type: string, body: Body): Message | undefined {
  return direction === 'in' ? fromClient(type, body) : fromTarget(type, body);
}

function fromClient(type: string, body: Body): Message | undefined {
  switch (type) {
    case 'Q':
      return { kind: 'query', text: body.text() };
    case 'P':
      return { kind: 'parse', name: body.text(), text: body.text() };
    case 'B': {
      const [portal, statement] = [body.text(), body.text()];
      const formats = body.list(() => body.int16());
      const values = body.list(() => body.value());
      const parameters = values.map((value, k) => shown(value, (formats.length === 1 ? formats[0] : formats[k]) === 1));
      return { kind: 'bind', portal, statement, parameters };
    }
    case 'E':
      return { kind: 'execute', portal: body.text() };
    default:
      return undefined;
  }
}

function shown(value: Buffer | null, binary: boolean): string | null {
  if (value === null) return null;
  return binary ? `\\x${value.toString('hex')}` : value.toString();
}

function fromTarget(type: string, body: Body): Message | undefined {
  switch (type) {
    case 'T':
      return {
        kind: 'columns',
        columns: body.list(() => {
          const name = body.text();
          body.skip(6);
          const oid = body.int32();
          body.skip(6);
          return { name, type: oid, binary: body.int16() === 1 };
        }),
      };
    case 'D':
      return { kind: 'row', cells: body.list(() => body.value()) };
    case 'C':
      return { kind: 'complete', tag: body.text() };
    case 'E':
    case 'N':
      return { kind: type === 'E' ? 'error' : 'notice', fields: body.fields() };
    case 'A':
      return { kind: 'notification', process: body.int32(), channel: body.text(), payload: body.text() };
    case 'Z':
      return { kind: 'ready', status: body.byte() };
    default:
      return undefined;
  }
}

/** Reads fields; beyond the end there is nothing. */
class Body {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  text(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    const text = this.#bytes.toString('utf8', this.#at, end < 0 ? this.#bytes.length : end);
    this.#at = end < 0 ? this.#bytes.length : end + 1;
    return text;
  }

  byte(): string {
    const text = this.#bytes.toString('latin1', this.#at, this.#at + 1);
    this.#at += 1;
    return text;
  }

  int16(): number {
    return this.#number(2);
  }

  int32(): number {
    return this.#number(4);
  }

  skip(bytes: number): void {
    this.#at += bytes;
  }

  value(): Buffer | null {
    const length = this.int32();
    if (length < 0) return null;
    const value = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return value;
  }

  list<T>(item: () => T): T[] {
    const count = this.int16();
    const items: T[] = [];
    for (let k = 0; k < count && this.#at < this.#bytes.length; k += 1) items.push(item());
    return items;
  }

  fields(): Record<string, string> {
    const fields: Record<string, string> = {};
    for (let code = this.byte(); code !== '' && code !== '\0'; code = this.byte()) fields[code] = this.text();
    return fields;
  }

  #number(bytes: 2 | 4): number {
    const there = this.#at + bytes <= this.#bytes.length;
    const number = !there ? 0 : bytes === 2 ? this.#bytes.readInt16BE(this.#at) : this.#bytes.readInt32BE(this.#at);
    this.#at += bytes;
    return number;
  }
}
