/** One value of ASN.1 in its distinguished encoding. SPEC: X.690. */
export interface Der {
  readonly tag: number;
  /** Everything: tag, length and content. */
  readonly whole: Buffer;
  readonly content: Buffer;
}

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  octets: 0x04,
  null: 0x05,
  oid: 0x06,
  time: 0x18,
  sequence: 0x30,
  set: 0x31,
  context0: 0xa0,
} as const;

/** The values that stand one after the other in these bytes; undefined when they do not end where the bytes end. */
export function readDer(bytes: Buffer): readonly Der[] | undefined {
  const values: Der[] = [];
  for (let at = 0; at < bytes.length; ) {
    const value = valueAt(bytes, at);
    if (value === undefined) return undefined;
    values.push(value);
    at += value.whole.length;
  }
  return values;
}

function valueAt(bytes: Buffer, at: number): Der | undefined {
  const [tag, short] = [bytes[at], bytes[at + 1]];
  // Tags of more than one byte, and lengths that are not told first, do not occur here.
  if (tag === undefined || short === undefined || (tag & 0x1f) === 0x1f || short === 0x80 || short > 0x84) return undefined;
  const lengthBytes = short < 0x80 ? 0 : short - 0x80;
  const start = at + 2 + lengthBytes;
  if (start > bytes.length) return undefined;
  const length = lengthBytes === 0 ? short : bytes.readUIntBE(at + 2, lengthBytes);
  const end = start + length;
  if (end > bytes.length) return undefined;
  return { tag, whole: bytes.subarray(at, end), content: bytes.subarray(start, end) };
}

/** One value of this tag around these parts. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  const shortest = length.subarray(length.findIndex((byte) => byte !== 0));
  return Buffer.concat([Buffer.from([tag, 0x80 + shortest.length]), shortest, content]);
}

/** A whole number that is not negative, of these bytes. */
export function derInteger(bytes: Uint8Array): Buffer {
  const from = bytes.findIndex((byte) => byte !== 0);
  const shortest = from < 0 ? Uint8Array.of(0) : bytes.subarray(from);
  return der(tags.integer, (shortest[0] ?? 0) >= 0x80 ? Uint8Array.of(0) : new Uint8Array(), shortest);
}

/** `1.2.840…` as an object identifier. */
export function derOid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) groups.unshift((left % 128) + 128);
    return groups;
  });
  return der(tags.oid, Buffer.from(bytes));
}
