/**
 * Messages Warder writes itself, towards clients and towards targets. SPEC: PostgreSQL 18 documentation, §54.7.
 */
function message(type: string, ...parts: readonly (Buffer | string)[]): Buffer {
  const bodies = parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'utf8') : part));
  let length = 4;
  for (const body of bodies) length += body.length;
  const header = Buffer.alloc(5);
  header.write(type, 0, 'latin1');
  header.writeUInt32BE(length, 1);
  return Buffer.concat([header, ...bodies], length + 1);
}

export function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value | 0);
  return bytes;
}

/** A C string cannot hold a NUL; a text that does is cut there by us instead of being misread by the other side. */
function cstring(text: string): Buffer {
  const nul = text.indexOf('\0');
  return Buffer.from(`${nul < 0 ? text : text.slice(0, nul)}\0`, 'utf8');
}

// Towards clients.

export type TransactionStatus = 'I' | 'T' | 'E';

const ready = { I: message('Z', 'I'), T: message('Z', 'T'), E: message('Z', 'E') } as const;

export function readyForQuery(status: TransactionStatus): Buffer {
  return ready[status];
}

/** `kind` 0 ok, 10 SASL mechanisms, 11 SASL continue, 12 SASL final. */
export function authentication(kind: 0 | 10 | 11 | 12, data: Buffer | string = ''): Buffer {
  return message('R', int32(kind), data);
}

export function parameterStatus(name: string, value: string): Buffer {
  return message('S', cstring(name), cstring(value));
}

export function backendKeyData(pid: number, secret: Buffer): Buffer {
  return message('K', int32(pid), secret);
}

/** The newest minor version spoken here is 0; `options` are those of the client that nobody here knows. */
export function negotiateProtocolVersion(options: readonly string[]): Buffer {
  return message('v', int32(0x0003_0000), int32(options.length), ...options.map(cstring));
}

/** Fields by letter, in order; undefined ones are left out. */
export type Diagnostic = readonly (readonly [letter: string, text: string | undefined])[];

export function errorResponse(fields: Diagnostic): Buffer {
  return message('E', ...diagnosticBody(fields));
}

export function noticeResponse(fields: Diagnostic): Buffer {
  return message('N', ...diagnosticBody(fields));
}

function diagnosticBody(fields: Diagnostic): Buffer[] {
  const parts: Buffer[] = [];
  for (const [letter, text] of fields) if (text !== undefined) parts.push(Buffer.from(letter, 'latin1'), cstring(text));
  parts.push(Buffer.alloc(1));
  return parts;
}

export const emptyQueryResponse = message('I');

export function commandComplete(tag: string): Buffer {
  return message('C', cstring(tag));
}

// Towards targets.

export function startupMessage(parameters: Readonly<Record<string, string>>): Buffer {
  const pairs = Object.entries(parameters).flatMap(([name, value]) => [cstring(name), cstring(value)]);
  const body = Buffer.concat([int32(0x0003_0000), ...pairs, Buffer.alloc(1)]);
  return Buffer.concat([int32(body.length + 4), body]);
}

export const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

export function cancelRequest(pid: number, secret: Buffer): Buffer {
  return Buffer.concat([int32(12 + secret.length), int32(80_877_102), int32(pid), secret]);
}

export function passwordMessage(text: string): Buffer {
  return message('p', cstring(text));
}

export function saslInitialResponse(mechanism: string, data: string): Buffer {
  const bytes = Buffer.from(data, 'utf8');
  return message('p', cstring(mechanism), int32(bytes.length), bytes);
}

export function saslResponse(data: string): Buffer {
  return message('p', data);
}

export function query(text: string): Buffer {
  return message('Q', cstring(text));
}

/** Bind of the unnamed portal to a statement, without parameters. */
export function bindUnnamed(statement: string): Buffer {
  return message('B', cstring(''), cstring(statement), int16(0), int16(0), int16(0));
}

export function describePortal(name: string): Buffer {
  return message('D', 'P', cstring(name));
}

/** Closes a statement (`S`) or a portal (`P`); closing what does not exist is no error. */
export function closeNamed(of: 'S' | 'P', name: string): Buffer {
  return message('C', of, cstring(name));
}

export const sync = message('S');
export const flush = message('H');
export const terminate = message('X');
