import { EvalError } from '../eval-error.ts';
import { arithmetic } from '../arithmetic.ts';
import { compare, equals } from '../equality.ts';
import { CelDuration, CelOptional, CelUint, type CelValue, kindOf } from '../values.ts';
import { checkListSize } from './text.ts';
import { fn, type Library } from './overload.ts';

type List = readonly CelValue[];

function range(count: bigint): bigint[] {
  checkListSize(Number(count));
  return Array.from({ length: Math.max(0, Number(count)) }, (_, index) => BigInt(index));
}

function slice(list: List, start: bigint, end: bigint): List {
  if (start < 0n || end < start || end > BigInt(list.length)) {
    throw new EvalError('RANGE', `cannot slice from ${start} to ${end} in a list of ${list.length}`);
  }
  return list.slice(Number(start), Number(end));
}

function flatten(list: List, depth = 1n): CelValue[] {
  if (depth < 0n) throw new EvalError('RANGE', 'flatten: the depth must not be negative');
  const out: CelValue[] = [];
  for (const element of list) {
    if (Array.isArray(element) && depth > 0n)
      out.push(...flatten(element as List, depth - 1n)); // Lists hold values.
    else out.push(element);
    checkListSize(out.length);
  }
  return out;
}

/** Keys that are equal exactly when the values are, for kinds that have one; other values are compared one by one. */
function identity(value: CelValue): string | bigint | boolean | undefined {
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'bigint') return value;
  if (value instanceof CelUint) return value.value;
  return typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : undefined;
}

function distinct(list: List): CelValue[] {
  const seen = new Set<unknown>();
  const others: CelValue[] = [];
  return list.filter((element) => {
    const key = identity(element);
    if (key !== undefined) return !seen.has(key) && seen.add(key) !== undefined;
    if (others.some((other) => equals(other, element))) return false;
    others.push(element);
    return true;
  });
}

/** Sorts values of one orderable type. Throws an `EvalError` when two of them have no order. */
function sort(list: List): CelValue[] {
  const [first] = list;
  if (first !== undefined) compare(first, first);
  return [...list].sort(compare);
}

function isSorted(list: List): boolean {
  return list.every((element, index) => index === 0 || compare(list[index - 1], element) <= 0);
}

function sum(list: List): CelValue {
  const [first, ...rest] = list;
  if (first === undefined) return 0n;
  if (kindOf(first) === 'string' || kindOf(first) === 'list') throw new EvalError('TYPE', `no such overload: sum of ${kindOf(first)}`);
  return rest.reduce((total, element) => arithmetic('+', total, element), first);
}

/** Sum of what may be numbers of unlike JS kinds: data from outside has plain numbers where ints are declared. */
function sumNumbers(list: List): CelValue {
  if (list.every((element) => typeof element === 'number')) return list.reduce<number>((total, element) => total + Number(element), 0);
  return sum(list);
}

function extreme(list: List, sign: 1 | -1): CelValue {
  const [first, ...rest] = list;
  if (first === undefined) throw new EvalError('RANGE', `${sign < 0 ? 'min' : 'max'} of an empty list`);
  compare(first, first);
  return rest.reduce((best, element) => (compare(element, best) * sign > 0 ? element : best), first);
}

function indexOf(list: List, value: CelValue): bigint {
  return BigInt(list.findIndex((element) => equals(element, value)));
}

function lastIndexOf(list: List, value: CelValue): bigint {
  return BigInt(list.findLastIndex((element) => equals(element, value)));
}

function optional(value: CelValue | undefined): CelOptional {
  return value === undefined ? CelOptional.none : new CelOptional(value);
}

export const listFunctions: Library = [
  fn('lists.range(int): list<int>', range),
  fn('list<A>->slice(int, int): list<A>', slice),
  fn('list<A>->flatten(): list<dyn>', flatten),
  fn('list<A>->flatten(int): list<dyn>', flatten),
  fn('list<A>->distinct(): list<A>', distinct, 'product'),
  fn('list<A>->reverse(): list<A>', (list: List) => list.toReversed()),
  fn('list<A>->sort(): list<A>', sort),
  fn('list<A>->isSorted(): bool', isSorted),
  fn('list<A>->first(): optional<A>', (list: List) => optional(list[0]), 'constant'),
  fn('list<A>->last(): optional<A>', (list: List) => optional(list.at(-1)), 'constant'),
  fn('list<int>->sum(): int', sumNumbers),
  fn('list<uint>->sum(): uint', (list: List) => (list.length === 0 ? new CelUint(0n) : sumNumbers(list))),
  fn('list<double>->sum(): double', (list: List) => (list.length === 0 ? 0 : sumNumbers(list))),
  fn('list<duration>->sum(): duration', (list: List) => (list.length === 0 ? new CelDuration(0n) : sum(list))),
  fn('list<A>->min(): A', (list: List) => extreme(list, -1)),
  fn('list<A>->max(): A', (list: List) => extreme(list, 1)),
  fn('list<A>->indexOf(A): int', indexOf),
  fn('list<A>->lastIndexOf(A): int', lastIndexOf),
];
