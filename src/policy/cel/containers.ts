import { EvalError } from './eval-error.ts';
import { type CelMap, type CelValue, kindOf, mapKey } from './values.ts';
import type { CelExpression } from './ast.ts';

/** The list of a literal with only literal members; made once, shared by all evaluations, never changed. */
export function constantList(e: CelExpression): readonly CelValue[] | undefined {
  if (e.kind !== 'list' || e.elements.length === 0) return undefined;
  const values: CelValue[] = [];
  for (const { optional, value } of e.elements) {
    if (optional || value.kind !== 'literal') return undefined;
    values.push(value.value);
  }
  return values;
}

/** Adds an entry. Throws an `EvalError` for a key that is none and for one that is there already. */
export function insert(map: CelMap, key: CelValue, value: CelValue): void {
  const canonical = typeof key === 'number' ? undefined : mapKey(key);
  if (canonical === undefined) throw new EvalError('TYPE', `unsupported key type ${kindOf(key)}`);
  if (map.entries.has(canonical)) throw new EvalError('OTHER', 'repeated key in a map');
  map.entries.set(canonical, [key, value]);
}
