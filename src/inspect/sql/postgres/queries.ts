import type { SqlColumnRole } from '#model';
import { columnName } from './column-names.ts';
import { windowUses } from './calls.ts';
import { columnOfNode, expression, rowRelation } from './expressions.ts';
import type { Analysis, Place } from './expressions.ts';
import { addItems } from './from.ts';
import { Scope } from './scope.ts';
import type { Output, Value } from './values.ts';
import { bodyOf, constantOf, namesOf } from './tree.ts';
import type { Body, Node } from './tree.ts';
import { derive, either, noValue, unknownValue, wholeOf } from './values.ts';
import type { Column } from './values.ts';
import { addCommonTables } from './with.ts';

/** A SELECT (also VALUES, TABLE, and set operations): records what its clauses use and tells what it returns. */
export function selectOutput(
  body: Body<'SelectStmt'>,
  outer: Scope | undefined,
  options: { analysis: Analysis; role: SqlColumnRole },
): Output {
  return options.analysis.findings.deeper(() => selectOutputOf(body, outer, options));
}

function selectOutputOf(body: Body<'SelectStmt'>, outer: Scope | undefined, options: { analysis: Analysis; role: SqlColumnRole }): Output {
  const { analysis, role } = options;
  analysis.findings.seen.add(body);
  const scope = new Scope(outer);
  const place: Place = { analysis, scope };
  addCommonTables(body.withClause, place);
  const output = body.op !== undefined && body.op !== 'SETOP_NONE' ? setOperation(body, place, role) : simpleSelect(body, place, role);
  sortUses(body.sortClause, output, { place, role: 'order' });
  expression(body.limitCount, 'predicate', place);
  expression(body.limitOffset, 'predicate', place);
  for (const locking of body.lockingClause ?? []) {
    analysis.findings.effect('lock', 'lock.row');
    // FOR UPDATE OF names aliases of this query, not relations.
    for (const named of bodyOf(locking, 'LockingClause')?.lockedRels ?? []) {
      const range = bodyOf(named, 'RangeVar');
      if (range !== undefined) analysis.findings.seen.add(range);
    }
  }
  return output;
}

function simpleSelect(body: Body<'SelectStmt'>, place: Place, role: SqlColumnRole): Output {
  if (body.valuesLists !== undefined) return valuesOutput(body.valuesLists, place, role);
  addItems(body.fromClause, place);
  expression(body.whereClause, 'condition', place);
  const output = targetOutput(body.targetList, place, role);
  sortUses(body.groupClause, output, { place, role: 'group' });
  expression(body.havingClause, 'condition', place);
  for (const window of body.windowClause ?? []) {
    const definition = bodyOf(window, 'WindowDef');
    if (definition !== undefined) windowUses(definition, place);
  }
  for (const item of body.distinctClause ?? []) {
    // Plain DISTINCT is a list with one empty node: every output column is compared.
    if (Object.keys(item).length === 0) place.analysis.findings.use(wholeOf(output), 'group', '*');
    else sortUses([item], output, { place, role: 'group' });
  }
  return output;
}

function valuesOutput(lists: readonly Node[], place: Place, role: SqlColumnRole): Output {
  const columns: Value[] = [];
  for (const list of lists) {
    (bodyOf(list, 'List')?.items ?? []).forEach((item, i) => {
      const value = derive([expression(item, role, place)]);
      const before = columns[i];
      columns[i] = before === undefined ? value : either(before, value);
    });
  }
  return { columns: columns.map((value, i) => ({ name: `column${i + 1}`, value })) };
}

/** A target list: what each output column is. Names passed on as they are stay unrecorded, see `Column.passed`. */
export function targetOutput(targets: readonly Node[] | undefined, place: Place, role: SqlColumnRole): Output {
  const columns: Column[] = [];
  const rests: Value[] = [];
  for (const target of targets ?? []) {
    const body = bodyOf(target, 'ResTarget') ?? {};
    const starred = starOutput(body.val, place);
    if (starred !== undefined) {
      for (const column of starred.columns) columns.push({ name: column.name, value: column.value, passed: true });
      if (starred.rest !== undefined) rests.push(starred.rest);
    } else columns.push(targetColumn(body, place, role));
  }
  return rests.length === 0 ? { columns } : { columns, rest: derive(rests) };
}

function targetColumn(body: Body<'ResTarget'>, place: Place, role: SqlColumnRole): Column {
  if (bodyOf(body.val, 'ColumnRef') !== undefined) {
    const resolution = columnOfNode(body.val ?? ({} as Node), place);
    const value = resolution.column ? resolution.value : derive([resolution.value]);
    return { name: body.name ?? columnName(body.val, () => undefined), value, passed: true };
  }
  const value = derive([expression(body.val, role, place)]);
  return { name: body.name ?? columnName(body.val, (sublink) => place.analysis.outputs.get(sublink)), value };
}

/** What `*`, `t.*` or `(t).*` in a target list expands to; `undefined` when the target is something else. */
function starOutput(node: Node | undefined, place: Place): Output | undefined {
  const { findings } = place.analysis;
  const reference = bodyOf(node, 'ColumnRef');
  const indirection = bodyOf(node, 'A_Indirection');
  if (indirection !== undefined && bodyOf(indirection.indirection?.at(-1), 'A_Star') !== undefined) {
    const relation = indirection.indirection?.length === 1 ? rowRelation(indirection.arg, place) : undefined;
    if (relation !== undefined) return relation;
    return { columns: [], rest: lessCertain(expression(node, 'projected', place)) };
  }
  if (reference === undefined || bodyOf(reference.fields?.at(-1), 'A_Star') === undefined) return undefined;
  findings.seen.add(reference);
  const parts = namesOf(reference.fields);
  if (parts.length === 0) {
    for (const item of place.scope.items) for (const relation of item.relations) relation.touched = true;
    const rests = place.scope.items.flatMap((item) => (item.rest === undefined ? [] : [item.rest]));
    const columns = place.scope.items.flatMap((item) => item.columns);
    return rests.length === 0 ? { columns } : { columns, rest: derive(rests) };
  }
  const relation = rowRelation(node, place);
  if (relation === undefined) return { columns: [], rest: unknownValue };
  relation.touched = true;
  return relation;
}

/** Columns of a composite value: their number is not known here, and none is the bytes of one column. */
function lessCertain(value: Value): Value {
  return derive([value]);
}

function setOperation(body: Body<'SelectStmt'>, place: Place, role: SqlColumnRole): Output {
  const options = { analysis: place.analysis, role };
  const left = selectOutput(body.larg ?? {}, place.scope, options);
  const right = selectOutput(body.rarg ?? {}, place.scope, options);
  const output = unite(left, right);
  const { findings } = place.analysis;
  if (body.op !== 'SETOP_UNION') findings.use(wholeOf(output), 'predicate', '*');
  else if (body.all !== true) findings.use(wholeOf(output), 'group', '*');
  return output;
}

/** Column by column, either of two outputs; the left one names them. */
export function unite(left: Output, right: Output): Output {
  if (left.rest !== undefined || right.rest !== undefined) {
    const rest = derive([wholeOf(left), wholeOf(right)]);
    return { columns: left.columns.map((column) => ({ ...column, value: derive([column.value, rest]) })), rest };
  }
  const columns = left.columns.map((column, i): Column => {
    const other = right.columns[i];
    const value = either(column.value, other?.value ?? noValue);
    const passed = column.passed === true || other?.passed === true;
    return passed ? { name: column.name, value, passed } : { name: column.name, value };
  });
  return { columns };
}

/** ORDER BY, GROUP BY and DISTINCT ON items: a position or a name of the output, else an expression. */
function sortUses(items: readonly Node[] | undefined, output: Output, options: { place: Place; role: 'order' | 'group' }): void {
  for (const item of items ?? []) {
    const node = bodyOf(item, 'SortBy')?.node ?? item;
    sortUse(node, output, options);
  }
}

function sortUse(node: Node, output: Output, options: { place: Place; role: 'order' | 'group' }): void {
  const { place, role } = options;
  const grouping = bodyOf(node, 'GroupingSet');
  if (grouping !== undefined) return sortUses(grouping.content, output, options);
  const position = constantOf(node);
  if (typeof position === 'number') {
    const column = output.columns[position - 1];
    place.analysis.findings.use(column?.value ?? output.rest ?? unknownValue, role, column?.name ?? '*');
    return;
  }
  const reference = bodyOf(node, 'ColumnRef');
  const name = reference?.fields?.length === 1 ? namesOf(reference.fields)[0] : undefined;
  // The output's name wins in ORDER BY, the input's in GROUP BY; recording both is right for either.
  const matching = name === undefined ? [] : output.columns.filter((column) => column.name === name);
  if (matching.length === 0 || role === 'group') expressionOrNothing(node, matching.length > 0, options);
  else if (reference !== undefined) place.analysis.findings.seen.add(reference);
  for (const column of matching) place.analysis.findings.use(column.value, role, column.name);
}

function expressionOrNothing(node: Node, named: boolean, options: { place: Place; role: 'order' | 'group' }): void {
  const { place, role } = options;
  if (!named) {
    expression(node, role, place);
    return;
  }
  const resolution = columnOfNode(node, place);
  if (resolution.value.lineage !== 'unknown') place.analysis.findings.use(resolution.value, role, '');
}
