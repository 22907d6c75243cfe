import { Fault, unreachable } from '#model';
import { Body } from './body.ts';

/**
 * What a client may send after its login, decoded. `bytes` is the whole message as it came: that is what is forwarded, so nothing is lost
 * or changed in a second encoding.
 *
 * SPEC: PostgreSQL 18 documentation, §54.7.
 */
export type ClientMessage =
  | { readonly kind: 'query'; readonly bytes: Buffer; readonly text: string }
  | { readonly kind: 'parse'; readonly bytes: Buffer; readonly name: string; readonly text: string }
  | {
      readonly kind: 'bind';
      readonly bytes: Buffer;
      readonly portal: string;
      readonly statement: string;
      readonly parameters: readonly (string | null)[];
    }
  | { readonly kind: 'describe' | 'close'; readonly bytes: Buffer; readonly of: 'statement' | 'portal'; readonly name: string }
  | { readonly kind: 'execute'; readonly bytes: Buffer; readonly portal: string; readonly rowsMax: number }
  | { readonly kind: 'flush' | 'sync' | 'terminate'; readonly bytes: Buffer };

/** Type bytes of the messages a client may send, by what they are. */
const kinds: Readonly<Record<number, ClientMessage['kind'] | 'copy' | 'function' | 'password'>> = {
  0x51: 'query',
  0x50: 'parse',
  0x42: 'bind',
  0x44: 'describe',
  0x45: 'execute',
  0x43: 'close',
  0x48: 'flush',
  0x53: 'sync',
  0x58: 'terminate',
  0x46: 'function',
  0x64: 'copy',
  0x63: 'copy',
  0x66: 'copy',
  0x70: 'password',
};

/** Types that can be followed; what comes in any other is unknown, and so is what comes after it. */
export const clientTypes: ReadonlySet<number> = new Set(Object.keys(kinds).map(Number));

/**
 * Decodes one message. Throws PROTOCOL_UNSUPPORTED for what the protocol knows and Warder refuses (the session can go on), and
 * PROTOCOL_VIOLATION for anything else (it cannot: an unknown message may change how the rest is to be read).
 */
export function decodeClientMessage(bytes: Buffer): ClientMessage {
  const kind = kinds[bytes[0] ?? 0];
  const body = new Body(bytes, 5, bytes.length);
  switch (kind) {
    case 'query': {
      const text = body.cstring();
      body.done();
      return { kind, bytes, text };
    }
    case 'parse':
      return decodeParse(bytes, body);
    case 'bind':
      return decodeBind(bytes, body);
    case 'describe':
    case 'close': {
      const letter = body.byte();
      if (letter !== 0x53 && letter !== 0x50) throw new Fault('PROTOCOL_VIOLATION', `${kind} names neither a statement nor a portal`);
      const name = body.cstring();
      body.done();
      return { kind, bytes, of: letter === 0x53 ? 'statement' : 'portal', name };
    }
    case 'execute': {
      const portal = body.cstring();
      const rowsMax = body.int32();
      body.done();
      return { kind, bytes, portal, rowsMax };
    }
    case 'flush':
    case 'sync':
    case 'terminate':
      body.done();
      return { kind, bytes };
    case 'function':
      throw new Fault('PROTOCOL_UNSUPPORTED', 'function calls by the fast path are refused; call the function in a statement');
    case 'copy':
      throw new Fault('PROTOCOL_UNSUPPORTED', 'COPY from the client is refused; use INSERT');
    case 'password':
    case undefined:
      throw new Fault('PROTOCOL_VIOLATION', `a message of type 0x${(bytes[0] ?? 0).toString(16).padStart(2, '0')} is not allowed here`);
    default:
      return unreachable(kind);
  }
}

function decodeParse(bytes: Buffer, body: Body): ClientMessage {
  const name = body.cstring();
  const text = body.cstring();
  const count = body.uint16();
  body.bytes(count * 4);
  body.done();
  return { kind: 'parse', bytes, name, text };
}

function decodeBind(bytes: Buffer, body: Body): ClientMessage {
  const portal = body.cstring();
  const statement = body.cstring();
  const formats = readFormats(body);
  const count = body.uint16();
  if (formats.length > 1 && formats.length !== count) {
    throw new Fault('PROTOCOL_VIOLATION', `bind has ${formats.length} parameter formats for ${count} parameters`);
  }
  const parameters: (string | null)[] = [];
  for (let i = 0; i < count; i += 1) {
    const length = body.int32();
    if (length < -1) throw new Fault('PROTOCOL_VIOLATION', `bind has a parameter of ${length} bytes`);
    const format = formats.length === 1 ? formats[0] : formats[i];
    parameters.push(length === -1 ? null : shown(body.bytes(length), format ?? 0));
  }
  readFormats(body);
  body.done();
  return { kind: 'bind', bytes, portal, statement, parameters };
}

function readFormats(body: Body): readonly number[] {
  const formats: number[] = [];
  const count = body.uint16();
  for (let i = 0; i < count; i += 1) {
    const format = body.int16();
    if (format !== 0 && format !== 1) throw new Fault('PROTOCOL_VIOLATION', `bind names the format ${format}; there are only 0 and 1`);
    formats.push(format);
  }
  return formats;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A parameter as people and policies see it: text as it is, bytes as `\x…`. */
function shown(value: Buffer, format: number): string {
  if (format === 0) {
    try {
      return utf8.decode(value);
    } catch {
      // The server will refuse it; shown as bytes, it can still be recorded.
    }
  }
  return `\\x${value.toString('hex')}`;
}
