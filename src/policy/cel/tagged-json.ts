import { parseDuration, parseTimestamp } from './time.ts';
import {
  CelDuration,
  CelMap,
  CelOpaque,
  CelOptional,
  CelTimestamp,
  CelTypeValue,
  CelUint,
  type CelValue,
  formatTime,
  intMax,
  intMin,
  mapKey,
  uintMax,
} from './values.ts';

/**
 * CEL values as JSON that keeps CEL's own types apart, compact: what JSON has is written plainly, everything else is an object with one
 * member, the tag. An int is a JSON number as long as every reader keeps it exactly.
 *
 * SPEC: docs/formats/cel-values.md
 */
export type TaggedJson = null | boolean | number | string | readonly TaggedJson[] | { readonly [tag: string]: TaggedJson };

/** A text that is not of the format, said so that its author can mend it. */
export class TaggedJsonMistake extends Error {}

/** The tagged JSON of a value that an evaluation gave. */
export function toTaggedJson(value: CelValue): TaggedJson {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'bigint':
      return exact(value) ?? { int: value.toString() };
    case 'number':
      return { double: doubleJson(value) };
    default:
      return value === null ? null : objectJson(value);
  }
}

function exact(value: bigint): number | undefined {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : undefined;
}

/** What JSON has no number for is text, and so is negative zero, which most writers of JSON lose. */
function doubleJson(value: number): TaggedJson {
  if (Object.is(value, -0)) return '-0';
  return Number.isFinite(value) ? value : String(value);
}

function objectJson(value: Exclude<CelValue, null | string | boolean | bigint | number>): TaggedJson {
  if (Array.isArray(value)) return value.map((element: CelValue) => toTaggedJson(element));
  if (value instanceof Uint8Array) return { bytes: base64(value) };
  if (value instanceof CelUint) return { uint: exact(value.value) ?? value.value.toString() };
  if (value instanceof CelTimestamp) return { timestamp: formatTime(value) };
  if (value instanceof CelDuration) return { duration: formatTime(value) };
  if (value instanceof CelTypeValue) return { type: value.name };
  if (value instanceof CelOptional) return { optional: value.value === undefined ? [] : [toTaggedJson(value.value)] };
  if (value instanceof CelOpaque) return { [value.kind]: value.toString() };
  if (value instanceof CelMap) return mapJson([...value.entries.values()]);
  // Maps from outside: their members are CEL values as far as an evaluation accepts them.
  if (value instanceof Map) return mapJson([...value] as [CelValue, CelValue][]);
  return mapJson(Object.entries(value) as [string, CelValue][]);
}

function mapJson(entries: readonly (readonly [CelValue, CelValue])[]): TaggedJson {
  return { map: entries.map(([key, member]) => [toTaggedJson(key), toTaggedJson(member)]) };
}

/**
 * The value that tagged JSON stands for. A JSON number is an int when it is whole and a double otherwise; an object that is not one tag
 * is a map with string keys. Throws a `TaggedJsonMistake`.
 */
export function fromTaggedJson(json: unknown): CelValue {
  if (json === null || typeof json === 'boolean' || typeof json === 'string') return json;
  if (typeof json === 'number') return fromNumber(json);
  if (Array.isArray(json)) return json.map(fromTaggedJson);
  if (typeof json !== 'object') throw new TaggedJsonMistake(`a ${typeof json} is not JSON`);
  const entries = Object.entries(json);
  const [only] = entries;
  const read = entries.length === 1 && only !== undefined && Object.hasOwn(readers, only[0]) ? readers[only[0]] : undefined;
  if (read !== undefined && only !== undefined) return read(only[1], only[0]);
  return mapOf(entries.map(([key, member]) => [key, fromTaggedJson(member)]));
}

function fromNumber(json: number): CelValue {
  if (!Number.isInteger(json)) return json;
  if (!Number.isSafeInteger(json))
    throw new TaggedJsonMistake(`the number ${json} is not kept exactly; write {"int": "…"} or {"double": …}`);
  return BigInt(json);
}

const readers: Readonly<Record<string, (content: unknown, tag: string) => CelValue>> = {
  int: (content, tag) => whole(content, { tag, min: intMin, max: intMax }),
  uint: (content, tag) => new CelUint(whole(content, { tag, min: 0n, max: uintMax })),
  double: readDouble,
  bytes: (content, tag) => fromBase64(textOf(content, tag)),
  timestamp: (content, tag) => parseTimestamp(textOf(content, tag)),
  duration: (content, tag) => parseDuration(textOf(content, tag)),
  type: (content, tag) => new CelTypeValue(textOf(content, tag)),
  optional: readOptional,
  map: readMap,
};

function textOf(content: unknown, tag: string): string {
  if (typeof content !== 'string') throw new TaggedJsonMistake(`"${tag}" takes a string`);
  return content;
}

function whole(content: unknown, { tag, min, max }: { tag: string; min: bigint; max: bigint }): bigint {
  const text = typeof content === 'number' && Number.isSafeInteger(content) ? String(content) : content;
  if (typeof text !== 'string' || !/^-?\d{1,20}$/.test(text))
    throw new TaggedJsonMistake(`"${tag}" takes a whole number, as text beyond 2^53`);
  const value = BigInt(text);
  if (value < min || value > max) throw new TaggedJsonMistake(`${text} is out of the range of ${tag}`);
  return value;
}

function readDouble(content: unknown): CelValue {
  if (typeof content === 'number') return content;
  if (content === '-0') return -0;
  if (content === 'NaN' || content === 'Infinity' || content === '-Infinity') return Number(content);
  throw new TaggedJsonMistake('"double" takes a number, "NaN", "Infinity", "-Infinity" or "-0"');
}

function readOptional(content: unknown): CelValue {
  if (!Array.isArray(content) || content.length > 1) throw new TaggedJsonMistake('"optional" takes [] or [value]');
  return content.length === 0 ? CelOptional.none : new CelOptional(fromTaggedJson(content[0]));
}

function isPair(entry: unknown): entry is [unknown, unknown] {
  return Array.isArray(entry) && entry.length === 2;
}

function readMap(content: unknown): CelValue {
  if (!Array.isArray(content) || !content.every(isPair)) throw new TaggedJsonMistake('"map" takes a list of [key, value]');
  return mapOf(content.map(([key, member]) => [fromTaggedJson(key), fromTaggedJson(member)]));
}

function mapOf(entries: readonly (readonly [CelValue, CelValue])[]): CelMap {
  const map = new CelMap();
  for (const [key, member] of entries) {
    const canonical = mapKey(key);
    if (canonical === undefined) throw new TaggedJsonMistake('a map key is a string, an int, a uint or a bool');
    if (map.entries.has(canonical)) throw new TaggedJsonMistake(`the map has the key ${String(canonical)} twice`);
    map.entries.set(canonical, [key, member]);
  }
  return map;
}

// SPEC: RFC 4648 §4, with padding. Written out because the pure folders have no Buffer.
const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function base64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const group = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    text += digits.charAt(group >> 18) + digits.charAt((group >> 12) & 63);
    text += (left > 1 ? digits.charAt((group >> 6) & 63) : '=') + (left > 2 ? digits.charAt(group & 63) : '=');
  }
  return text;
}

function fromBase64(text: string): Uint8Array {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw new TaggedJsonMistake('"bytes" takes base64 with padding');
  const bare = text.replace(/=+$/, '');
  const bytes = new Uint8Array(Math.floor((bare.length * 6) / 8));
  let held = 0;
  let bits = 0;
  let at = 0;
  for (const digit of bare) {
    held = ((held << 6) | digits.indexOf(digit)) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = (held >> bits) & 0xff;
  }
  return bytes;
}
