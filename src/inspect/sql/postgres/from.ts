import { expression } from './expressions.ts';
import type { Place } from './expressions.ts';
import { aggregateFunctions, rowFunctions, shapelessFunctions } from './functions.ts';
import { forEachNode } from './nodes.ts';
import { isUnlisted, touchRelation } from './relations.ts';
import { columnOf, Scope } from './scope.ts';
import type { Item, Relation } from './scope.ts';
import { bodyOf, namesOf, tagOf } from './tree.ts';
import type { Body, Node } from './tree.ts';
import { derive, either, noValue, unknownValue } from './values.ts';
import type { Column, Output, Value } from './values.ts';

/** Adds the items of a FROM clause to the scope, in order; a LATERAL item and a function see the ones before it. */
export function addItems(nodes: readonly Node[] | undefined, place: Place): void {
  for (const node of nodes ?? []) place.scope.items.push(fromItem(node, place));
}

function fromItem(node: Node, place: Place): Item {
  return place.analysis.findings.deeper(() => fromItemOf(node, place));
}

function fromItemOf(node: Node, place: Place): Item {
  const { analysis, scope } = place;
  switch (tagOf(node)) {
    case 'RangeVar':
      return tableItem(bodyOf(node, 'RangeVar') ?? {}, place);
    case 'RangeSubselect': {
      const body = bodyOf(node, 'RangeSubselect') ?? {};
      const output = analysis.query(body.subquery, body.lateral === true ? scope : outside(scope), 'projected');
      return aliased(output, body.alias, 'unnamed_subquery');
    }
    case 'RangeFunction':
      return functionItem(bodyOf(node, 'RangeFunction') ?? {}, place);
    case 'JoinExpr':
      return joinItem(bodyOf(node, 'JoinExpr') ?? {}, place);
    case 'RangeTableSample': {
      const body = bodyOf(node, 'RangeTableSample') ?? {};
      const method = namesOf(body.method).at(-1) ?? '';
      if (method !== 'system' && method !== 'bernoulli') analysis.findings.unknown.add(`function:${method}`);
      for (const argument of body.args ?? []) expression(argument, 'predicate', place);
      expression(body.repeatable, 'predicate', place);
      return fromItem(body.relation ?? ({} as Node), place);
    }
    case 'RangeTableFunc':
      return documentItem(node, bodyOf(node, 'RangeTableFunc')?.alias, place);
    case 'JsonTable':
      return documentItem(node, bodyOf(node, 'JsonTable')?.alias, place);
    default:
      analysis.findings.unknown.add(`from:${tagOf(node) ?? 'nothing'}`);
      return aliased({ columns: [], rest: unknownValue }, undefined, '');
  }
}

/** A scope that sees what the query around sees, with the WITH queries of this level but not its FROM. */
function outside(scope: Scope): Scope {
  const outer = new Scope(scope.parent);
  for (const [name, table] of scope.commonTables) outer.commonTables.set(name, table);
  return outer;
}

function tableItem(body: Body<'RangeVar'>, place: Place): Item {
  const { findings } = place.analysis;
  const name = body.relname ?? '';
  const common = body.schemaname === undefined ? place.scope.commonTable(name) : undefined;
  if (common !== undefined) {
    findings.seen.add(body);
    return aliased(common.output(), body.alias, name);
  }
  const relation = touchRelation(body, 'read', findings);
  const item = aliased(relation, body.alias, name, true);
  const extra = {
    ...(body.alias === undefined && relation.schema !== '' ? { schema: relation.schema } : {}),
    ...(findings.catalog === undefined && isUnlisted(relation)
      ? { table: relation.schema === '' ? relation.name : `${relation.schema}.${relation.name}` }
      : {}),
  };
  return { ...item, relations: item.relations.map((each) => ({ ...each, ...extra })) };
}

/** An item with one relation, its columns renamed as the alias says. */
export function aliased(output: Output, alias: Body<'Alias'> | undefined, name: string, systemColumns = false): Item {
  const renamed = namesOf(alias?.colnames);
  const columns: Column[] = output.columns.map((column, i) => ({ name: renamed[i] ?? column.name, value: column.value }));
  for (const extra of renamed.slice(columns.length)) columns.push({ name: extra, value: output.rest ?? unknownValue });
  const list = renamed.length === 0 ? output.columns : columns;
  const rest = output.rest === undefined ? {} : { rest: output.rest };
  const relation: Relation = { name: alias?.aliasname ?? name, touched: false, systemColumns, columns: list, ...rest };
  return { relations: [relation], columns: list, ...rest };
}

function functionItem(body: Body<'RangeFunction'>, place: Place): Item {
  const columns: Column[] = [];
  let rest: Value | undefined;
  let name = '';
  for (const entry of body.functions ?? []) {
    const call = bodyOf(entry, 'List')?.items?.[0];
    const value = columnless(expression(call, 'projected', place));
    const names = namesOf(bodyOf(call, 'FuncCall')?.funcname);
    const last = names.at(-1) ?? 'value';
    name = name === '' ? last : name;
    const shape = shapeOfCall(last, value, bodyOf(call, 'FuncCall')?.args?.length ?? 0);
    if (shape === undefined) rest = rest === undefined ? value : derive([rest, value]);
    for (const column of shape ?? []) columns.push({ name: column, value });
  }
  const defined = (body.coldeflist ?? []).map((node) => bodyOf(node, 'ColumnDef')?.colname ?? '');
  if (defined.length > 0) {
    const value = rest ?? derive(columns.map((column) => column.value));
    return aliased({ columns: defined.map((column) => ({ name: column, value })) }, body.alias, name);
  }
  // A function with one column gives it the alias's name.
  const only = columns.length === 1 && rest === undefined && !rowFunctions.has(name) ? columns[0] : undefined;
  if (only !== undefined && body.alias?.aliasname !== undefined) columns[0] = { name: body.alias.aliasname, value: only.value };
  if (body.ordinality === true) columns.push({ name: 'ordinality', value: noValue });
  return aliased(
    rest === undefined ? { columns } : { columns: [], rest: derive([rest, ...columns.map((column) => column.value)]) },
    body.alias,
    name,
  );
}

/** The names of a function's columns, `undefined` when they cannot be counted. */
function shapeOfCall(name: string, value: Value, args: number): readonly string[] | undefined {
  const listed = rowFunctions.get(name);
  if (listed !== undefined) return listed;
  // Several arrays go side by side, one column each.
  if (name === 'unnest' && value.lineage === 'none') return Array.from({ length: Math.max(1, args) }, () => 'unnest');
  if (shapelessFunctions.has(name) || value.lineage === 'unknown') return undefined;
  return aggregateFunctions.has(name) ? undefined : [name];
}

/** What a function in FROM returns is never a column's own bytes. */
function columnless(value: Value): Value {
  return derive([value]);
}

/** XMLTABLE and JSON_TABLE: columns cut out of a document. */
function documentItem(node: Node, alias: Body<'Alias'> | undefined, place: Place): Item {
  const values: Value[] = [];
  forEachNode(Object.values(node)[0], (inner) => values.push(expression(inner, 'projected', place)));
  return aliased({ columns: [], rest: derive(values) }, alias, tagOf(node) === 'JsonTable' ? 'json_table' : 'xmltable');
}

function joinItem(body: Body<'JoinExpr'>, place: Place): Item {
  const before = place.scope.items.length;
  const left = fromItem(body.larg ?? ({} as Node), place);
  // The right side sees the left when it is LATERAL.
  place.scope.items.push(left);
  const right = fromItem(body.rarg ?? ({} as Node), place);
  place.scope.items.length = before;
  const shared = body.isNatural === true ? naturalNames(left, right) : namesOf(body.usingClause);
  const merged = shared.map((name) => mergedColumn(name, left, right, place));
  const taken = new Set(shared);
  const columns = [
    ...merged,
    ...left.columns.filter((column) => !taken.has(column.name)),
    ...right.columns.filter((column) => !taken.has(column.name)),
  ];
  const rests = [left.rest, right.rest].filter((rest) => rest !== undefined);
  const rest = rests.length === 0 ? {} : { rest: derive(rests) };
  const item: Item = { relations: [...left.relations, ...right.relations], columns, ...rest };
  if (body.quals !== undefined) {
    const scope = new Scope(place.scope);
    scope.items.push(item);
    expression(body.quals, 'condition', { analysis: place.analysis, scope });
  }
  if (body.alias !== undefined) return aliased(item, body.alias, '');
  const using = body.join_using_alias?.aliasname;
  if (using === undefined) return item;
  return { ...item, relations: [...item.relations, { name: using, columns: merged, touched: false, systemColumns: false }] };
}

function naturalNames(left: Item, right: Item): readonly string[] {
  return left.columns.map((column) => column.name).filter((name) => columnOf(right, name) !== undefined);
}

function mergedColumn(name: string, left: Item, right: Item, place: Place): Column {
  const a = columnOf(left, name)?.value ?? left.rest ?? unknownValue;
  const b = columnOf(right, name)?.value ?? right.rest ?? unknownValue;
  place.analysis.findings.use(a, 'join', name);
  place.analysis.findings.use(b, 'join', name);
  for (const relation of [...left.relations, ...right.relations]) relation.touched = true;
  // The server takes one of the two sides, depending on the join and the types.
  return { name, value: either(a, b) };
}
