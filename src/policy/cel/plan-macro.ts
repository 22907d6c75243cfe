import { absorb, type Code, type Frame } from './frame.ts';
import { compare, mapEntries } from './equality.ts';
import { EvalError, noOverload } from './eval-error.ts';
import { insert } from './containers.ts';
import { localReader, Suspended } from './plan-path.ts';
import { type Reader } from './read.ts';
import { CelMap, CelOptional, type CelValue, kindOf } from './values.ts';
import { intType, stringType } from './types.ts';
import type { BindExpression, ComprehensionExpression, OptionalMapExpression } from './ast.ts';
import type { CelType } from './types.ts';
import type { Planner } from './plan.ts';

/** Steps of one macro: sets its variables for each item and calls back; a callback that returns true ends the loop. */
type Loop = (frame: Frame, each: Each) => void;
type Each = (item: CelValue, key: CelValue) => boolean;

export function planComprehension(planner: Planner, e: ComprehensionExpression): Code {
  const loop = planLoop(planner, e);
  const body = planner.plan(e.body);
  switch (e.macro) {
    case 'all':
    case 'exists':
      return planQuantifier(planner, e, { loop, body, decisive: e.macro === 'exists' });
    case 'exists_one':
    case 'existsOne':
      return planExistsOne(loop, body);
    case 'filter':
      return planFilter(loop, body);
    case 'map':
    case 'transformList':
      return planMap(loop, body, filterCode(planner, e));
    case 'transformMap':
      return planTransformMap(loop, body, filterCode(planner, e));
    case 'transformMapEntry':
      return planTransformEntries(loop, body, filterCode(planner, e));
    case 'sortBy':
      return planSortBy(loop, body);
  }
}

function filterCode(planner: Planner, e: ComprehensionExpression): Code | undefined {
  return e.filter === undefined ? undefined : planner.plan(e.filter);
}

interface Variables {
  readonly first: number;
  /** In the two-variable form, the slot of the value; `first` then has the index or key. */
  readonly second: number | undefined;
  readonly key: Reader;
  readonly value: Reader;
}

function planLoop(planner: Planner, e: ComprehensionExpression): Loop {
  const range = planner.plan(e.range);
  const reference = planner.checked.references.get(e.id);
  const [first = 0, second] = reference?.kind === 'slots' ? reference.slots : [];
  const { key, value } = itemTypes(planner.typeOf(e.range));
  const variables: Variables = { first, second, key: localReader(key), value: localReader(value) };
  return (frame, each) => {
    const items = range(frame);
    if (!Array.isArray(items)) return mapLoop(frame, variables, { map: items, each });
    const list: readonly unknown[] = items;
    for (let index = 0; index < list.length; index += 1) {
      frame.charge(1);
      const item = variables.value(list[index]);
      const place = second === undefined ? item : BigInt(index);
      frame.slots[first] = place;
      if (second !== undefined) frame.slots[second] = item;
      if (each(item, place)) return;
    }
  };
}

function itemTypes(type: CelType): { key?: CelType; value?: CelType } {
  if (type.kind === 'list') return { key: intType, value: type.element };
  if (type.kind === 'map') return { key: type.key, value: type.value };
  return type.kind === 'object' ? { key: stringType } : {};
}

function mapLoop(frame: Frame, variables: Variables, { map, each }: { map: CelValue; each: Each }): void {
  if (kindOf(map) !== 'map') throw new EvalError('TYPE', `no such overload: a macro cannot go over ${kindOf(map)}`);
  const { first, second } = variables;
  for (const [foundKey, foundValue] of mapEntries(map as object)) {
    // Its kind is map.
    frame.charge(1);
    const key = variables.key(foundKey);
    frame.slots[first] = key;
    if (second !== undefined) frame.slots[second] = variables.value(foundValue);
    if (each(key, key)) return;
  }
}

interface Quantifier {
  readonly loop: Loop;
  readonly body: Code;
  /** The value of one item that settles the whole: true for `exists`, false for `all`. */
  readonly decisive: boolean;
}

/** Making an error with its stack takes as long as many steps. */
const absorbedSteps = 20;

/** What the body says of one item: true or false, or the error that counts when no item decides. */
function judge(frame: Frame, body: Code): boolean | EvalError {
  try {
    const value = body(frame);
    return typeof value === 'boolean' ? value : noOverload('condition', kindOf(value));
  } catch (thrown) {
    const error = absorb(thrown);
    frame.charge(absorbedSteps);
    return error;
  }
}

/** `exists` (ends at the first true) and `all` (ends at the first false). SPEC: errors of items count only when no item decides. */
function planQuantifier(planner: Planner, e: ComprehensionExpression, quantifier: Quantifier): Code {
  const { loop, body, decisive } = quantifier;
  const type = planner.typeOf(e.range);
  const any: Code = (frame) => {
    let decided = false;
    let failed: EvalError | undefined;
    loop(frame, () => {
      const value = judge(frame, body);
      if (value instanceof EvalError) failed ??= value;
      decided = value === decisive;
      return decided;
    });
    if (!decided && failed !== undefined) throw failed;
    return decided === decisive;
  };
  return e.variables.length === 1 && type.kind === 'list' ? overList(planner, e, quantifier) : any;
}

/** The loop of most rules, over a list with one variable. */
function overList(planner: Planner, e: ComprehensionExpression, { body, decisive }: Quantifier): Code {
  const range = planner.plan(e.range);
  const type = planner.typeOf(e.range);
  const read = localReader(type.kind === 'list' ? type.element : undefined);
  const reference = planner.checked.references.get(e.id);
  const [slot = 0] = reference?.kind === 'slots' ? reference.slots : [];
  return (frame) => {
    const list = range(frame);
    if (!Array.isArray(list)) throw new EvalError('TYPE', `no such overload: a macro cannot go over ${kindOf(list)}`);
    const items: readonly unknown[] = list;
    let failed: EvalError | undefined;
    frame.charge(items.length);
    for (let index = 0; index < items.length; index += 1) {
      frame.slots[slot] = read(items[index]);
      const value = judge(frame, body);
      if (value === decisive) return decisive;
      if (value instanceof EvalError) failed ??= value;
    }
    if (failed !== undefined) throw failed;
    return !decisive;
  };
}

function planExistsOne(loop: Loop, body: Code): Code {
  return (frame) => {
    let count = 0;
    loop(frame, () => {
      if (isTrue(body(frame))) count += 1;
      return false;
    });
    return count === 1;
  };
}

function isTrue(value: CelValue): boolean {
  if (typeof value !== 'boolean') throw noOverload('condition', kindOf(value));
  return value;
}

function planFilter(loop: Loop, body: Code): Code {
  return (frame) => {
    const kept: CelValue[] = [];
    loop(frame, (item) => {
      if (isTrue(body(frame))) kept.push(item);
      return false;
    });
    return kept;
  };
}

function planMap(loop: Loop, body: Code, filter: Code | undefined): Code {
  return (frame) => {
    const made: CelValue[] = [];
    loop(frame, () => {
      if (filter === undefined || isTrue(filter(frame))) made.push(body(frame));
      return false;
    });
    return made;
  };
}

function planTransformMap(loop: Loop, body: Code, filter: Code | undefined): Code {
  return (frame) => {
    const map = new CelMap();
    loop(frame, (_, key) => {
      if (filter === undefined || isTrue(filter(frame))) insert(map, key, body(frame));
      return false;
    });
    return map;
  };
}

function planTransformEntries(loop: Loop, body: Code, filter: Code | undefined): Code {
  return (frame) => {
    const map = new CelMap();
    loop(frame, () => {
      if (filter !== undefined && !isTrue(filter(frame))) return false;
      const entry = body(frame);
      if (kindOf(entry) !== 'map') throw noOverload('transformMapEntry', kindOf(entry));
      for (const [key, value] of mapEntries(entry as object)) insert(map, key, value); // Its kind is map.
      return false;
    });
    return map;
  };
}

function planSortBy(loop: Loop, body: Code): Code {
  return (frame) => {
    const keyed: (readonly [CelValue, CelValue])[] = [];
    loop(frame, (item) => {
      keyed.push([body(frame), item]);
      return false;
    });
    const [first] = keyed;
    if (first !== undefined) compare(first[0], first[0]);
    frame.charge(keyed.length * 4);
    return keyed.sort(([a], [b]) => compare(a, b)).map(([, item]) => item);
  };
}

export function planBind(planner: Planner, e: BindExpression): Code {
  const reference = planner.checked.references.get(e.id);
  const [slot = 0] = reference?.kind === 'slots' ? reference.slots : [];
  const suspended = new Suspended(planner.plan(e.value));
  const body = planner.plan(e.body);
  return (frame) => {
    frame.slots[slot] = suspended;
    return body(frame);
  };
}

export function planOptionalMap(planner: Planner, e: OptionalMapExpression): Code {
  const reference = planner.checked.references.get(e.id);
  const [slot = 0] = reference?.kind === 'slots' ? reference.slots : [];
  const target = planner.plan(e.target);
  const body = planner.plan(e.body);
  return (frame) => {
    const optional = target(frame);
    if (!(optional instanceof CelOptional)) throw noOverload(e.flat ? 'optFlatMap' : 'optMap', kindOf(optional));
    if (optional.value === undefined) return CelOptional.none;
    frame.slots[slot] = optional.value;
    const result = body(frame);
    if (!e.flat) return new CelOptional(result);
    if (!(result instanceof CelOptional)) throw noOverload('optFlatMap', kindOf(result));
    return result;
  };
}
