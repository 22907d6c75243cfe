import { expression, recordOutput } from './expressions.ts';
import type { Analysis, Place } from './expressions.ts';
import type { StatementDraft } from './findings.ts';
import { addItems, aliased } from './from.ts';
import { targetOutput } from './queries.ts';
import { touchRelation } from './relations.ts';
import type { NamedRelation } from './relations.ts';
import { columnOf, Scope } from './scope.ts';
import type { Item } from './scope.ts';
import { bodyOf } from './tree.ts';
import type { Body, Node } from './tree.ts';
import { derive, noValue, unknownValue, wholeOf } from './values.ts';
import type { Output, Value } from './values.ts';
import { MergeReach } from './merge-reach.ts';
import { conditionOn } from './rows-condition.ts';
import { isTautology } from './tautology.ts';
import { addCommonTables } from './with.ts';

/** Everything a data-modifying statement is looked at with. */
export interface WriteContext {
  readonly analysis: Analysis;
  readonly draft: StatementDraft;
  /** Names from around: a writing WITH query sees the other WITH queries. */
  readonly outer: Scope | undefined;
}

/** What a statement has put into the target's columns so far, by name; `*` for columns that cannot be told. */
type Stored = Map<string, Value>;

interface Writing extends WriteContext {
  readonly place: Place;
  readonly stored: Stored;
}

export function insertOutput(body: Body<'InsertStmt'>, context: WriteContext): Output {
  const { target, item, place } = begin(body, body.relation, context);
  context.analysis.findings.effect('write.insert');
  const source = context.analysis.query(body.selectStmt, place.scope, 'copied');
  recordOutput(source, 'copied', context.analysis.findings);
  const named = (body.cols ?? []).map((node) => bodyOf(node, 'ResTarget') ?? {});
  for (const column of named) written(target, column.name ?? '', context);
  for (const column of named) indices(column, place);
  if (named.length === 0 && body.selectStmt !== undefined) {
    const count = source.rest === undefined ? source.columns.length : target.columns.length;
    for (const column of target.columns.slice(0, count)) written(target, column.name, context);
    if (target.rest !== undefined) written(target, '*', context);
  }
  place.scope.items.push(item);
  const names = named.length > 0 ? named.map((column) => column.name ?? '') : target.columns.map((column) => column.name);
  const stored = insertedBy(source, names);
  const conflict = body.onConflictClause;
  if (conflict !== undefined) conflictUses(conflict, target, { ...context, place, stored });
  return returning(body.returningClause, target, { ...context, place, stored });
}

function insertedBy(source: Output, names: readonly string[]): Stored {
  const stored: Stored = new Map();
  if (source.rest !== undefined) return stored.set('*', wholeOf(source));
  source.columns.forEach((column, i) => store(stored, names[i] ?? '*', column.value));
  return stored;
}

function store(stored: Stored, name: string, value: Value): void {
  const before = stored.get(name);
  stored.set(name, derive(before === undefined ? [value] : [before, value]));
}

function conflictUses(conflict: Body<'OnConflictClause'>, target: NamedRelation, context: Writing): void {
  const { place, analysis, stored } = context;
  for (const element of conflict.infer?.indexElems ?? []) {
    const index = bodyOf(element, 'IndexElem');
    // Whether a row conflicts tells whether the given value exists: a lookup.
    if (index?.name !== undefined) analysis.findings.use(valueIn(target, index.name), 'lookup', index.name);
    expression(index?.expr, 'predicate', place);
  }
  expression(conflict.infer?.whereClause, 'predicate', place);
  if (conflict.action !== 'ONCONFLICT_UPDATE') return;
  analysis.findings.effect('write.update');
  // What was to be inserted is visible under this name, by qualified names only.
  const inserted = target.columns.map((column) => ({ name: column.name, value: stored.get(column.name) ?? stored.get('*') ?? noValue }));
  const rest = target.rest === undefined ? {} : { rest: derive([...stored.values()]) };
  place.scope.items.push({ ...aliased({ columns: inserted, ...rest }, undefined, 'excluded'), columns: [] });
  assignments(conflict.targetList, target, context);
  expression(conflict.whereClause, 'condition', place);
  place.scope.items.pop();
}

export function updateOutput(body: Body<'UpdateStmt'>, context: WriteContext): Output {
  const { target, item, place } = begin(body, body.relation, context);
  context.analysis.findings.effect('write.update');
  place.scope.items.push(item);
  addItems(body.fromClause, place);
  whereUses(body.whereClause, item, { ...context, place, target, with: body.withClause });
  const stored: Stored = new Map();
  assignments(body.targetList, target, { ...context, place, stored });
  return returning(body.returningClause, target, { ...context, place, stored });
}

export function deleteOutput(body: Body<'DeleteStmt'>, context: WriteContext): Output {
  const { target, item, place } = begin(body, body.relation, context);
  context.analysis.findings.effect('write.delete');
  place.scope.items.push(item);
  addItems(body.usingClause, place);
  whereUses(body.whereClause, item, { ...context, place, target, with: body.withClause });
  return returning(body.returningClause, target, { ...context, place, stored: new Map() });
}

export function mergeOutput(body: Body<'MergeStmt'>, context: WriteContext): Output {
  const { target, item, place } = begin(body, body.relation, context);
  const { findings } = context.analysis;
  findings.effect('write.merge');
  place.scope.items.push(item);
  addItems(body.sourceRelation === undefined ? [] : [body.sourceRelation], place);
  const reach = new MergeReach(body, { item, target, findings });
  for (const relation of item.relations) relation.touched = false;
  expression(body.joinCondition, 'condition', place);
  reach.joined();
  const stored: Stored = new Map();
  for (const node of body.mergeWhenClauses ?? []) {
    const when = bodyOf(node, 'MergeWhenClause') ?? {};
    for (const relation of item.relations) relation.touched = false;
    expression(when.condition, 'condition', place);
    reach.action(when);
    if (when.commandType === 'CMD_UPDATE') {
      findings.effect('write.update');
      assignments(when.targetList, target, { ...context, place, stored });
    } else if (when.commandType === 'CMD_DELETE') findings.effect('write.delete');
    else if (when.commandType === 'CMD_INSERT') {
      findings.effect('write.insert');
      for (const column of when.targetList ?? []) written(target, bodyOf(column, 'ResTarget')?.name ?? '', context);
      const names =
        when.targetList?.map((column) => bodyOf(column, 'ResTarget')?.name ?? '*') ?? target.columns.map((column) => column.name);
      (when.values ?? []).forEach((value, i) => store(stored, names[i] ?? '*', expression(value, 'copied', place)));
    }
  }
  context.draft.hasWhere = true;
  context.draft.whereTautology = reach.unbounded;
  // `*` lists the source before the target here.
  place.scope.items.reverse();
  return returning(body.returningClause, target, { ...context, place, stored });
}

function begin(
  body: { withClause?: Body<'WithClause'> } & object,
  relation: Body<'RangeVar'> | undefined,
  context: WriteContext,
): { target: NamedRelation; item: Item; place: Place } {
  const { findings } = context.analysis;
  findings.seen.add(body);
  const place: Place = { analysis: context.analysis, scope: new Scope(context.outer) };
  addCommonTables(body.withClause, place);
  // A WITH query cannot be the target: the name always means a relation.
  const target = touchRelation(relation ?? {}, 'write', findings);
  const plain = aliased(target, relation?.alias, target.name, true);
  const extra = {
    ...(relation?.alias === undefined && target.schema !== '' ? { schema: target.schema } : {}),
    ...(findings.catalog === undefined && !target.system
      ? { table: target.schema === '' ? target.name : `${target.schema}.${target.name}` }
      : {}),
  };
  return { target, item: { ...plain, relations: plain.relations.map((each) => ({ ...each, ...extra })) }, place };
}

/** Of which rows a WHERE speaks. */
interface Chosen {
  readonly place: Place;
  readonly target: NamedRelation;
  readonly with: Body<'WithClause'> | undefined;
}

function whereUses(where: Node | undefined, item: Item, context: WriteContext & Chosen): void {
  const { draft, place, target } = context;
  draft.hasWhere = where !== undefined;
  for (const relation of item.relations) relation.touched = false;
  expression(where, 'condition', place);
  // A condition that says nothing about the rows of the target takes all of them or none.
  const dependent = bodyOf(where, 'CurrentOfExpr') !== undefined || item.relations.some((relation) => relation.touched);
  draft.whereTautology =
    where !== undefined && isTautology(where, conditionOn(target, place.analysis.findings, { dependent, with: context.with }));
}

function assignments(targets: readonly Node[] | undefined, target: NamedRelation, context: Writing): void {
  for (const node of targets ?? []) {
    const assignment = bodyOf(node, 'ResTarget') ?? {};
    written(target, assignment.name ?? '', context);
    indices(assignment, context.place);
    // A column computed from itself (`n = n + 1`) copies nothing to anywhere else.
    const value = expression(assignment.val, onlyOwnColumn(assignment.val, assignment.name) ? 'written' : 'copied', context.place);
    store(context.stored, assignment.name ?? '*', value);
  }
}

function onlyOwnColumn(node: Node | undefined, name: string | undefined): boolean {
  if (name === undefined || node === undefined) return false;
  const expr = bodyOf(node, 'A_Expr');
  if (expr === undefined) return false;
  const sides = [expr.lexpr, expr.rexpr];
  return sides.every((side) => {
    if (bodyOf(side, 'A_Const') !== undefined || bodyOf(side, 'ParamRef') !== undefined) return true;
    const fields = bodyOf(side, 'ColumnRef')?.fields;
    return fields?.length === 1 && bodyOf(fields[0], 'String')?.sval === name;
  });
}

function indices(assignment: Body<'ResTarget'>, place: Place): void {
  for (const node of assignment.indirection ?? []) if (bodyOf(node, 'A_Indices') !== undefined) expression(node, 'copied', place);
}

function written(target: NamedRelation, name: string, context: WriteContext): void {
  const { findings } = context.analysis;
  if (target.system || name === '') return;
  const known = columnOf(target, name);
  if (known !== undefined) findings.use({ lineage: 'exact', sources: known.value.sources }, 'written', name);
  else if (target.rest !== undefined) {
    const table = target.schema === '' ? target.name : `${target.schema}.${target.name}`;
    findings.use({ lineage: 'exact', sources: [{ table, column: name, labels: [] }] }, 'written', name);
  }
}

function valueIn(target: NamedRelation, name: string): Value {
  return columnOf(target, name)?.value ?? target.rest ?? unknownValue;
}

function returning(clause: Body<'ReturningClause'> | undefined, target: NamedRelation, context: Writing): Output {
  const { draft, place, analysis, stored } = context;
  if (clause === undefined) return { columns: [] };
  draft.hasReturning = true;
  const names = new Map<string, string>([
    ['OLD', 'old'],
    ['NEW', 'new'],
  ]);
  for (const node of clause.options ?? []) {
    const option = bodyOf(node, 'ReturningOption');
    if (option?.value !== undefined) names.set(option.option === 'RETURNING_OPTION_OLD' ? 'OLD' : 'NEW', option.value);
  }
  const around = new Scope(place.scope.parent);
  for (const [name, table] of place.scope.commonTables) around.commonTables.set(name, table);
  // `old` and `new` are seen only by qualified names: they stand one level further out.
  const after = withStored(target, stored);
  for (const [kind, name] of names) around.items.push({ ...aliased(kind === 'OLD' ? target : after, undefined, name, true), columns: [] });
  const scope = new Scope(around);
  for (const item of place.scope.items) scope.items.push(item.columns === target.columns ? restored(item, after) : item);
  const output = targetOutput(clause.exprs, { analysis, scope }, 'projected');
  recordOutput(output, 'projected', analysis.findings);
  return output;
}

/**
 * The target as RETURNING sees it.
 * EVASION: `UPDATE t SET note = ssn RETURNING note` returns the other column; the server still calls it `note`.
 */
function withStored(target: NamedRelation, stored: Stored): Output {
  const risky = [...stored].filter(([, value]) => value.lineage === 'unknown' || value.sources.some((source) => source.labels.length > 0));
  if (risky.length === 0) return target;
  const values = new Map(risky);
  const columns = target.columns.map((column) => {
    const put = values.get(column.name) ?? values.get('*');
    return put === undefined ? column : { name: column.name, value: derive([column.value, put]) };
  });
  return target.rest === undefined ? { columns } : { columns, rest: derive([target.rest, ...values.values()]) };
}

/** The same item with other values in its columns. */
function restored(item: Item, after: Output): Item {
  const output: Output = after.rest === undefined ? { columns: after.columns } : { columns: after.columns, rest: after.rest };
  return { ...output, relations: item.relations.map((relation) => ({ ...relation, ...output })) };
}
