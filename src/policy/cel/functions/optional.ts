import { EvalError } from '../eval-error.ts';
import { mapSize } from '../equality.ts';
import { CelDuration, CelOptional, CelTimestamp, CelUint, type CelValue, kindOf } from '../values.ts';
import { fn, type Library } from './overload.ts';

/** SPEC: the values that `optional.ofNonZeroValue` turns into none. */
function isZero(value: CelValue): boolean {
  if (value === null || value === false || value === '' || value === 0 || value === 0n) return true;
  if (typeof value !== 'object') return false;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length === 0;
  if (value instanceof CelUint) return value.value === 0n;
  if (value instanceof CelDuration) return value.nanos === 0n;
  if (value instanceof CelTimestamp) return value.seconds === 0 && value.nanos === 0;
  if (value instanceof CelOptional) return value.value === undefined;
  return kindOf(value) === 'map' && mapSize(value) === 0;
}

export const optionalFunctions: Library = [
  fn('optional.of(A): optional<A>', (value: CelValue) => new CelOptional(value), 'constant'),
  fn(
    'optional.ofNonZeroValue(A): optional<A>',
    (value: CelValue) => (isZero(value) ? CelOptional.none : new CelOptional(value)),
    'constant',
  ),
  fn('optional.none(): optional<A>', () => CelOptional.none, 'constant'),
  fn('optional.unwrap(list<optional<A>>): list<A>', unwrap),
  fn('list<optional<A>>->unwrapOpt(): list<A>', unwrap),
  fn('optional<A>->hasValue(): bool', (optional: CelOptional) => optional.value !== undefined, 'constant'),
  fn(
    'optional<A>->value(): A',
    (optional: CelOptional) => {
      if (optional.value === undefined) throw new EvalError('NO_SUCH_KEY', 'optional.none() has no value');
      return optional.value;
    },
    'constant',
  ),
];

function unwrap(list: readonly CelValue[]): CelValue[] {
  return list.flatMap((element) => (element instanceof CelOptional && element.value !== undefined ? [element.value] : []));
}

/** `or` and `orValue` are checked like the functions above, but the planner evaluates their argument only when it is needed. */
export const lazyOptionalFunctions: Library = [
  fn('optional<A>->or(optional<A>): optional<A>', (a: CelOptional, b: CelOptional) => (a.value === undefined ? b : a), 'constant'),
  fn('optional<A>->orValue(A): A', (a: CelOptional, b: CelValue) => (a.value === undefined ? b : a.value), 'constant'),
];
