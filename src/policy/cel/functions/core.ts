import { EvalError } from '../eval-error.ts';
import { mapSize } from '../equality.ts';
import { parseDuration, parseTimestamp, timestamp } from '../time.ts';
import { utf8Decode, utf8Encode } from '../utf8.ts';
import {
  type CelDuration,
  type CelTimestamp,
  type CelValue,
  CelTypeValue,
  CelUint,
  formatTime,
  intMax,
  intMin,
  kindOf,
  typeName,
  uintMax,
} from '../values.ts';
import { codePoints } from './text.ts';
import { fn, type Library } from './overload.ts';

const decimal = /^[+-]?\d{1,20}$/;
const decimalUnsigned = /^\d{1,20}$/;
const floating = /^[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|Infinity|Inf|inf|infinity|NaN|nan)$/;

/** An int within 64 bits. Throws an `EvalError` outside. */
export function toInt(value: bigint): bigint {
  if (value < intMin || value > intMax) throw new EvalError('RANGE', 'range error: the value does not fit a signed 64-bit integer');
  return value;
}

function toUint(value: bigint): CelUint {
  if (value < 0n || value > uintMax) throw new EvalError('RANGE', 'range error: the value does not fit an unsigned 64-bit integer');
  return new CelUint(value);
}

// SPEC: the ends of the range are refused too, because the double nearest to the greatest int lies outside it.
function doubleToInt(value: number): bigint {
  if (!(value > -(2 ** 63) && value < 2 ** 63))
    throw new EvalError('RANGE', 'range error: the double does not fit a signed 64-bit integer');
  return BigInt(Math.trunc(value));
}

function doubleToUint(value: number): CelUint {
  if (!(value >= 0 && value < 2 ** 64)) throw new EvalError('RANGE', 'range error: the double does not fit an unsigned 64-bit integer');
  return new CelUint(BigInt(Math.trunc(value)));
}

// Run-time errors go to logs and records, so no message of one repeats what was in the data.
function conversion(to: string): EvalError {
  return new EvalError('CONVERSION', `the text is no ${to}`);
}

function stringToDouble(text: string): number {
  if (!floating.test(text)) throw conversion('double');
  if (/inf/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  const value = Number(text);
  if (!Number.isFinite(value) && /\d/.test(text)) throw new EvalError('RANGE', 'range error: the text does not fit a double');
  return value;
}

function stringToBool(text: string): boolean {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)) return false;
  throw conversion('bool');
}

function bytesToString(bytes: Uint8Array): string {
  const text = utf8Decode(bytes);
  if (text === undefined) throw new EvalError('CONVERSION', 'invalid UTF-8 in bytes');
  return text;
}

/** A double as text. SPEC: the shortest decimal form; exponents as Go's %g writes them. */
export function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value < 0 ? '-Infinity' : 'Infinity';
  if (Object.is(value, -0)) return '-0';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e21)) return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  return String(value);
}

const sizeFunctions: Library = [
  ...['string->size(): int', 'size(string): int'].map((text) => fn(text, (value: string) => BigInt(codePoints(value)))),
  ...['bytes->size(): int', 'size(bytes): int'].map((text) => fn(text, (value: Uint8Array) => BigInt(value.length), 'constant')),
  ...['list<A>->size(): int', 'size(list<A>): int'].map((text) =>
    fn(text, (value: readonly CelValue[]) => BigInt(value.length), 'constant'),
  ),
  ...['map<A, B>->size(): int', 'size(map<A, B>): int'].map((text) => fn(text, (value: object) => BigInt(mapSize(value)))),
];

const identity = (value: CelValue): CelValue => value;

const conversions: Library = [
  ...['bool', 'int', 'uint', 'double', 'string', 'bytes', 'timestamp', 'duration'].map((kind) =>
    fn(`${kind}(${kind}): ${kind}`, identity, 'constant'),
  ),
  fn('bool(string): bool', stringToBool, 'constant'),
  fn('int(uint): int', (value: CelUint) => toInt(value.value), 'constant'),
  fn('int(double): int', doubleToInt, 'constant'),
  fn(
    'int(string): int',
    (text: string) => {
      if (!decimal.test(text)) throw conversion('int');
      return toInt(BigInt(text.replace('+', '')));
    },
    'constant',
  ),
  fn('int(timestamp): int', (t: CelTimestamp) => BigInt(t.seconds), 'constant'),
  fn('int(duration): int', (d: CelDuration) => d.nanos / 1_000_000_000n, 'constant'),
  fn('uint(int): uint', toUint, 'constant'),
  fn('uint(double): uint', doubleToUint, 'constant'),
  fn(
    'uint(string): uint',
    (text: string) => {
      if (!decimalUnsigned.test(text)) throw conversion('uint');
      return toUint(BigInt(text));
    },
    'constant',
  ),
  fn('double(int): double', Number as (value: bigint) => number, 'constant'),
  fn('double(uint): double', (value: CelUint) => Number(value.value), 'constant'),
  fn('double(string): double', stringToDouble, 'constant'),
  fn('string(bool): string', String as (value: boolean) => string, 'constant'),
  fn('string(int): string', (value: bigint) => value.toString(), 'constant'),
  fn('string(uint): string', (value: CelUint) => value.value.toString(), 'constant'),
  fn('string(double): string', doubleText, 'constant'),
  fn('string(bytes): string', bytesToString),
  fn('string(timestamp): string', formatTime, 'constant'),
  fn('string(duration): string', formatTime, 'constant'),
  fn('bytes(string): bytes', utf8Encode),
  fn('timestamp(string): timestamp', parseTimestamp, 'constant'),
  fn('timestamp(int): timestamp', (seconds: bigint) => timestamp(Number(seconds), 0), 'constant'),
  fn('duration(string): duration', parseDuration, 'constant'),
];

export const coreFunctions: Library = [
  ...sizeFunctions,
  ...conversions,
  fn('dyn(A): dyn', identity, 'constant'),
  fn('type(A): type', (value: CelValue) => new CelTypeValue(typeName(kindOf(value))), 'constant'),
  fn('string->contains(string): bool', (text: string, part: string) => text.includes(part)),
  fn('string->startsWith(string): bool', (text: string, part: string) => text.startsWith(part)),
  fn('string->endsWith(string): bool', (text: string, part: string) => text.endsWith(part)),
];
