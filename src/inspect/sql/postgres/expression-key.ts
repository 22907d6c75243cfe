import { forEachNode } from './nodes.ts';
import { bodyOf, constantOf, namesOf, tagOf } from './tree.ts';
import type { Node } from './tree.ts';

/**
 * Which names of columns are one. `loose`: `t.id` and `id` are, often enough to take them for one: a false alarm costs an approval, a miss
 * costs a table. `exact`: names are compared as they are written, where two relations commonly share them (`ON target.id = source.id`).
 */
export type ColumnNames = 'loose' | 'exact';

/**
 * A text for an expression that is equal exactly when the expressions are, places in the text aside. Arithmetic that changes nothing is
 * left out: `id + 0` and `id` have one key.
 */
export function keyOf(node: Node | undefined, names: ColumnNames): string {
  if (node === undefined) return '';
  const column = bodyOf(node, 'ColumnRef');
  if (column !== undefined) {
    const parts = namesOf(column.fields);
    return `column ${(names === 'loose' ? parts.at(-1) : parts.join('.')) ?? '*'}`;
  }
  const simple = bodyOf(node, 'A_Expr') === undefined ? undefined : simplified(node, names);
  if (simple !== undefined) return simple;
  const number = constantOf(node);
  if (typeof number === 'number') return `number ${number}`;
  const tag = tagOf(node) ?? '';
  const parts: string[] = [];
  forEachNode(Object.values(node)[0], (inner) => parts.push(keyOf(inner, names)));
  return `${tag}(${ownValues(Object.values(node)[0])}|${parts.join(',')})`;
}

/** EVASION: `id + 0 = id`, `id * 0 = 0`, `id - id = 0` and `id % 1 = 0` are true for every row. */
function simplified(node: Node, names: ColumnNames): string | undefined {
  const expr = bodyOf(node, 'A_Expr');
  if (expr?.kind !== 'AEXPR_OP' || expr.lexpr === undefined) return undefined;
  const left = keyOf(expr.lexpr, names);
  const right = keyOf(expr.rexpr, names);
  switch (namesOf(expr.name).at(-1)) {
    case '+':
      return right === zero ? left : left === zero ? right : undefined;
    case '-':
      return left === right ? zero : right === zero ? left : undefined;
    case '*':
      if (left === zero || right === zero) return zero;
      return right === one ? left : left === one ? right : undefined;
    case '/':
      return right === one ? left : undefined;
    case '%':
      return right === one ? zero : undefined;
    default:
      return undefined;
  }
}

const zero = 'number 0';
const one = 'number 1';

function ownValues(body: unknown): string {
  if (typeof body !== 'object' || body === null) return '';
  const parts: string[] = [];
  for (const [key, value] of Object.entries(body)) {
    if (key === 'location' || key.endsWith('_start') || key.endsWith('_end')) continue;
    if (typeof value === 'object' && value !== null) {
      if (!Array.isArray(value)) parts.push(`${key}{${ownValues(value)}}`);
    } else parts.push(`${key}=${JSON.stringify(value)}`);
  }
  return parts.join(' ');
}
