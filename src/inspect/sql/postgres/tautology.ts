import { foldConstant } from './constant-folding.ts';
import { forEachNode } from './nodes.ts';
import { bodyOf, constantOf, namesOf, tagOf } from './tree.ts';
import type { Node } from './tree.ts';

/** What is known about the condition besides its text. */
export interface ConditionContext {
  /** The condition mentions the rows it is about. */
  readonly dependent: boolean;
  /** Name of the relation whose rows are chosen. */
  readonly target: string | undefined;
}

/**
 * Whether a condition is true for every row as far as can be shown cheaply: constants, a column compared with itself, alternatives
 * that cover everything. NULLs are not counted as exceptions. A condition that says nothing about the rows counts as always true
 * unless it is certainly false.
 */
export function isTautology(where: Node, context: ConditionContext): boolean {
  if (certainlyFalse(where, 0)) return false;
  return !context.dependent || always(where, context, 0);
}

const depthMax = 100;

function always(node: Node | undefined, context: ConditionContext, depth: number): boolean {
  if (node === undefined || depth > depthMax) return false;
  const constant = foldConstant(node);
  if (constant !== undefined) return constant === true;
  const boolean = bodyOf(node, 'BoolExpr');
  if (boolean !== undefined) {
    const parts = boolean.args ?? [];
    if (boolean.boolop === 'AND_EXPR') return parts.every((part) => always(part, context, depth + 1));
    if (boolean.boolop === 'NOT_EXPR') return never(parts[0], context, depth + 1);
    return parts.some((part) => always(part, context, depth + 1)) || coversAll(parts);
  }
  return alwaysTest(node, context, depth);
}

function alwaysTest(node: Node, context: ConditionContext, depth: number): boolean {
  switch (tagOf(node)) {
    case 'A_Expr':
      return alwaysOperator(node);
    case 'NullTest': {
      const test = bodyOf(node, 'NullTest');
      // Only columns that every row has can be shown never to be NULL.
      return (
        test?.nulltesttype === 'IS_NOT_NULL' &&
        ['ctid', 'tableoid', 'xmin'].includes(namesOf(bodyOf(test.arg, 'ColumnRef')?.fields).at(-1) ?? '')
      );
    }
    case 'BooleanTest': {
      const test = bodyOf(node, 'BooleanTest');
      if (test?.booltesttype === 'IS_TRUE' || test?.booltesttype === 'IS_NOT_FALSE') return always(test.arg, context, depth + 1);
      return (test?.booltesttype === 'IS_FALSE' || test?.booltesttype === 'IS_NOT_TRUE') && never(test.arg, context, depth + 1);
    }
    case 'CoalesceExpr': {
      const args = bodyOf(node, 'CoalesceExpr')?.args ?? [];
      return (
        always(args[0], context, depth + 1) ||
        (args.length > 0 && args.slice(1).every((part) => always(part, context, depth + 1)) && coversAll(args))
      );
    }
    case 'CaseExpr': {
      const choice = bodyOf(node, 'CaseExpr');
      const results = (choice?.args ?? []).map((branch) => bodyOf(branch, 'CaseWhen')?.result);
      return [...results, choice?.defresult].every((result) => always(result, context, depth + 1));
    }
    case 'TypeCast':
      return always(bodyOf(node, 'TypeCast')?.arg, context, depth + 1);
    case 'SubLink':
      return alwaysSublink(node, context);
    default:
      return false;
  }
}

function alwaysOperator(node: Node): boolean {
  const expr = bodyOf(node, 'A_Expr');
  const operator = namesOf(expr?.name).at(-1) ?? '';
  const same = expr?.lexpr !== undefined && keyOf(expr.lexpr) === keyOf(expr.rexpr);
  switch (expr?.kind) {
    case 'AEXPR_OP': {
      const pattern = constantOf(expr.rexpr);
      if ((operator === '~' || operator === '~*') && typeof pattern === 'string')
        return ['', '.*', '^', '$', '^.*', '.*$', '^.*$'].includes(pattern);
      return same && ['=', '<=', '>='].includes(operator);
    }
    case 'AEXPR_NOT_DISTINCT':
      return same;
    case 'AEXPR_LIKE':
    case 'AEXPR_ILIKE':
    case 'AEXPR_SIMILAR': {
      const pattern = constantOf(expr.rexpr) ?? constantOf(bodyOf(expr.rexpr, 'FuncCall')?.args?.[0]);
      const everything = typeof pattern === 'string' && pattern.length > 0 && [...pattern].every((character) => character === '%');
      return !operator.startsWith('!') && (same || everything);
    }
    case 'AEXPR_IN':
      return operator === '=' && (bodyOf(expr.rexpr, 'List')?.items ?? []).some((item) => keyOf(item) === keyOf(expr.lexpr));
    case 'AEXPR_OP_ANY':
      return operator === '=' && (bodyOf(expr.rexpr, 'A_ArrayExpr')?.elements ?? []).some((item) => keyOf(item) === keyOf(expr.lexpr));
    case 'AEXPR_BETWEEN':
    case 'AEXPR_BETWEEN_SYM': {
      const bounds = bodyOf(expr.rexpr, 'List')?.items ?? [];
      return bounds.length === 2 && bounds.every((bound) => keyOf(bound) === keyOf(expr.lexpr));
    }
    default:
      return false;
  }
}

/** `EXISTS (SELECT 1)`, and `id IN (SELECT id FROM the_same_table)`. */
function alwaysSublink(node: Node, context: ConditionContext): boolean {
  const link = bodyOf(node, 'SubLink');
  const select = bodyOf(link?.subselect, 'SelectStmt');
  if (
    link === undefined ||
    select === undefined ||
    select.whereClause !== undefined ||
    select.havingClause !== undefined ||
    select.limitCount !== undefined
  )
    return false;
  if (select.limitOffset !== undefined || (select.op ?? 'SETOP_NONE') !== 'SETOP_NONE') return false;
  if (link.subLinkType === 'EXISTS_SUBLINK') return select.fromClause === undefined || onlyTable(select.fromClause) === context.target;
  if (link.subLinkType !== 'ANY_SUBLINK' || link.operName !== undefined || onlyTable(select.fromClause) !== context.target) return false;
  const tested = namesOf(bodyOf(link.testexpr, 'ColumnRef')?.fields).at(-1);
  const chosen = namesOf(bodyOf(bodyOf(select.targetList?.[0], 'ResTarget')?.val, 'ColumnRef')?.fields).at(-1);
  return tested !== undefined && tested === chosen;
}

function onlyTable(from: readonly Node[] | undefined): string | undefined {
  return from?.length === 1 ? bodyOf(from[0], 'RangeVar')?.relname : undefined;
}

/**
 * False or NULL for every row beyond any doubt.
 * EVASION: looser reasoning here would let `random() <> random()` pass for a condition that takes nothing.
 */
function certainlyFalse(node: Node, depth: number): boolean {
  if (depth > depthMax) return false;
  const constant = foldConstant(node);
  if (constant !== undefined) return constant !== true;
  const boolean = bodyOf(node, 'BoolExpr');
  if (boolean?.boolop === 'AND_EXPR') return (boolean.args ?? []).some((part) => certainlyFalse(part, depth + 1));
  if (boolean?.boolop === 'OR_EXPR') return (boolean.args ?? []).every((part) => certainlyFalse(part, depth + 1));
  return false;
}

/** False or NULL for every row as far as can be shown: the opposite of `always`. */
function never(node: Node | undefined, context: ConditionContext, depth: number): boolean {
  if (node === undefined || depth > depthMax) return false;
  const constant = foldConstant(node);
  if (constant !== undefined) return constant !== true;
  const boolean = bodyOf(node, 'BoolExpr');
  if (boolean !== undefined) {
    const parts = boolean.args ?? [];
    if (boolean.boolop === 'AND_EXPR') return parts.some((part) => never(part, context, depth + 1));
    if (boolean.boolop === 'NOT_EXPR') return always(parts[0], context, depth + 1);
    return parts.every((part) => never(part, context, depth + 1));
  }
  const expr = bodyOf(node, 'A_Expr');
  if (expr?.kind !== 'AEXPR_OP' && expr?.kind !== 'AEXPR_DISTINCT') return false;
  const operator = namesOf(expr.name).at(-1) ?? '';
  return (
    expr.lexpr !== undefined &&
    ['<>', '!=', '<', '>'].includes(expr.kind === 'AEXPR_DISTINCT' ? '<>' : operator) &&
    keyOf(expr.lexpr) === keyOf(expr.rexpr)
  );
}

/** Which of less, equal, greater an operator allows. */
const allowed: Readonly<Record<string, number>> = { '<': 1, '=': 2, '>': 4, '<=': 3, '>=': 6, '<>': 5, '!=': 5 };

/** Alternatives that leave nothing out: `a < b OR a >= b`, `x IS NULL OR x IS NOT NULL`, `c OR NOT c`, `id < 10 OR id > 0`. */
function coversAll(parts: readonly Node[]): boolean {
  const orders = new Map<string, number>();
  const plain = new Set<string>();
  const negated = new Set<string>();
  const rays = new Map<string, { below: number; above: number }>();
  for (const part of parts) {
    const { inner, positive } = peel(part);
    const key = keyOf(inner);
    (positive ? plain : negated).add(key);
    if (plain.has(key) && negated.has(key)) return true;
    const expr = bodyOf(inner, 'A_Expr');
    const allows = expr?.kind === 'AEXPR_OP' ? allowed[namesOf(expr.name).at(-1) ?? ''] : undefined;
    if (expr === undefined || allows === undefined) continue;
    const relation = positive ? allows : 7 - allows;
    const left = keyOf(expr.lexpr);
    const right = keyOf(expr.rexpr);
    const flipped = left > right;
    const pair = flipped ? `${right} ${left}` : `${left} ${right}`;
    const together = (orders.get(pair) ?? 0) | (flipped ? mirrored(relation) : relation);
    orders.set(pair, together);
    if (together === 7 || addRay(rays, expr, relation)) return true;
  }
  return false;
}

function mirrored(relation: number): number {
  return (relation & 2) | (relation & 1 ? 4 : 0) | (relation & 4 ? 1 : 0);
}

/** Adds `column < number` or `column > number`; true when the rays so far overlap. */
function addRay(rays: Map<string, { below: number; above: number }>, expr: { lexpr?: Node; rexpr?: Node }, relation: number): boolean {
  const right = foldConstant(expr.rexpr);
  const left = foldConstant(expr.lexpr);
  const bound = typeof right === 'number' ? right : typeof left === 'number' ? left : undefined;
  if (bound === undefined) return false;
  const key = keyOf(typeof right === 'number' ? expr.lexpr : expr.rexpr);
  const seen = typeof right === 'number' ? relation : mirrored(relation);
  const ray = rays.get(key) ?? { below: -Infinity, above: Infinity };
  if (seen & 1) ray.below = Math.max(ray.below, bound);
  if (seen & 4) ray.above = Math.min(ray.above, bound);
  rays.set(key, ray);
  return ray.below > ray.above;
}

/** Takes NOT, IS NOT NULL and the NOT forms of operators off, so that opposites have one key. */
function peel(node: Node): { inner: Node; positive: boolean } {
  let inner = node;
  let positive = true;
  for (
    let boolean = bodyOf(inner, 'BoolExpr');
    boolean?.boolop === 'NOT_EXPR' && boolean.args?.[0] !== undefined;
    boolean = bodyOf(inner, 'BoolExpr')
  ) {
    inner = boolean.args[0];
    positive = !positive;
  }
  const test = bodyOf(inner, 'NullTest');
  if (test?.nulltesttype === 'IS_NOT_NULL') return { inner: { NullTest: { ...test, nulltesttype: 'IS_NULL' } }, positive: !positive };
  const expr = bodyOf(inner, 'A_Expr');
  if (expr?.kind === 'AEXPR_NOT_BETWEEN')
    return { inner: { A_Expr: { ...expr, kind: 'AEXPR_BETWEEN', name: [{ String: { sval: 'BETWEEN' } }] } }, positive: !positive };
  if (expr?.kind === 'AEXPR_DISTINCT') return { inner: { A_Expr: { ...expr, kind: 'AEXPR_NOT_DISTINCT' } }, positive: !positive };
  const operator = namesOf(expr?.name).at(-1) ?? '';
  if ((expr?.kind === 'AEXPR_LIKE' || expr?.kind === 'AEXPR_ILIKE') && operator.startsWith('!')) {
    return { inner: { A_Expr: { ...expr, name: [{ String: { sval: operator.slice(1) } }] } }, positive: !positive };
  }
  if (expr?.kind === 'AEXPR_IN' && operator === '<>')
    return { inner: { A_Expr: { ...expr, name: [{ String: { sval: '=' } }] } }, positive: !positive };
  return { inner, positive };
}

/** A text for an expression that is equal exactly when the expressions are, places in the text aside. */
function keyOf(node: Node | undefined): string {
  if (node === undefined) return '';
  const column = bodyOf(node, 'ColumnRef');
  // `t.id` and `id` are one column often enough to take them for one: a false alarm costs an approval, a miss costs a table.
  if (column !== undefined) return `column ${namesOf(column.fields).at(-1) ?? '*'}`;
  const tag = tagOf(node) ?? '';
  const parts: string[] = [];
  forEachNode(Object.values(node)[0], (inner) => parts.push(keyOf(inner)));
  return `${tag}(${ownValues(Object.values(node)[0])}|${parts.join(',')})`;
}

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
