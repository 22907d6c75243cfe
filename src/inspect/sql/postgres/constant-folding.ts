import { bodyOf, constantOf, namesOf, tagOf } from './tree.ts';
import type { Node } from './tree.ts';

/** A constant of SQL; `null` is NULL. */
export type Constant = string | number | boolean | null;

const depthMax = 60;

/** The value of an expression made of constants only; `undefined` when it is not, or not one of the simple forms. */
export function foldConstant(node: Node | undefined, depth = 0): Constant | undefined {
  if (node === undefined || depth > depthMax) return undefined;
  switch (tagOf(node)) {
    case 'A_Const': {
      // EVASION: long decimals that JavaScript cannot keep apart would be compared wrongly.
      const decimal = bodyOf(node, 'A_Const')?.fval?.fval;
      return decimal !== undefined && (decimal.length > 12 || decimal.toLowerCase().includes('e')) ? undefined : constantOf(node);
    }
    case 'TypeCast':
      return foldCast(node, depth);
    case 'BoolExpr':
      return foldBoolean(node, depth);
    case 'A_Expr':
      return foldOperator(node, depth);
    case 'NullTest': {
      const test = bodyOf(node, 'NullTest');
      const value = foldConstant(test?.arg, depth + 1);
      return value === undefined ? undefined : (value === null) === (test?.nulltesttype === 'IS_NULL');
    }
    case 'BooleanTest': {
      const test = bodyOf(node, 'BooleanTest');
      const value = foldConstant(test?.arg, depth + 1);
      if (value === undefined) return undefined;
      const wanted = { IS_TRUE: true, IS_NOT_TRUE: true, IS_FALSE: false, IS_NOT_FALSE: false, IS_UNKNOWN: null, IS_NOT_UNKNOWN: null }[
        test?.booltesttype ?? 'IS_TRUE'
      ];
      return (value === wanted) !== (test?.booltesttype?.includes('NOT') ?? false);
    }
    case 'CoalesceExpr':
      for (const part of bodyOf(node, 'CoalesceExpr')?.args ?? []) {
        const value = foldConstant(part, depth + 1);
        if (value !== null) return value;
      }
      return null;
    default:
      return undefined;
  }
}

/**
 * The same where a condition stands: an untyped string is a boolean there.
 * EVASION: `WHERE 't'` takes every row.
 */
export function foldCondition(node: Node | undefined, depth = 0): Constant | undefined {
  const value = foldConstant(node, depth);
  return typeof value === 'string' ? booleanNamed(value) : value;
}

/** SPEC: PostgreSQL's input of type boolean: unique beginnings of true, yes, on, 1, false, no, off and 0. */
function booleanNamed(text: string): boolean | undefined {
  const word = text.trim().toLowerCase();
  if (word === '' || word === 'o') return undefined;
  if (['true', 'yes', 'on', '1'].some((name) => name.startsWith(word))) return true;
  return ['false', 'no', 'off', '0'].some((name) => name.startsWith(word)) ? false : undefined;
}

function foldCast(node: Node, depth: number): Constant | undefined {
  const cast = bodyOf(node, 'TypeCast');
  const value = foldConstant(cast?.arg, depth + 1);
  const type = namesOf(cast?.typeName?.names).at(-1);
  if (value === undefined || value === null || cast?.typeName?.arrayBounds !== undefined) return value === null ? null : undefined;
  if (type === 'text' && typeof value === 'string') return value;
  if (type === 'bool') {
    if (typeof value === 'boolean') return value;
    if (typeof value === 'number') return value !== 0;
    return booleanNamed(value);
  }
  if (type !== undefined && ['int2', 'int4', 'int8', 'numeric', 'float8'].includes(type) && cast?.typeName?.typmods === undefined) {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : undefined;
  }
  return undefined;
}

function foldBoolean(node: Node, depth: number): Constant | undefined {
  const body = bodyOf(node, 'BoolExpr');
  const values = (body?.args ?? []).map((part) => foldCondition(part, depth + 1));
  if (body?.boolop === 'NOT_EXPR') {
    const value = values[0];
    return typeof value === 'boolean' ? !value : value === null ? null : undefined;
  }
  const deciding = body?.boolop === 'OR_EXPR';
  if (values.includes(deciding)) return deciding;
  if (values.some((value) => value === undefined)) return undefined;
  return values.includes(null) ? null : !deciding;
}

function foldOperator(node: Node, depth: number): Constant | undefined {
  const body = bodyOf(node, 'A_Expr');
  const operator = namesOf(body?.name).at(-1) ?? '';
  const left = foldConstant(body?.lexpr, depth + 1);
  if (body?.kind === 'AEXPR_IN' && left !== undefined) {
    const items = (bodyOf(body.rexpr, 'List')?.items ?? []).map((item) => foldConstant(item, depth + 1));
    if (items.some((item) => item === undefined || typeof item !== typeof left)) return undefined;
    return items.includes(left) === (operator === '=');
  }
  if (body?.kind === 'AEXPR_BETWEEN' && typeof left === 'number') {
    const [low, high] = (bodyOf(body.rexpr, 'List')?.items ?? []).map((item) => foldConstant(item, depth + 1));
    return typeof low === 'number' && typeof high === 'number' ? left >= low && left <= high : undefined;
  }
  const right = foldConstant(body?.rexpr, depth + 1);
  if (left === undefined && body?.lexpr !== undefined) return undefined;
  if (right === undefined) return undefined;
  if (left === undefined) return operator === '-' && typeof right === 'number' && body?.kind === 'AEXPR_OP' ? -right : undefined;
  if (body?.kind === 'AEXPR_NOT_DISTINCT' || body?.kind === 'AEXPR_DISTINCT') {
    if (left !== null && right !== null && typeof left !== typeof right) return undefined;
    return (left === right) === (body.kind === 'AEXPR_NOT_DISTINCT');
  }
  if (body?.kind !== 'AEXPR_OP') return undefined;
  if (left === null || right === null) return null;
  return compute(operator, left, right);
}

/** Only operations whose result is the same in the server: no division, no fractions, no order of strings. */
function compute(operator: string, left: Constant, right: Constant): Constant | undefined {
  // The server compares a number with an untyped string as numbers.
  const a = typeof right === 'number' && typeof left === 'string' ? Number(left) : left;
  const b = typeof left === 'number' && typeof right === 'string' ? Number(right) : right;
  if (typeof a !== typeof b || Number.isNaN(a) || Number.isNaN(b)) return undefined;
  if (operator === '=') return a === b;
  if (operator === '<>' || operator === '!=') return a !== b;
  if (operator === '||' && typeof a === 'string' && typeof b === 'string') return a + b;
  if (typeof a !== 'number' || typeof b !== 'number') return undefined;
  switch (operator) {
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '>':
      return a > b;
    case '>=':
      return a >= b;
    case '+':
      return whole(a + b, a, b);
    case '-':
      return whole(a - b, a, b);
    case '*':
      return whole(a * b, a, b);
    default:
      return undefined;
  }
}

function whole(result: number, a: number, b: number): number | undefined {
  return [result, a, b].every((number) => Number.isSafeInteger(number)) ? result : undefined;
}
