import type { CelType } from './types.ts';

/**
 * Run-time values. int is a bigint, double is a number, bytes are a `Uint8Array`, a list is an array, a map is a `CelMap`,
 * a JS `Map` or a plain object; the other types have classes. Values from outside are used as they are, never copied.
 */
export type CelValue =
  | null
  | boolean
  | string
  | bigint
  | number
  | Uint8Array
  | CelUint
  | CelTimestamp
  | CelDuration
  | CelTypeValue
  | CelOptional
  | CelMap
  | CelOpaque
  | readonly CelValue[]
  | ReadonlyMap<string | bigint | number | boolean, unknown>
  | { readonly [key: string]: unknown };

export const intMin = -(2n ** 63n);
export const intMax = 2n ** 63n - 1n;
export const uintMax = 2n ** 64n - 1n;

/** An unsigned 64-bit integer. */
export class CelUint {
  readonly value: bigint;
  constructor(value: bigint) {
    this.value = value;
  }
}

/** A point in time with nanoseconds: whole seconds since 1970-01-01T00:00:00Z (may be negative) and 0 ≤ nanos < 1e9. */
export class CelTimestamp {
  readonly seconds: number;
  readonly nanos: number;
  constructor(seconds: number, nanos: number) {
    this.seconds = seconds;
    this.nanos = nanos;
  }
}

/** A signed span of time in nanoseconds, within 64 bits. */
export class CelDuration {
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

/** A type as a value, e.g. the result of `type(1)`. */
export class CelTypeValue {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** `optional.of(x)` or `optional.none()`. */
export class CelOptional {
  static readonly none = new CelOptional(undefined);
  readonly value: CelValue | undefined;
  constructor(value: CelValue | undefined) {
    this.value = value;
  }
}

/** Values of the extension types (ip, cidr, url, quantity, semver, format): compared by `equals`, shown by `toString`. */
export abstract class CelOpaque {
  abstract readonly kind: 'ip' | 'cidr' | 'url' | 'quantity' | 'semver' | 'format';
  abstract equals(other: CelOpaque): boolean;
  abstract toString(): string;
}

export type MapKey = string | bigint | boolean;

/** A map made by an expression. Keys that are equal as CEL values (`1`, `1u`, `1.0`) are one key. */
export class CelMap {
  readonly entries = new Map<MapKey, readonly [CelValue, CelValue]>();

  get(key: CelValue): CelValue | undefined {
    const canonical = mapKey(key);
    return canonical === undefined ? undefined : this.entries.get(canonical)?.[1];
  }
}

/** The canonical form of a map key; undefined when no map can have this key. */
export function mapKey(key: unknown): MapKey | undefined {
  if (typeof key === 'string' || typeof key === 'boolean' || typeof key === 'bigint') return key;
  if (typeof key === 'number') return Number.isInteger(key) ? BigInt(key) : undefined;
  return key instanceof CelUint ? key.value : undefined;
}

export type ValueKind =
  | 'null'
  | 'bool'
  | 'int'
  | 'uint'
  | 'double'
  | 'string'
  | 'bytes'
  | 'list'
  | 'map'
  | 'timestamp'
  | 'duration'
  | 'type'
  | 'optional'
  | 'ip'
  | 'cidr'
  | 'url'
  | 'quantity'
  | 'semver'
  | 'format'
  | 'unsupported';

/** The CEL type of a run-time value. A JS number is a double; what declared types make of it is done where it is read. */
export function kindOf(value: unknown): ValueKind {
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int';
    case 'number':
      return 'double';
    case 'object':
      return value === null ? 'null' : objectKind(value);
    default:
      return 'unsupported';
  }
}

function objectKind(value: object): ValueKind {
  if (Array.isArray(value)) return 'list';
  if (value instanceof CelMap || value instanceof Map) return 'map';
  if (value instanceof CelUint) return 'uint';
  if (value instanceof CelTimestamp) return 'timestamp';
  if (value instanceof CelDuration) return 'duration';
  if (value instanceof Uint8Array) return 'bytes';
  if (value instanceof CelOptional) return 'optional';
  if (value instanceof CelTypeValue) return 'type';
  if (value instanceof CelOpaque) return value.kind;
  return 'map';
}

const typeNames: Partial<Record<ValueKind | CelType['kind'], string>> = {
  null: 'null_type',
  timestamp: 'google.protobuf.Timestamp',
  duration: 'google.protobuf.Duration',
  optional: 'optional_type',
  ip: 'net.IP',
  cidr: 'net.CIDR',
  url: 'net.URL',
  quantity: 'kubernetes.Quantity',
  semver: 'kubernetes.Semver',
  format: 'kubernetes.NamedFormat',
  object: 'map',
};

/** The name that `type(x)` has for a kind. */
export function typeName(kind: ValueKind | CelType['kind']): string {
  return typeNames[kind] ?? kind;
}

/**
 * Plain JS data of a value, for messages and records: integers become numbers where they fit, times their text form,
 * maps plain objects; bytes stay as they are; `optional.none()` becomes null.
 */
export function toPlain(value: CelValue): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map((element: CelValue) => toPlain(element));
  if (value instanceof CelUint) return toPlain(value.value);
  if (value instanceof CelOptional) return value.value === undefined ? null : toPlain(value.value);
  if (value instanceof CelMap) {
    return Object.fromEntries([...value.entries.values()].map(([key, member]) => [String(toPlain(key)), toPlain(member)]));
  }
  if (value instanceof CelTypeValue) return value.name;
  if (value instanceof CelTimestamp || value instanceof CelDuration) return formatTime(value);
  if (value instanceof CelOpaque) return value.toString();
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, member]) => [String(key), toPlain(member)]));
  return value;
}

/** `2024-01-02T03:04:05.6Z` for a timestamp, `1.5s` for a duration. */
export function formatTime(value: CelTimestamp | CelDuration): string {
  if (value instanceof CelTimestamp) {
    const date = new Date(value.seconds * 1000).toISOString().slice(0, 19);
    return `${date}${fraction(value.nanos)}Z`;
  }
  const size = value.nanos < 0n ? -value.nanos : value.nanos;
  return `${value.nanos < 0n ? '-' : ''}${size / 1_000_000_000n}${fraction(Number(size % 1_000_000_000n))}s`;
}

function fraction(nanos: number): string {
  return nanos === 0 ? '' : `.${nanos.toString().padStart(9, '0').replace(/0+$/, '')}`;
}
