import { noOverload } from './eval-error.ts';
import { CelDuration, CelMap, CelOpaque, CelOptional, CelTimestamp, CelTypeValue, CelUint, kindOf, mapKey } from './values.ts';
import type { CelValue } from './values.ts';

/**
 * CEL equality: numbers by value whatever their types, lists and maps member by member, different types never
 * equal, NaN never equal. Total: it never throws.
 */
export function equals(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || a === null) {
    if (typeof b === 'object' && b !== null) return b instanceof CelUint && numericEquals(a, b.value);
    return a === b || numericEquals(a, b);
  }
  if (typeof b !== 'object' || b === null) return a instanceof CelUint && numericEquals(a.value, b);
  if (a instanceof CelUint) return b instanceof CelUint && a.value === b.value;
  if (Array.isArray(a)) return Array.isArray(b) && listEquals(a, b);
  return objectEquals(a, b);
}

// SPEC: an integer meets a double as a double (the conformance suite's "lossy" cases), so that of <, == and > exactly one holds.
function numericEquals(a: unknown, b: unknown): boolean {
  if (typeof a === 'bigint') return typeof b === 'number' ? Number(a) === b : a === b;
  return typeof a === 'number' && typeof b === 'bigint' && a === Number(b);
}

function listEquals(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((element, index) => equals(element, b[index]));
}

function objectEquals(a: object, b: object): boolean {
  const kind = kindOf(a);
  if (kind !== kindOf(b)) return false;
  if (a instanceof CelTimestamp && b instanceof CelTimestamp) return a.seconds === b.seconds && a.nanos === b.nanos;
  if (a instanceof CelDuration && b instanceof CelDuration) return a.nanos === b.nanos;
  if (a instanceof Uint8Array && b instanceof Uint8Array) return a.length === b.length && a.every((byte, index) => byte === b[index]);
  if (a instanceof CelTypeValue && b instanceof CelTypeValue) return a.name === b.name;
  if (a instanceof CelOpaque && b instanceof CelOpaque) return a.equals(b);
  if (a instanceof CelOptional && b instanceof CelOptional) {
    if (a.value === undefined || b.value === undefined) return a.value === b.value;
    return equals(a.value, b.value);
  }
  return kind === 'map' && mapEquals(a, b);
}

function mapEquals(a: object, b: object): boolean {
  const left = mapEntries(a);
  if (left.length !== mapSize(b)) return false;
  return left.every(([key, value]) => {
    const other = mapGet(b, key);
    return other !== undefined && equals(value, other);
  });
}

/** Number of entries of any map value. A member that is `undefined` is absent. */
export function mapSize(map: object): number {
  if (map instanceof CelMap) return map.entries.size;
  if (map instanceof Map) return map.size;
  let size = 0;
  for (const key of Object.keys(map)) {
    if ((map as Readonly<Record<string, unknown>>)[key] !== undefined) size += 1; // `key` is an own key of the object.
  }
  return size;
}

/** Entries of any map value, in insertion order. */
export function mapEntries(map: object): (readonly [CelValue, CelValue])[] {
  if (map instanceof CelMap) return [...map.entries.values()];
  // Data from outside becomes values when it is read; `kindOf` refuses what is not one.
  if (map instanceof Map) return [...map] as [CelValue, CelValue][];
  return Object.entries(map).filter(([, value]) => value !== undefined) as [string, CelValue][];
}

/** The member of any map value; undefined when it has none. Never an inherited property. */
export function mapGet(map: object, key: CelValue): CelValue | undefined {
  if (map instanceof CelMap) return map.get(key);
  if (map instanceof Map) return nativeMapGet(map, key);
  if (typeof key !== 'string' || !Object.hasOwn(map, key)) return undefined;
  return (map as Readonly<Record<string, CelValue | undefined>>)[key]; // An own property, checked above.
}

function nativeMapGet(map: ReadonlyMap<unknown, unknown>, key: CelValue): CelValue | undefined {
  const canonical = mapKey(key);
  if (canonical === undefined) return undefined;
  let found = map.get(canonical);
  if (found === undefined && typeof canonical === 'bigint') found = map.get(Number(canonical));
  return found as CelValue | undefined; // See `mapEntries`.
}

/**
 * CEL ordering of two values of one type, or of two numbers of any types: negative, zero, positive, or NaN when one is NaN.
 * Throws an `EvalError` of kind TYPE when the types have no order.
 */
export function compare(a: unknown, b: unknown): number {
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b);
  const left = a instanceof CelUint ? a.value : a;
  const right = b instanceof CelUint ? b.value : b;
  if ((typeof left === 'bigint' || typeof left === 'number') && (typeof right === 'bigint' || typeof right === 'number')) {
    if (typeof left === 'bigint' && typeof right === 'bigint') return left < right ? -1 : left > right ? 1 : 0;
    const [a1, b1] = [Number(left), Number(right)];
    return a1 < b1 ? -1 : a1 > b1 ? 1 : a1 === b1 ? 0 : Number.NaN;
  }
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b);
  if (a instanceof CelTimestamp && b instanceof CelTimestamp) return a.seconds - b.seconds || a.nanos - b.nanos;
  if (a instanceof CelDuration && b instanceof CelDuration) return a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0;
  if (a instanceof Uint8Array && b instanceof Uint8Array) return compareBytes(a, b);
  throw noOverload('_<_', kindOf(a), kindOf(b));
}

/** Order by code points. UTF-16 order differs from it only where surrogates meet U+E000…U+FFFF. */
function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

function rank(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
