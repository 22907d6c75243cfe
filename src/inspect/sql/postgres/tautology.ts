import { foldCondition, foldConstant } from './constant-folding.ts';
import { keyOf } from './expression-key.ts';
import type { ColumnNames } from './expression-key.ts';
import { alwaysSublink, neverSublink } from './full-subquery.ts';
import { bodyOf, constantOf, namesOf, tagOf } from './tree.ts';
import type { Body, Node } from './tree.ts';

/** What is known about the condition besides its text. */
export interface ConditionContext {
  /** The condition mentions the rows it is about. */
  readonly dependent: boolean;
  /** Name of the relation whose rows are chosen. */
  readonly target: string | undefined;
  /** Whether a column of the target can never be NULL, by its name. */
  readonly notNull: (column: string) => boolean;
  /** The WITH queries of the statement, by name. */
  readonly commonTables: ReadonlyMap<string, Node>;
  /** `exact` where another relation with columns of the same names is joined. */
  readonly names: ColumnNames;
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
  const constant = foldCondition(node);
  if (constant !== undefined) return constant === true;
  const boolean = bodyOf(node, 'BoolExpr');
  if (boolean !== undefined) {
    const parts = boolean.args ?? [];
    if (boolean.boolop === 'AND_EXPR') return parts.every((part) => always(part, context, depth + 1));
    if (boolean.boolop === 'NOT_EXPR') return never(parts[0], context, depth + 1);
    return parts.some((part) => always(part, context, depth + 1)) || coversAll(parts, context.names);
  }
  return alwaysTest(node, context, depth);
}

function alwaysTest(node: Node, context: ConditionContext, depth: number): boolean {
  switch (tagOf(node)) {
    case 'A_Expr':
      return alwaysOperator(node, context.names);
    case 'NullTest': {
      const test = bodyOf(node, 'NullTest');
      return test?.nulltesttype === 'IS_NOT_NULL' && neverNull(test.arg, context);
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
        (args.length > 0 && args.slice(1).every((part) => always(part, context, depth + 1)) && coversAll(args, context.names))
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
      return alwaysSublink(node, { ...context, always: (where) => always(where, context, depth + 1) });
    default:
      return false;
  }
}

/** A column that every row has a value in. */
function neverNull(node: Node | undefined, { notNull }: ConditionContext): boolean {
  const column = namesOf(bodyOf(node, 'ColumnRef')?.fields).at(-1);
  return column !== undefined && (systemColumns.has(column) || notNull(column));
}

/** Columns that the server gives every row. */
const systemColumns: ReadonlySet<string> = new Set(['tableoid', 'ctid', 'xmin', 'xmax', 'cmin', 'cmax']);

function alwaysOperator(node: Node, names: ColumnNames): boolean {
  const expr = bodyOf(node, 'A_Expr');
  const operator = namesOf(expr?.name).at(-1) ?? '';
  const key = (part: Node | undefined): string => keyOf(part, names);
  const same = expr?.lexpr !== undefined && key(expr.lexpr) === key(expr.rexpr);
  if (expr !== undefined && (aboutTheServer(expr, operator) || aboveTheLeast(expr, operator))) return true;
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
      return operator === '=' && (bodyOf(expr.rexpr, 'List')?.items ?? []).some((item) => key(item) === key(expr.lexpr));
    case 'AEXPR_OP_ANY':
      return operator === '=' && (bodyOf(expr.rexpr, 'A_ArrayExpr')?.elements ?? []).some((item) => key(item) === key(expr.lexpr));
    case 'AEXPR_BETWEEN':
    case 'AEXPR_BETWEEN_SYM': {
      const bounds = bodyOf(expr.rexpr, 'List')?.items ?? [];
      return bounds.length === 2 && bounds.every((bound) => key(bound) === key(expr.lexpr));
    }
    default:
      return false;
  }
}

/**
 * EVASION: `ctid >= '(0,0)'` and `tableoid = 'orders'::regclass` read like conditions. Only an equality with one row's place or
 * transaction chooses rows.
 */
function aboutTheServer({ lexpr, kind }: Body<'A_Expr'>, operator: string): boolean {
  const column = namesOf(bodyOf(lexpr, 'ColumnRef')?.fields).at(-1) ?? '';
  if (kind !== 'AEXPR_OP' || !systemColumns.has(column)) return false;
  return operator !== '=' || column === 'tableoid';
}

/** `length(status) >= 0`, `abs(id) > -1`: what is counted is never less than nothing. */
function aboveTheLeast({ lexpr, rexpr, kind }: Body<'A_Expr'>, operator: string): boolean {
  const counted = countingNames.has(namesOf(bodyOf(lexpr, 'FuncCall')?.funcname).at(-1) ?? '');
  const bound = foldConstant(rexpr);
  if (kind !== 'AEXPR_OP' || !counted || typeof bound !== 'number') return false;
  return operator === '>=' ? bound <= 0 : (operator === '>' || operator === '<>' || operator === '!=') && bound < 0;
}

const countingNames: ReadonlySet<string> = new Set([
  'abs',
  'array_length',
  'bit_length',
  'cardinality',
  'char_length',
  'character_length',
  'length',
  'octet_length',
]);

/**
 * False or NULL for every row beyond any doubt.
 * EVASION: looser reasoning here would let `random() <> random()` pass for a condition that takes nothing.
 */
function certainlyFalse(node: Node, depth: number): boolean {
  if (depth > depthMax) return false;
  const constant = foldCondition(node);
  if (constant !== undefined) return constant !== true;
  const boolean = bodyOf(node, 'BoolExpr');
  if (boolean?.boolop === 'AND_EXPR') return (boolean.args ?? []).some((part) => certainlyFalse(part, depth + 1));
  if (boolean?.boolop === 'OR_EXPR') return (boolean.args ?? []).every((part) => certainlyFalse(part, depth + 1));
  return false;
}

/** False or NULL for every row as far as can be shown: the opposite of `always`. */
function never(node: Node | undefined, context: ConditionContext, depth: number): boolean {
  if (node === undefined || depth > depthMax) return false;
  const constant = foldCondition(node);
  if (constant !== undefined) return constant !== true;
  const boolean = bodyOf(node, 'BoolExpr');
  if (boolean !== undefined) {
    const parts = boolean.args ?? [];
    if (boolean.boolop === 'AND_EXPR') return parts.some((part) => never(part, context, depth + 1));
    if (boolean.boolop === 'NOT_EXPR') return always(parts[0], context, depth + 1);
    return parts.every((part) => never(part, context, depth + 1));
  }
  const test = bodyOf(node, 'NullTest');
  if (test?.nulltesttype === 'IS_NULL') return neverNull(test.arg, context);
  if (tagOf(node) === 'SubLink') return neverSublink(node, (where) => never(where, context, depth + 1));
  const expr = bodyOf(node, 'A_Expr');
  if (expr?.kind !== 'AEXPR_OP' && expr?.kind !== 'AEXPR_DISTINCT') return false;
  const operator = namesOf(expr.name).at(-1) ?? '';
  return (
    expr.lexpr !== undefined &&
    ['<>', '!=', '<', '>'].includes(expr.kind === 'AEXPR_DISTINCT' ? '<>' : operator) &&
    keyOf(expr.lexpr, context.names) === keyOf(expr.rexpr, context.names)
  );
}

/** Which of less, equal, greater an operator allows. */
const allowed: Readonly<Record<string, number>> = { '<': 1, '=': 2, '>': 4, '<=': 3, '>=': 6, '<>': 5, '!=': 5 };

/** Alternatives that leave nothing out: `a < b OR a >= b`, `x IS NULL OR x IS NOT NULL`, `c OR NOT c`, `id < 10 OR id > 0`. */
function coversAll(parts: readonly Node[], names: ColumnNames): boolean {
  const orders = new Map<string, number>();
  const plain = new Set<string>();
  const negated = new Set<string>();
  const rays = new Map<string, { below: number; above: number }>();
  for (const part of parts) {
    const { inner, positive } = peel(part);
    const key = keyOf(inner, names);
    (positive ? plain : negated).add(key);
    if (plain.has(key) && negated.has(key)) return true;
    const expr = bodyOf(inner, 'A_Expr');
    const allows = expr?.kind === 'AEXPR_OP' ? allowed[namesOf(expr.name).at(-1) ?? ''] : undefined;
    if (expr === undefined || allows === undefined) continue;
    const relation = positive ? allows : 7 - allows;
    const left = keyOf(expr.lexpr, names);
    const right = keyOf(expr.rexpr, names);
    const flipped = left > right;
    const pair = flipped ? `${right} ${left}` : `${left} ${right}`;
    const together = (orders.get(pair) ?? 0) | (flipped ? mirrored(relation) : relation);
    orders.set(pair, together);
    if (together === 7 || addRay(rays, { ...expr, names }, relation)) return true;
  }
  return false;
}

function mirrored(relation: number): number {
  return (relation & 2) | (relation & 1 ? 4 : 0) | (relation & 4 ? 1 : 0);
}

/** Adds `column < number` or `column > number`; true when the rays so far overlap. */
function addRay(
  rays: Map<string, { below: number; above: number }>,
  expr: { lexpr?: Node; rexpr?: Node; names: ColumnNames },
  relation: number,
): boolean {
  const right = foldConstant(expr.rexpr);
  const left = foldConstant(expr.lexpr);
  const bound = typeof right === 'number' ? right : typeof left === 'number' ? left : undefined;
  if (bound === undefined) return false;
  const key = keyOf(typeof right === 'number' ? expr.lexpr : expr.rexpr, expr.names);
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
