import { isNumeric } from './unify.ts';
import type { Bindings } from './unify.ts';
import type { BinaryOperator } from './ast.ts';
import { boolType, type CelType, dynType, type SimpleKind } from './types.ts';

/** Result types of arithmetic by operand kinds. Lists are told apart below. */
const arithmetic: Readonly<Record<string, SimpleKind>> = {
  'int+int': 'int',
  'uint+uint': 'uint',
  'double+double': 'double',
  'string+string': 'string',
  'bytes+bytes': 'bytes',
  'timestamp+duration': 'timestamp',
  'duration+timestamp': 'timestamp',
  'duration+duration': 'duration',
  'int-int': 'int',
  'uint-uint': 'uint',
  'double-double': 'double',
  'timestamp-timestamp': 'duration',
  'timestamp-duration': 'timestamp',
  'duration-duration': 'duration',
  'int*int': 'int',
  'uint*uint': 'uint',
  'double*double': 'double',
  'int/int': 'int',
  'uint/uint': 'uint',
  'double/double': 'double',
  'int%int': 'int',
  'uint%uint': 'uint',
};

const ordered = new Set(['bool', 'int', 'uint', 'double', 'string', 'bytes', 'timestamp', 'duration']);

export interface Operands {
  readonly left: CelType;
  readonly right: CelType;
}

/** The type of `left op right`; undefined when these types have no such operator. `&&` and `||` are not handled here. */
export function operatorType(op: BinaryOperator, operands: Operands, bindings: Bindings): CelType | undefined {
  const { left, right } = operands;
  switch (op) {
    case '==':
    case '!=':
      return comparable(left, right, bindings) ? boolType : undefined;
    case '<':
    case '<=':
    case '>':
    case '>=':
      return isOrdered(left, right) ? boolType : undefined;
    case 'in':
      return contains(left, right, bindings) ? boolType : undefined;
    case '&&':
    case '||':
      return boolType;
    default:
      return arithmeticType(op, operands, bindings);
  }
}

function unknown(type: CelType): boolean {
  return type.kind === 'dyn' || type.kind === 'param';
}

function comparable(left: CelType, right: CelType, bindings: Bindings): boolean {
  return (isNumeric(left) && isNumeric(right)) || bindings.assign(left, right);
}

function isOrdered(left: CelType, right: CelType): boolean {
  if (unknown(left)) return unknown(right) || ordered.has(right.kind);
  if (unknown(right)) return ordered.has(left.kind);
  return (left.kind === right.kind && ordered.has(left.kind)) || (isNumeric(left) && isNumeric(right));
}

function contains(left: CelType, right: CelType, bindings: Bindings): boolean {
  if (unknown(right)) return true;
  if (right.kind === 'list') return comparable(bindings.shallow(right.element), left, bindings);
  if (right.kind === 'map') return comparable(bindings.shallow(right.key), left, bindings);
  return right.kind === 'object' && (unknown(left) || left.kind === 'string');
}

function arithmeticType(op: BinaryOperator, { left, right }: Operands, bindings: Bindings): CelType | undefined {
  if (op === '+' && left.kind === 'list' && right.kind === 'list') {
    return { kind: 'list', element: bindings.join(bindings.shallow(left.element), bindings.shallow(right.element)) };
  }
  if (unknown(left) && unknown(right)) return dynType;
  if (unknown(left) || unknown(right)) return halfKnown(op, left, right);
  const kind = arithmetic[left.kind + op + right.kind];
  return kind === undefined ? undefined : { kind };
}

/** One operand is dyn: the result is known when all overloads that remain agree. */
function halfKnown(op: BinaryOperator, left: CelType, right: CelType): CelType | undefined {
  if (op === '+' && (left.kind === 'list' || right.kind === 'list')) return { kind: 'list', element: dynType };
  const fits = (key: string): boolean => (unknown(left) ? key.endsWith(op + right.kind) : key.startsWith(left.kind + op));
  const results = new Set(
    Object.entries(arithmetic)
      .filter(([key]) => fits(key))
      .map(([, kind]) => kind),
  );
  const [only] = results;
  if (only === undefined) return undefined;
  return results.size === 1 ? { kind: only } : dynType;
}
