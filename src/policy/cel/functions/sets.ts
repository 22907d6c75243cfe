import { equals } from '../equality.ts';
import { fn, type Library } from './overload.ts';
import type { CelValue } from '../values.ts';

type List = readonly CelValue[];

function has(list: List, value: CelValue): boolean {
  return typeof value === 'string' ? list.includes(value) : list.some((element) => equals(element, value));
}

function contains(list: List, part: List): boolean {
  if (part.length > 16 && part.every((value) => typeof value === 'string')) {
    const texts = new Set<unknown>(list);
    return part.every((value) => texts.has(value));
  }
  return part.every((value) => has(list, value));
}

export const setFunctions: Library = [
  fn('sets.contains(list<A>, list<A>): bool', contains, 'product'),
  fn('sets.equivalent(list<A>, list<A>): bool', (a: List, b: List) => contains(a, b) && contains(b, a), 'product'),
  fn('sets.intersects(list<A>, list<A>): bool', (a: List, b: List) => a.some((value) => has(b, value)), 'product'),
];
