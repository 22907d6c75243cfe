import { expression } from './expressions.ts';
import type { Analysis, Place } from './expressions.ts';
import { aliased } from './from.ts';
import { touchRelation } from './relations.ts';
import type { NamedRelation } from './relations.ts';
import { columnOf, Scope } from './scope.ts';
import { bodyOf, namesOf } from './tree.ts';
import type { Body, Node } from './tree.ts';

/**
 * What the expressions of a changed table do with its columns.
 *
 * EVASION: `ALTER COLUMN note TYPE text USING ssn` and a generated column copy one column into another; a constraint that is checked
 * against the rows there are tells whether one of them breaks it.
 */
export function storedUses(body: Body<'AlterTableStmt'>, analysis: Analysis): void {
  if (body.relation === undefined) return;
  const { table, place } = around(body.relation, analysis);
  for (const command of body.cmds ?? []) {
    const definition = bodyOf(command, 'AlterTableCmd')?.def;
    const column = bodyOf(definition, 'ColumnDef');
    expression(column?.raw_default, 'copied', place);
    for (const node of [definition, ...(column?.constraints ?? [])]) {
      const constraint = bodyOf(node, 'Constraint');
      if (constraint !== undefined) constraintUses(constraint, table, place);
    }
  }
}

function constraintUses(constraint: Body<'Constraint'>, table: NamedRelation, place: Place): void {
  expression(constraint.raw_expr, constraint.contype === 'CONSTR_CHECK' ? 'predicate' : 'copied', place);
  expression(constraint.where_clause, 'predicate', place);
  for (const exclusion of constraint.exclusions ?? []) {
    for (const element of bodyOf(exclusion, 'List')?.items ?? []) elementUses(bodyOf(element, 'IndexElem'), table, place);
  }
  if (constraint.contype !== 'CONSTR_FOREIGN' || constraint.pktable === undefined) return;
  // Whether the constraint can be added tells whether every value of the one column is among those of the other.
  const { findings } = place.analysis;
  const other = touchRelation(constraint.pktable, 'read', findings);
  named(table, namesOf(constraint.fk_attrs), place);
  named(other, namesOf(constraint.pk_attrs), place);
}

function named(relation: NamedRelation, columns: readonly string[], { analysis }: Place): void {
  for (const name of columns) {
    const value = columnOf(relation, name)?.value;
    if (value !== undefined) analysis.findings.use(value, 'join', name);
  }
}

/**
 * What an index reads besides plain columns.
 * EVASION: building `((1 / (salary - 5000)))` or `WHERE ssn > '5'` fails, or takes time, depending on the values.
 */
export function indexUses(body: Body<'IndexStmt'>, analysis: Analysis): void {
  if (body.relation === undefined) return;
  const { place } = around(body.relation, analysis);
  for (const element of body.indexParams ?? []) {
    const expr = bodyOf(element, 'IndexElem')?.expr;
    if (!isPlainTransform(expr)) expression(expr, 'predicate', place);
  }
  expression(body.whereClause, 'predicate', place);
}

/** `lower(email)`: what never fails tells nothing while it is built. */
function isPlainTransform(node: Node | undefined): boolean {
  const call = bodyOf(node, 'FuncCall');
  const names = namesOf(call?.funcname);
  return (
    names.length === 1 && transforms.has(names[0] ?? '') && (call?.args ?? []).every((part) => bodyOf(part, 'ColumnRef') !== undefined)
  );
}

const transforms: ReadonlySet<string> = new Set(['lower', 'upper', 'md5', 'btrim', 'ltrim', 'rtrim', 'casefold']);

/** The same for extended statistics: `ON (1 / (salary - 5000))`. */
export function statisticsUses(body: Body<'CreateStatsStmt'>, analysis: Analysis): void {
  const range = bodyOf(body.relations?.[0], 'RangeVar');
  if (range === undefined) return;
  const { place } = around(range, analysis);
  for (const element of body.exprs ?? []) expression(bodyOf(element, 'StatsElem')?.expr, 'predicate', place);
}

/** An exclusion by equality is a unique constraint; any other operator compares the values with each other. */
function elementUses(element: Body<'IndexElem'> | undefined, table: NamedRelation, place: Place): void {
  expression(element?.expr, 'predicate', place);
  const value = element?.name === undefined ? undefined : columnOf(table, element.name)?.value;
  if (value !== undefined) place.analysis.findings.use(value, 'predicate', element?.name ?? '');
}

function around(range: Body<'RangeVar'>, analysis: Analysis): { readonly table: NamedRelation; readonly place: Place } {
  const scope = new Scope(undefined);
  const table = touchRelation(range, 'ddl', analysis.findings);
  scope.items.push(aliased(table, undefined, range.relname ?? '', true));
  return { table, place: { analysis, scope } };
}
