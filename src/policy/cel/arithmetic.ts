import { EvalError, noOverload } from './eval-error.ts';
import { addDuration, between, duration, subtractDuration } from './time.ts';
import { CelDuration, CelTimestamp, CelUint, type CelValue, intMax, intMin, kindOf, uintMax } from './values.ts';

export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%';

function overflow(op: string): EvalError {
  return new EvalError('OVERFLOW', `integer overflow in ${op}`);
}

function int(value: bigint, op: string): bigint {
  if (value < intMin || value > intMax) throw overflow(op);
  return value;
}

function uint(value: bigint, op: string): CelUint {
  if (value < 0n || value > uintMax) throw overflow(op);
  return new CelUint(value);
}

/** `a op b` for the operators +, -, *, /, %. Throws an `EvalError`: TYPE, OVERFLOW, DIVISION or RANGE. */
export function arithmetic(op: ArithmeticOperator, a: CelValue, b: CelValue): CelValue {
  if (typeof a === 'bigint' && typeof b === 'bigint') return int(onIntegers(op, a, b), op);
  if (typeof a === 'number' && typeof b === 'number' && op !== '%') return onDoubles(op, a, b);
  if (a instanceof CelUint && b instanceof CelUint) return uint(onIntegers(op, a.value, b.value), op);
  if (op === '+') return add(a, b);
  if (op === '-') {
    if (a instanceof CelTimestamp && b instanceof CelTimestamp) return between(a, b);
    if (a instanceof CelTimestamp && b instanceof CelDuration) return subtractDuration(a, b);
    if (a instanceof CelDuration && b instanceof CelDuration) return duration(a.nanos - b.nanos);
  }
  throw noOverload(`_${op}_`, kindOf(a), kindOf(b));
}

function onIntegers(op: ArithmeticOperator, a: bigint, b: bigint): bigint {
  switch (op) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      if (b === 0n) throw new EvalError('DIVISION', 'divide by zero');
      return a / b;
    case '%':
      if (b === 0n) throw new EvalError('DIVISION', 'modulus by zero');
      // SPEC: the least int modulo -1 overflows, as its quotient does.
      if (a === intMin && b === -1n) throw overflow('%');
      return a % b;
  }
}

function onDoubles(op: '+' | '-' | '*' | '/', a: number, b: number): number {
  switch (op) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
  }
}

function add(a: CelValue, b: CelValue): CelValue {
  if (typeof a === 'string' && typeof b === 'string') return a + b;
  if (Array.isArray(a) && Array.isArray(b)) return [...(a as CelValue[]), ...(b as CelValue[])]; // Lists hold values.
  if (a instanceof Uint8Array && b instanceof Uint8Array) {
    const out = new Uint8Array(a.length + b.length);
    out.set(a);
    out.set(b, a.length);
    return out;
  }
  if (a instanceof CelTimestamp && b instanceof CelDuration) return addDuration(a, b);
  if (a instanceof CelDuration && b instanceof CelTimestamp) return addDuration(b, a);
  if (a instanceof CelDuration && b instanceof CelDuration) return duration(a.nanos + b.nanos);
  throw noOverload('_+_', kindOf(a), kindOf(b));
}

/** `-a`. Throws an `EvalError` of kind TYPE or OVERFLOW. */
export function negate(a: CelValue): CelValue {
  if (typeof a === 'bigint') return int(-a, '-');
  if (typeof a === 'number') return -a;
  throw noOverload('-_', kindOf(a));
}
