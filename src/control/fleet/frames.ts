import { Fault, limits } from '#model';

/** One frame of the link, as far as its envelope tells. */
export type Frame =
  | { readonly kind: 'call'; readonly call: number; readonly method: string; readonly params: unknown }
  | { readonly kind: 'reply'; readonly reply: number; readonly result: unknown }
  | { readonly kind: 'fault'; readonly reply: number; readonly code: string; readonly message: string }
  | { readonly kind: 'notice'; readonly notice: string; readonly params: unknown };

const newline = 0x0a;

/** Cuts a byte stream into newline-delimited JSON frames. Throws PROTOCOL_VIOLATION or MESSAGE_TOO_LARGE; then the link must be closed. */
export class FrameReader {
  #parts: Buffer[] = [];
  #bytes = 0;
  #bytesMax: number;

  constructor(bytesMax: number = limits.linkHelloBytesMax) {
    this.#bytesMax = bytesMax;
  }

  /** From now on frames may be this long. */
  allow(bytesMax: number): void {
    this.#bytesMax = bytesMax;
  }

  /** The frames that are complete with this chunk. Lazy: the bound that holds for a frame is the one when it is taken. */
  *push(chunk: Buffer): Generator<Frame> {
    let rest = chunk;
    for (;;) {
      const end = rest.indexOf(newline);
      const part = end < 0 ? rest : rest.subarray(0, end);
      this.#bytes += part.length;
      if (this.#bytes > this.#bytesMax) throw new Fault('MESSAGE_TOO_LARGE', `a link frame is longer than ${this.#bytesMax} bytes`);
      this.#parts.push(part);
      if (end < 0) return;
      const line = Buffer.concat(this.#parts);
      this.#parts = [];
      this.#bytes = 0;
      yield parseFrame(line);
      rest = rest.subarray(end + 1);
      if (rest.length === 0) return;
    }
  }
}

export function parseFrame(line: Buffer): Frame {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(line));
  } catch (error) {
    throw new Fault('PROTOCOL_VIOLATION', 'a link frame is not JSON', { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Fault('PROTOCOL_VIOLATION', 'a link frame is not an object');
  // An object that came out of JSON.parse has string keys only.
  const frame = value as Record<string, unknown>;
  const { call, method, reply, notice, params, fault } = frame;
  if (isNumber(call) && typeof method === 'string') return { kind: 'call', call, method, params };
  if (isNumber(reply) && isFault(fault)) return { kind: 'fault', reply, ...fault };
  if (isNumber(reply) && 'result' in frame) return { kind: 'reply', reply, result: frame['result'] };
  if (typeof notice === 'string') return { kind: 'notice', notice, params };
  throw new Fault('PROTOCOL_VIOLATION', 'a link frame is neither a call, a reply nor a notice');
}

export function encodeFrame(frame: Readonly<Record<string, unknown>>): string {
  return `${JSON.stringify(frame)}\n`;
}

function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function isFault(value: unknown): value is { code: string; message: string } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'code' in value &&
    typeof value.code === 'string' &&
    'message' in value &&
    typeof value.message === 'string'
  );
}
