import { EvalError, noOverload } from '../eval-error.ts';
import { compare } from '../equality.ts';
import { CelUint, type CelValue, intMin, kindOf, uintMax } from '../values.ts';
import { fn, type Library, type Overload } from './overload.ts';

const numbers = new Set(['int', 'uint', 'double']);

/** The greatest (sign 1) or least (sign -1) number; the first of several equal ones. */
function extreme(sign: 1 | -1, values: readonly CelValue[]): CelValue {
  let best: CelValue | undefined;
  for (const value of values) {
    if (!numbers.has(kindOf(value))) throw noOverload(sign > 0 ? 'math.greatest' : 'math.least', kindOf(value));
    if (best === undefined || compare(value, best) * sign > 0) best = value;
  }
  if (best === undefined) throw new EvalError('RANGE', `math.${sign > 0 ? 'greatest' : 'least'} of an empty list`);
  return best;
}

/** `greatest` and `least` take any number of arguments; more than this many are better written as a list. */
const argumentsMax = 12;

function extremes(name: 'greatest' | 'least', sign: 1 | -1): Overload[] {
  const made: Overload[] = [];
  for (const kind of ['int', 'uint', 'double']) {
    made.push(fn(`math.${name}(list<${kind}>): ${kind}`, (list: readonly CelValue[]) => extreme(sign, list)));
  }
  made.push(fn(`math.${name}(list<dyn>): dyn`, (list: readonly CelValue[]) => extreme(sign, list)));
  for (let count = 1; count <= argumentsMax; count += 1) {
    const run = (...values: readonly CelValue[]): CelValue => extreme(sign, values);
    for (const kind of ['int', 'uint', 'double']) made.push(fn(`math.${name}(${repeat(kind, count)}): ${kind}`, run, 'constant'));
    made.push(fn(`math.${name}(${repeat('dyn', count)}): dyn`, run, 'constant'));
  }
  return made;
}

function repeat(kind: string, count: number): string {
  return Array.from({ length: count }, () => kind).join(', ');
}

/** SPEC: halves are rounded away from zero. */
function round(value: number): number {
  const size = Math.abs(value);
  const whole = Math.floor(size);
  // The fraction is exact; adding a half would itself round, e.g. the double just below 0.5 up to 1.
  return Number.isFinite(value) ? Math.sign(value) * (size - whole >= 0.5 ? whole + 1 : whole) : value;
}

function shiftCount(count: bigint): bigint {
  if (count < 0n) throw new EvalError('RANGE', 'negative offset: a shift count must not be negative');
  return count > 64n ? 64n : count;
}

function absolute(value: bigint): bigint {
  if (value === intMin) throw new EvalError('OVERFLOW', 'integer overflow in math.abs');
  return value < 0n ? -value : value;
}

/** The sign as a value of the same type: -1, 0 or 1. */
function signOf(value: bigint): bigint {
  return value < 0n ? -1n : value > 0n ? 1n : 0n;
}

type Bits = (a: bigint, b: bigint) => bigint;

function bits(name: string, operation: Bits): Overload[] {
  return [
    fn(`math.${name}(int, int): int`, operation, 'constant'),
    fn(`math.${name}(uint, uint): uint`, (a: CelUint, b: CelUint) => new CelUint(operation(a.value, b.value)), 'constant'),
  ];
}

export const mathFunctions: Library = [
  ...extremes('greatest', 1),
  ...extremes('least', -1),
  fn('math.ceil(double): double', Math.ceil, 'constant'),
  fn('math.floor(double): double', Math.floor, 'constant'),
  fn('math.round(double): double', round, 'constant'),
  fn('math.trunc(double): double', Math.trunc, 'constant'),
  fn('math.sqrt(double): double', Math.sqrt, 'constant'),
  fn('math.sqrt(int): double', (value: bigint) => Math.sqrt(Number(value)), 'constant'),
  fn('math.sqrt(uint): double', (value: CelUint) => Math.sqrt(Number(value.value)), 'constant'),
  fn('math.abs(int): int', absolute, 'constant'),
  fn('math.abs(uint): uint', (value: CelUint) => value, 'constant'),
  fn('math.abs(double): double', Math.abs, 'constant'),
  fn('math.sign(int): int', signOf, 'constant'),
  fn('math.sign(uint): uint', (value: CelUint) => new CelUint(signOf(value.value)), 'constant'),
  fn('math.sign(double): double', Math.sign, 'constant'),
  fn('math.isNaN(double): bool', Number.isNaN, 'constant'),
  fn('math.isInf(double): bool', (value: number) => Math.abs(value) === Infinity, 'constant'),
  fn('math.isFinite(double): bool', Number.isFinite, 'constant'),
  ...bits('bitAnd', (a, b) => a & b),
  ...bits('bitOr', (a, b) => a | b),
  ...bits('bitXor', (a, b) => a ^ b),
  fn('math.bitNot(int): int', (value: bigint) => ~value, 'constant'),
  fn('math.bitNot(uint): uint', (value: CelUint) => new CelUint(uintMax ^ value.value), 'constant'),
  fn('math.bitShiftLeft(int, int): int', (value: bigint, count: bigint) => BigInt.asIntN(64, value << shiftCount(count)), 'constant'),
  fn(
    'math.bitShiftLeft(uint, int): uint',
    (value: CelUint, count: bigint) => new CelUint(BigInt.asUintN(64, value.value << shiftCount(count))),
    'constant',
  ),
  // SPEC: shifting an int right fills with zeros, not with its sign.
  fn(
    'math.bitShiftRight(int, int): int',
    (value: bigint, count: bigint) => BigInt.asIntN(64, BigInt.asUintN(64, value) >> shiftCount(count)),
    'constant',
  ),
  fn('math.bitShiftRight(uint, int): uint', (value: CelUint, count: bigint) => new CelUint(value.value >> shiftCount(count)), 'constant'),
];
