import { limits } from '#model';
import { childrenOf, type CelExpression, type CallExpression, type ComprehensionExpression } from './ast.ts';
import { dynType } from './types.ts';
import type { Checked } from './check.ts';
import type { CelType } from './types.ts';

/** Largest value a bound takes; beyond it the exact number says nothing more. */
const ceiling = Number.MAX_SAFE_INTEGER;

/** What one evaluation can cost at most, and how large its result can be, in elements or characters. */
interface Bound {
  readonly cost: number;
  readonly size: number;
}

/**
 * A static bound of the steps of one evaluation. Lists, maps and strings that only the request knows are assumed to have
 * `limits.celListItemsAssumed` and `limits.celStringCharsAssumed`; ten characters count as one step.
 */
export function costOf(ast: CelExpression, checked: Checked): number {
  return bound(ast, { checked, sizes: new Map() }).cost;
}

interface Known {
  readonly checked: Checked;
  /** Sizes of local variables by slot. */
  readonly sizes: ReadonlyMap<number, number>;
}

function cap(value: number): number {
  return Math.min(ceiling, Math.ceil(value));
}

function assumedSize(type: CelType): number {
  switch (type.kind) {
    case 'list':
    case 'map':
      return limits.celListItemsAssumed;
    case 'string':
    case 'bytes':
      return limits.celStringCharsAssumed;
    case 'dyn':
    case 'object':
      return limits.celStringCharsAssumed;
    default:
      return 1;
  }
}

function steps(e: CelExpression, size: number, checked: Checked): number {
  const type = checked.types.get(e.id) ?? dynType;
  return type.kind === 'string' || type.kind === 'bytes' ? size / 10 : size;
}

function bound(e: CelExpression, known: Known): Bound {
  switch (e.kind) {
    case 'literal':
      return { cost: 1, size: typeof e.value === 'string' || e.value instanceof Uint8Array ? e.value.length : 1 };
    case 'comprehension':
      return comprehensionBound(e, known);
    case 'bind': {
      const value = bound(e.value, known);
      const body = bound(e.body, withSizes(e, known, [value.size]));
      return { cost: cap(value.cost + body.cost), size: body.size };
    }
    case 'optional-map': {
      const target = bound(e.target, known);
      const body = bound(e.body, withSizes(e, known, [target.size]));
      return { cost: cap(target.cost + body.cost), size: body.size };
    }
    case 'ident': {
      const reference = known.checked.references.get(e.id);
      const size = reference?.kind === 'local' ? known.sizes.get(reference.slot) : undefined;
      return { cost: 1, size: size ?? assumedSize(known.checked.types.get(e.id) ?? dynType) };
    }
    case 'binary':
      return binaryBound(e, known);
    case 'call':
      return callBound(e, known);
    case 'ternary': {
      const [condition, then, otherwise] = [e.condition, e.then, e.otherwise].map((part) => bound(part, known));
      const cost = (condition?.cost ?? 0) + Math.max(then?.cost ?? 0, otherwise?.cost ?? 0);
      return { cost: cap(cost + 1), size: Math.max(then?.size ?? 0, otherwise?.size ?? 0) };
    }
    default:
      return containerBound(e, known);
  }
}

function containerBound(e: CelExpression, known: Known): Bound {
  const children = childrenOf(e).map((child) => bound(child, known));
  const cost = cap(1 + children.reduce((sum, child) => sum + child.cost, 0));
  const size =
    e.kind === 'list' ? e.elements.length : e.kind === 'map' ? e.entries.length : assumedSize(known.checked.types.get(e.id) ?? dynType);
  return { cost, size };
}

function withSizes(e: CelExpression, known: Known, sizes: readonly number[]): Known {
  const reference = known.checked.references.get(e.id);
  const slots = reference?.kind === 'slots' ? reference.slots : [];
  return { ...known, sizes: new Map([...known.sizes, ...slots.map((slot, index) => [slot, sizes[index] ?? 1] as const)]) };
}

function comprehensionBound(e: ComprehensionExpression, known: Known): Bound {
  const range = bound(e.range, known);
  const type = known.checked.types.get(e.range.id) ?? dynType;
  const element = type.kind === 'list' ? assumedSize(type.element) : limits.celStringCharsAssumed;
  const items = Math.min(range.size, Math.max(limits.celListItemsAssumed, e.range.kind === 'list' ? range.size : 0));
  const inner = withSizes(e, known, e.variables.length === 2 ? [1, element] : [element]);
  const filter = e.filter === undefined ? 0 : bound(e.filter, inner).cost;
  const cost = cap(range.cost + items * (1 + filter + bound(e.body, inner).cost));
  const result = known.checked.types.get(e.id) ?? dynType;
  return { cost, size: result.kind === 'bool' ? 1 : items };
}

function binaryBound(e: CelExpression & { kind: 'binary' }, known: Known): Bound {
  const left = bound(e.left, known);
  const right = bound(e.right, known);
  const both = left.cost + right.cost + 1;
  if (e.op === '&&' || e.op === '||') return { cost: cap(both), size: 1 };
  if (e.op === 'in') return { cost: cap(both + (e.right.kind === 'list' ? 1 : right.size)), size: 1 };
  const work = Math.min(steps(e.left, left.size, known.checked), steps(e.right, right.size, known.checked));
  const type = known.checked.types.get(e.id) ?? dynType;
  const sized = type.kind === 'string' || type.kind === 'bytes' || type.kind === 'list' || type.kind === 'dyn';
  return { cost: cap(both + work), size: sized ? cap(left.size + right.size) : 1 };
}

function callBound(e: CallExpression, known: Known): Bound {
  const namespaced = known.checked.qualified.has(e.id);
  const operands = e.target === undefined || namespaced ? e.args : [e.target, ...e.args];
  const bounds = operands.map((operand) => bound(operand, known));
  const growth = known.checked.calls.get(e.id)?.[0]?.cost ?? 'scan';
  const sizes = operands.map((operand, index) => Math.max(1, steps(operand, bounds[index]?.size ?? 1, known.checked)));
  const sum = sizes.reduce((total, size) => total + size, 0);
  const work = growth === 'constant' ? 1 : growth === 'scan' ? sum : sizes.reduce((total, size) => total * size, 1);
  const type = known.checked.types.get(e.id) ?? dynType;
  const largest = Math.max(1, ...bounds.map((each) => each.size));
  const size = assumedSize(type) === 1 ? 1 : Math.max(largest, Math.min(assumedSize(type), limits.celListItemsAssumed));
  return { cost: cap(work + bounds.reduce((total, each) => total + each.cost, 0)), size };
}
