import type { SqlColumnRole } from '#model';
import { callValue } from './calls.ts';
import type { Findings } from './findings.ts';
import { forEachNode, isConstantForRows } from './nodes.ts';
import { resolve, resolveIn } from './scope.ts';
import type { Relation, Resolution, Scope } from './scope.ts';
import { bodyOf, namesOf, tagOf } from './tree.ts';
import type { Body, Node } from './tree.ts';
import { derive, noValue, unknownValue, wholeOf } from './values.ts';
import type { Output, Value } from './values.ts';

/**
 * What an expression's columns are used for. `condition` is a predicate at a place where an equality with a constant is a lookup:
 * directly in a WHERE, ON or HAVING, or under AND and OR there.
 */
export type Use = SqlColumnRole | 'condition';

/** What the expression analysis needs from the query analysis (which needs this one). */
export interface Analysis {
  readonly findings: Findings;
  /** Analyses a query inside another. Its plain output columns are not recorded: the caller knows what they are used for. */
  query(node: Node | undefined, scope: Scope | undefined, role: SqlColumnRole): Output;
  /** Outputs of the queries inside expressions, by their node: a scalar subquery names its column. */
  readonly outputs: WeakMap<object, Output>;
}

export interface Place {
  readonly analysis: Analysis;
  readonly scope: Scope;
}

/** Records every column of the expression with its role, and tells where the result comes from. */
export function expression(node: Node | undefined, use: Use, place: Place): Value {
  if (node === undefined) return noValue;
  return place.analysis.findings.deeper(() => expressionOf(node, use, place));
}

function expressionOf(node: Node, use: Use, place: Place): Value {
  const tag = tagOf(node);
  const role = roleOf(use);
  const recurse = (inner: Node | undefined, as: Use = role): Value => expression(inner, as, place);
  switch (tag) {
    case undefined:
    case 'A_Const':
    case 'ParamRef':
    case 'SetToDefault':
    case 'CurrentOfExpr':
    case 'SQLValueFunction':
    case 'MergeSupportFunc':
    case 'String':
      return noValue;
    case 'ColumnRef':
      return recordColumn(node, role, place).value;
    case 'A_Expr':
      return operatorValue(bodyOf(node, 'A_Expr') ?? {}, use, place);
    case 'BoolExpr': {
      const body = bodyOf(node, 'BoolExpr');
      const inner: Use = use === 'condition' && body?.boolop !== 'NOT_EXPR' ? 'condition' : conditionRole(role);
      return derive((body?.args ?? []).map((argument) => recurse(argument, inner)));
    }
    case 'NullTest':
      return derive([recurse(bodyOf(node, 'NullTest')?.arg, conditionRole(role))]);
    case 'BooleanTest':
      return derive([recurse(bodyOf(node, 'BooleanTest')?.arg, conditionRole(role))]);
    case 'SubLink':
      return sublinkValue(bodyOf(node, 'SubLink') ?? {}, use, place);
    case 'FuncCall':
      return callValue(bodyOf(node, 'FuncCall') ?? {}, role, place);
    case 'A_Indirection':
      return indirectionValue(bodyOf(node, 'A_Indirection') ?? {}, role, place);
    case 'TypeCast':
      return castValue(bodyOf(node, 'TypeCast') ?? {}, role, place);
    case 'CaseExpr':
      return caseValue(bodyOf(node, 'CaseExpr') ?? {}, role, place);
    case 'GroupingFunc':
      for (const argument of bodyOf(node, 'GroupingFunc')?.args ?? []) recurse(argument, 'group');
      return noValue;
    default: {
      const values: Value[] = [];
      forEachNode(Object.values(node)[0], (inner) => values.push(recurse(inner)));
      return derive(values);
    }
  }
}

export function roleOf(use: Use): SqlColumnRole {
  return use === 'condition' ? 'predicate' : use;
}

/** Comparing is a predicate wherever it stands; only ON and counting keep their own name. */
function conditionRole(role: SqlColumnRole): SqlColumnRole {
  return role === 'join' ? 'join' : 'predicate';
}

/** Resolves a column reference and records its use; `t.*` inside an expression is the whole row. */
function recordColumn(node: Node, role: SqlColumnRole, place: Place): Resolution {
  const resolution = columnOfNode(node, place);
  const name = namesOf(bodyOf(node, 'ColumnRef')?.fields).join('.');
  // EVASION: `SELECT id FROM (SELECT id, substr(ssn, 1, 1) AS k FROM customers) t WHERE k = '1'` looks nothing up, it searches.
  const searched = role === 'lookup' && resolution.value.lineage === 'derived' ? 'predicate' : role;
  place.analysis.findings.use(resolution.value, searched, name === '' ? '*' : name);
  return resolution;
}

/** Resolves without recording. */
export function columnOfNode(node: Node, place: Place): Resolution {
  const body = bodyOf(node, 'ColumnRef');
  if (body === undefined) return { value: unknownValue, column: false };
  place.analysis.findings.seen.add(body);
  const fields = body.fields ?? [];
  const parts = namesOf(fields);
  if (parts.length === fields.length) return resolve(parts, place.scope, place.analysis.findings);
  if (parts.length === 0) return { value: derive(place.scope.items.map(wholeOf)), column: false };
  const relation = place.scope.relation(parts.at(-1) ?? '', parts.at(-2));
  if (relation === undefined) return { value: unknownValue, column: false };
  relation.touched = true;
  return { value: wholeOf(relation), column: false };
}

/** The relation that a bare or schema-qualified name means when it stands for a whole row, unless a column has that name. */
export function rowRelation(node: Node | undefined, place: Place): Relation | undefined {
  const body = bodyOf(node, 'ColumnRef');
  if (body === undefined) return undefined;
  const parts = namesOf(body.fields);
  const starred = (body.fields?.length ?? 0) > parts.length;
  if (!starred && (parts.length !== 1 || resolve(parts, place.scope, place.analysis.findings).column)) return undefined;
  const relation = place.scope.relation(parts.at(-1) ?? '', parts.at(-2));
  if (relation !== undefined) place.analysis.findings.seen.add(body);
  return relation;
}

// Operators that compute; every other one compares or matches.
const computing: ReadonlySet<string> = new Set([
  '+',
  '-',
  '*',
  '/',
  '%',
  '^',
  '||',
  '->',
  '->>',
  '#>',
  '#>>',
  '#-',
  '&',
  '|',
  '#',
  '~',
  '<<',
  '>>',
  '@',
  '|/',
  '||/',
  '!!',
]);

function operatorValue(body: Body<'A_Expr'>, use: Use, place: Place): Value {
  const role = roleOf(use);
  const operator = namesOf(body.name).at(-1) ?? '';
  if (body.kind === 'AEXPR_OP' && computing.has(operator) && (operator !== '~' || body.lexpr === undefined)) {
    return derive([expression(body.lexpr, role, place), expression(body.rexpr, role, place)]);
  }
  if (use === 'condition' && operator === '=') {
    const known = equalityValue(body, place);
    if (known !== undefined) return known;
  }
  const compared = conditionRole(role);
  return derive([expression(body.lexpr, compared, place), expression(body.rexpr, compared, place)]);
}

/** An equality of plain columns (join) or of a plain column with something the same for every row (lookup). */
function equalityValue(body: Body<'A_Expr'>, place: Place): Value | undefined {
  if (body.kind !== 'AEXPR_OP' && body.kind !== 'AEXPR_IN' && body.kind !== 'AEXPR_OP_ANY') return undefined;
  const { lexpr, rexpr } = body;
  const rows = body.kind === 'AEXPR_OP' ? rowPairs(lexpr, rexpr) : undefined;
  if (rows !== undefined) return derive(rows.map(([left, right]) => pairValue(left, right, place)));
  if (isPlain(lexpr) || isPlain(rexpr)) return pairValue(lexpr, rexpr, place);
  return undefined;
}

function rowPairs(left: Node | undefined, right: Node | undefined): readonly (readonly [Node, Node])[] | undefined {
  const a = bodyOf(left, 'RowExpr')?.args;
  const b = bodyOf(right, 'RowExpr')?.args;
  if (a === undefined || b === undefined || a.length !== b.length) return undefined;
  return a.flatMap((node, i) => {
    const other = b[i];
    return other === undefined ? [] : [[node, other] as const];
  });
}

function pairValue(left: Node | undefined, right: Node | undefined, place: Place): Value {
  const leftRole = sideRole(left, right);
  const rightRole = sideRole(right, left);
  return derive([expression(left, leftRole, place), expression(right, rightRole, place)]);
}

function sideRole(side: Node | undefined, other: Node | undefined): SqlColumnRole {
  if (!isPlain(side)) return 'predicate';
  if (isPlain(other)) return 'join';
  return isConstantForRows(other) ? 'lookup' : 'predicate';
}

/**
 * A column as it is, or cast to text.
 * EVASION: any other cast may cut the value (`email::char(1) = 'a'`), which makes an equality a prefix search.
 */
function isPlain(node: Node | undefined): boolean {
  const column = bodyOf(node, 'ColumnRef');
  if (column !== undefined) return namesOf(column.fields).length === column.fields?.length;
  const cast = bodyOf(node, 'TypeCast');
  if (cast === undefined) return false;
  const type = namesOf(cast.typeName?.names).at(-1);
  return (
    (type === 'text' || type === 'uuid') &&
    cast.typeName?.typmods === undefined &&
    bodyOf(cast.arg, 'ColumnRef') !== undefined &&
    isPlain(cast.arg)
  );
}

function sublinkValue(body: Body<'SubLink'>, use: Use, place: Place): Value {
  const { analysis, scope } = place;
  const role = roleOf(use);
  if (body.subLinkType === 'EXISTS_SUBLINK') {
    analysis.query(body.subselect, scope, conditionRole(role));
    return noValue;
  }
  if (body.subLinkType === 'EXPR_SUBLINK' || body.subLinkType === 'ARRAY_SUBLINK') {
    const output = analysis.query(body.subselect, scope, role);
    recordOutput(output, role, analysis.findings);
    return derive([wholeOf(output)]);
  }
  const output = analysis.query(body.subselect, scope, 'predicate');
  const operator = namesOf(body.operName).at(-1) ?? '=';
  const matched = use === 'condition' && operator === '=' && isPlain(body.testexpr) ? 'join' : 'predicate';
  recordOutput(output, matched, analysis.findings);
  return derive([expression(body.testexpr, matched, place), wholeOf(output)]);
}

/** Records the use of columns that a query passes on as they are. */
export function recordOutput(output: Output, role: SqlColumnRole, findings: Findings): void {
  for (const column of output.columns) if (column.passed === true) findings.use(column.value, role, column.name);
  if (output.rest !== undefined) findings.use(output.rest, role, '*');
}

function caseValue(body: Body<'CaseExpr'>, role: SqlColumnRole, place: Place): Value {
  const values = [expression(body.arg, conditionRole(role), place)];
  for (const branch of body.args ?? []) {
    const when = bodyOf(branch, 'CaseWhen');
    values.push(expression(when?.expr, conditionRole(role), place), expression(when?.result, role, place));
  }
  values.push(expression(body.defresult, role, place));
  return derive(values);
}

/** The modifiers of a type are not expressions of the query: `geometry(point, 4326)` names no column. */
function castValue(body: Body<'TypeCast'>, role: SqlColumnRole, place: Place): Value {
  for (const modifier of body.typeName?.typmods ?? []) {
    const word = bodyOf(modifier, 'ColumnRef');
    if (word !== undefined) place.analysis.findings.seen.add(word);
    // The server takes constants and names only; anything else is followed like a condition, so that nothing in it goes unseen.
    else if (bodyOf(modifier, 'A_Const') === undefined) expression(modifier, 'predicate', place);
  }
  return derive([expression(body.arg, role, place)]);
}

/** `(row).field`, `(expression)[index]`, `(row).function`. */
function indirectionValue(body: Body<'A_Indirection'>, role: SqlColumnRole, place: Place): Value {
  const { findings } = place.analysis;
  const names = namesOf(body.indirection);
  // EVASION: `(ARRAY[1,2,3])[salary]` shows the salary, though no element of the array comes from it.
  const chosen = (body.indirection ?? []).flatMap((inner) =>
    bodyOf(inner, 'A_Indices') === undefined ? [] : [expression(inner, role, place)],
  );
  const relation = rowRelation(body.arg, place);
  const first = body.indirection?.[0];
  if (relation !== undefined && bodyOf(first, 'String') !== undefined) {
    const resolution = resolveIn(relation, names[0] ?? '', findings);
    findings.use(resolution.value, role, names[0] ?? '');
    return derive([resolution.value, ...chosen]);
  }
  return derive([expression(body.arg, role, place), ...chosen]);
}
