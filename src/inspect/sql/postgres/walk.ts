import type { Findings } from './findings.ts';
import { isInformationSchemaFunction, meaningOf } from './functions.ts';
import { harmlessFunctions } from './harmless-functions.ts';
import { contentOf, isTagged } from './nodes.ts';
import { shadowedName, touchRelation } from './relations.ts';
import { isKnownOperator } from './operators.ts';
import { constantOf, namesOf, tagOf } from './tree.ts';
import type { Body, Node, Tag } from './tree.ts';

/**
 * Goes over every object of a statement's tree, iteratively, whatever the analysis made of it: every function call, operator and
 * relation is found wherever it stands, and anything that the analysis did not understand makes the text incomplete.
 */
export function walkStatement(root: Node, findings: Findings): void {
  const definition = isDefinition(tagOf(root));
  const pending: unknown[] = [root];
  while (pending.length > 0) {
    const value = pending.pop();
    if (typeof value !== 'object' || value === null) continue;
    if (Array.isArray(value)) {
      for (const item of value) pending.push(item);
      continue;
    }
    if (isTagged(value)) visit(value, definition, findings);
    else visitUntagged(value, definition, findings);
    for (const inner of Object.values(value)) pending.push(inner);
  }
}

/** Statements whose expressions and queries are stored to run later, or describe a table. */
function isDefinition(tag: Tag | undefined): boolean {
  if (tag === undefined) return false;
  return (
    /^(Create|Alter|Index|Rule|Define|Comment|Grant|Rename|Drop|Composite|Reindex|Cluster|Vacuum|SecLabel|Refresh|Import)/.test(tag) &&
    tag !== 'CreateTableAsStmt' &&
    tag !== 'CreateSchemaStmt'
  );
}

function visit(node: Node, definition: boolean, findings: Findings): void {
  const tag = tagOf(node);
  const body = contentOf(node);
  if (tag === undefined || (!knownTags.has(tag) && !tag.endsWith('Stmt'))) {
    findings.unknown.add(`node:${tag ?? 'nothing'}`);
    return;
  }
  if (tag === 'ColumnRef') {
    if (!definition && !findings.seen.has(body)) missedColumn(body, findings);
  } else if (tag.endsWith('Stmt') && !definition && !findings.seen.has(body)) findings.unknown.add(`statement:${tag}`);
  if (tag === 'FuncCall') callOf(body, findings);
  if (tag === 'A_Expr') operatorOf(body, findings);
  if (tag === 'SortBy') operatorNamed((body as Body<'SortBy'>).useOp, findings);
  if (tag === 'SubLink') operatorNamed((body as Body<'SubLink'>).operName, findings);
  if (tag === 'A_Indirection') fieldsOf(body, findings);
  if (tag === 'CreateFunctionStmt') shadowedFunction(body, findings);
  if (tag === 'RenameStmt') shadowedName((body as Body<'RenameStmt'>).newname, findings);
}

/** Relations and nested parts also come without their tag, as members of a statement. */
function visitUntagged(value: object, definition: boolean, findings: Findings): void {
  if (!('relname' in value)) return;
  // Only a RangeVar has a member of this name.
  const range = value as Body<'RangeVar'>;
  if (findings.seen.has(range)) return;
  if (definition) shadowedName(range.relname, findings);
  touchRelation(range, definition ? 'ddl' : 'read', findings);
}

function missedColumn(body: Body<'ColumnRef'>, findings: Findings): void {
  findings.use({ lineage: 'unknown', sources: [] }, 'predicate', namesOf(body.fields).join('.') || '*');
  findings.unknown.add('column:unvisited');
}

function callOf(body: Body<'FuncCall'>, findings: Findings): void {
  const names = namesOf(body.funcname);
  const name = names.at(-1) ?? '';
  const schema = names.length > 1 ? names.at(-2) : undefined;
  if (schema !== undefined && schema !== 'pg_catalog') {
    findings.functions.add(names.join('.'));
    if (isInformationSchemaFunction(names)) return;
    functionUnknown(names.join('.'), meaningOf(name).effects, findings);
    return;
  }
  findings.functions.add(name);
  const meaning = meaningOf(name);
  if (meaning.effects !== undefined) findings.effect(...meaning.effects);
  if (schema === undefined && findings.catalog?.userFunction?.(name) === true) findings.unknown.add(`function:${name}`);
  else if (meaning.effects === undefined || meaning.effects.some((effect) => hiding.has(effect))) findings.unknown.add(`function:${name}`);
  if (name === 'set_config') configured(body, findings);
  if (name === 'pg_sleep' || name.startsWith('pg_sleep_')) findings.effect('wait');
}

/** Effects of functions that run another text, here or elsewhere, which nobody has looked at. */
const hiding: ReadonlySet<string> = new Set(['code.execute', 'code.call', 'network']);

/** A function outside pg_catalog: unknown, and if it has the name of a dangerous one (an extension's) its effects count too. */
function functionUnknown(name: string, effects: readonly string[] | undefined, findings: Findings): void {
  findings.unknown.add(`function:${name}`);
  if (effects !== undefined) findings.effect(...effects);
}

function configured(body: Body<'FuncCall'>, findings: Findings): void {
  const setting = constantOf(body.args?.[0]);
  if (typeof setting !== 'string') {
    findings.unknown.add('setting:computed');
    findings.settings.add('?');
    findings.effect('session.role');
    return;
  }
  const name = setting.toLowerCase();
  findings.settings.add(name);
  if (name === 'role' || name === 'session_authorization') findings.effect('session.role');
}

function operatorOf(body: Body<'A_Expr'>, findings: Findings): void {
  // BETWEEN and IN carry a word or a bare operator here, never a schema.
  operatorNamed(body.name, findings);
}

/** EVASION: `OPERATOR(schema.=)` is a function of whoever owns that schema, and so is a symbol that the server does not bring along. */
function operatorNamed(list: readonly Node[] | undefined, findings: Findings): void {
  const names = namesOf(list);
  const symbol = names.at(-1);
  if (symbol === undefined) return;
  if ((names.length > 1 && names.at(-2) !== 'pg_catalog') || !isKnownOperator(symbol)) findings.unknown.add(`operator:${names.join('.')}`);
}

/** EVASION: `('x').pg_read_file` calls the function; a field cannot be told from it, so the name of a dangerous function counts. */
function fieldsOf(body: Body<'A_Indirection'>, findings: Findings): void {
  for (const name of namesOf(body.indirection)) {
    const { effects } = meaningOf(name);
    if (effects !== undefined && effects.length > 0) findings.effect(...effects);
    if (effects?.some((effect) => hiding.has(effect)) === true) findings.unknown.add(`function:${name}`);
    if (effects !== undefined) findings.functions.add(name);
    if (findings.catalog?.userFunction?.(name) === true) findings.unknown.add(`function:${name}`);
  }
}

/** EVASION: a function with the name of a built-in one may be chosen instead of it for other argument types. */
function shadowedFunction(body: Body<'CreateFunctionStmt'>, findings: Findings): void {
  const name = namesOf(body.funcname).at(-1) ?? '';
  if (harmlessFunctions.has(name)) findings.unknown.add(`shadows:${name}`);
}

/** Every tag that statements are made of, besides the statements themselves. Anything else is unknown. */
const knownTags: ReadonlySet<string> = new Set(
  (
    'Integer Float Boolean String BitString List A_Const Alias RangeVar IntoClause GroupingFunc MergeSupportFunc NamedArgExpr BoolExpr SubLink CaseExpr CaseWhen RowExpr ' +
    'CoalesceExpr MinMaxExpr SQLValueFunction XmlExpr XmlSerialize JsonFormat JsonReturning JsonValueExpr JsonConstructorExpr JsonIsPredicate JsonBehavior NullTest BooleanTest SetToDefault ' +
    'CurrentOfExpr JoinExpr TypeName ColumnRef ParamRef A_Expr TypeCast CollateClause RoleSpec FuncCall A_Star A_Indices A_Indirection A_ArrayExpr ResTarget MultiAssignRef SortBy WindowDef ' +
    'RangeSubselect RangeFunction RangeTableFunc RangeTableFuncCol RangeTableSample ColumnDef TableLikeClause IndexElem DefElem LockingClause PartitionElem PartitionSpec PartitionBoundSpec ' +
    'PartitionRangeDatum PartitionCmd GroupingSet WithClause InferClause OnConflictClause CTESearchClause CTECycleClause CommonTableExpr MergeWhenClause ReturningOption ReturningClause ' +
    'TriggerTransition JsonOutput JsonArgument JsonFuncExpr JsonTablePathSpec JsonTable JsonTableColumn JsonKeyValue JsonParseExpr JsonScalarExpr JsonSerializeExpr JsonObjectConstructor ' +
    'JsonArrayConstructor JsonArrayQueryConstructor JsonAggConstructor JsonObjectAgg JsonArrayAgg AlterTableCmd ATAlterConstraint ObjectWithArgs AccessPriv Constraint CreateOpClassItem ' +
    'FunctionParameter VacuumRelation StatsElem PublicationTable PublicationObjSpec'
  ).split(' '),
);
