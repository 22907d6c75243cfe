import { EvalError } from './eval-error.ts';
import { mapGet } from './equality.ts';
import { overloadsOf } from './functions/index.ts';
import { runOverload } from './functions/overload.ts';
import { parseDuration, parseTimestamp, timestampFromMs } from './time.ts';
import { CelDuration, CelMap, CelOpaque, CelOptional, CelTimestamp, CelUint, type CelValue, kindOf, typeName } from './values.ts';
import { formatType } from './types.ts';
import type { CelType, SimpleKind } from './types.ts';

/** Turns data from outside into a value of its declared type, or throws an `EvalError` of kind TYPE. */
export type Reader = (value: unknown) => CelValue;

/** The reader for a declared type. `path` names the attribute in errors. */
export function readerFor(type: CelType, path: string | undefined): Reader {
  const wrong = (value: unknown): never => {
    const found = kindOf(value);
    const shown = found === 'unsupported' ? typeof value : typeName(found);
    throw new EvalError('TYPE', `${path ?? 'a value'} is ${shown}, declared ${formatType(type)}`, path);
  };
  switch (type.kind) {
    case 'string':
      return (value) => (typeof value === 'string' ? value : wrong(value));
    case 'bool':
      return (value) => (typeof value === 'boolean' ? value : wrong(value));
    case 'list':
      return listReader(type.element, path, wrong);
    case 'map':
    case 'object':
      return (value) => (isMap(value) ? value : wrong(value));
    case 'optional': {
      const inner = readerFor(type.value, path);
      return (value) => {
        if (!(value instanceof CelOptional)) return new CelOptional(inner(value));
        return value.value === undefined ? value : new CelOptional(inner(value.value));
      };
    }
    case 'dyn':
    case 'param':
      return (value) => (kindOf(value) === 'unsupported' ? wrong(value) : (value as CelValue)); // Every other kind is a value.
    default:
      return scalarReader(type.kind, wrong);
  }
}

/** Kinds that come from outside as other JS values than those they are here. */
const converted = new Set(['int', 'uint', 'timestamp', 'duration', 'ip', 'cidr', 'url', 'quantity', 'semver']);

/** Elements are verified when they are used; only where JS has another form for them the list is copied with each one read. */
function listReader(element: CelType, path: string | undefined, wrong: (value: unknown) => never): Reader {
  const nested = element.kind === 'list' && converted.has(element.element.kind);
  if (!converted.has(element.kind) && !nested) return (value) => (Array.isArray(value) ? value : wrong(value));
  const read = readerFor(element, path);
  return (value) => (Array.isArray(value) ? value.map((item: unknown) => read(item)) : wrong(value));
}

function isMap(value: unknown): value is { readonly [key: string]: unknown } {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || kindOf(value) === 'map';
}

function scalarReader(kind: SimpleKind, wrong: (value: unknown) => never): Reader {
  switch (kind) {
    case 'int':
      return (value) => (typeof value === 'bigint' ? value : Number.isSafeInteger(value) ? BigInt(value as number) : wrong(value)); // Checked before.
    case 'uint':
      return (value) => (value instanceof CelUint ? value : readUint(value, wrong));
    case 'double':
      return (value) => (typeof value === 'number' ? value : typeof value === 'bigint' ? Number(value) : wrong(value));
    case 'timestamp':
      return (value) => (value instanceof CelTimestamp ? value : value === null ? null : readTimestamp(value, wrong));
    case 'duration':
      return (value) => (value instanceof CelDuration ? value : value === null ? null : readDuration(value, wrong));
    case 'ip':
    case 'cidr':
    case 'url':
    case 'quantity':
    case 'semver':
      return (value) => (value instanceof CelOpaque && value.kind === kind ? value : value === null ? null : readText(kind, value, wrong));
    default:
      return (value) => (kindOf(value) === kind ? (value as CelValue) : wrong(value)); // `kindOf` says that it is one.
  }
}

function readUint(value: unknown, wrong: (value: unknown) => never): CelUint {
  if (typeof value === 'bigint' && value >= 0n) return new CelUint(value);
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return new CelUint(BigInt(value));
  return wrong(value);
}

/** A timestamp may come as RFC 3339 text, as milliseconds since 1970, or as a Date. */
function readTimestamp(value: unknown, wrong: (value: unknown) => never): CelTimestamp {
  if (typeof value === 'string') return parseTimestamp(value);
  if (typeof value === 'number') return timestampFromMs(value);
  return value instanceof Date ? timestampFromMs(value.getTime()) : wrong(value);
}

/** A duration may come as text such as `90s`, or as milliseconds. */
function readDuration(value: unknown, wrong: (value: unknown) => never): CelDuration {
  if (typeof value === 'string') return parseDuration(value);
  return typeof value === 'number' && Number.isFinite(value) ? new CelDuration(BigInt(Math.round(value * 1_000_000))) : wrong(value);
}

/** Addresses, versions and the like come as their text, which their own function reads. */
function readText(kind: 'ip' | 'cidr' | 'url' | 'quantity' | 'semver', value: unknown, wrong: (value: unknown) => never): CelValue {
  const overload = overloadsOf(kind).find((candidate) => candidate.params.length === 1 && candidate.params[0]?.kind === 'string');
  if (typeof value !== 'string' || overload === undefined) return wrong(value);
  return runOverload(overload, [value]);
}

const inherited = new Set(Object.getOwnPropertyNames(Object.prototype));

/** Whether every plain object inherits a property of this name, so that only `hasOwn` tells whether it has one. */
export function isInherited(field: string): boolean {
  return inherited.has(field);
}

/** A function that reads one named member of a map or attribute object: `undefined` when absent, an error when it has no members. */
export function memberReader(field: string, path: string | undefined): (container: unknown) => unknown {
  // INVARIANT: nothing inherited is ever read. Plain objects inherit only from Object.prototype, whose names take the slow way.
  const direct = !isInherited(field);
  return (container) => {
    if (typeof container === 'object' && container !== null) {
      const prototype: unknown = Object.getPrototypeOf(container);
      if (direct && (prototype === Object.prototype || prototype === null)) return (container as Readonly<Record<string, unknown>>)[field];
      if (container instanceof CelMap || kindOf(container) === 'map') return mapGet(container, field);
    }
    throw new EvalError('TYPE', `${typeName(kindOf(container))} has no fields, so no ${JSON.stringify(field)}`, path);
  };
}
