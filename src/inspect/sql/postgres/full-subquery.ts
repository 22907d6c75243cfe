import { foldConstant } from './constant-folding.ts';
import { bodyOf, namesOf } from './tree.ts';
import type { Body, Node } from './tree.ts';

/** A limit above this takes a whole table as far as anybody can tell; batches are smaller. */
const limitsThatLimit = 100_000;

type Judge = (where: Node | undefined) => boolean;

interface Around {
  /** Name of the relation whose rows are chosen. */
  readonly target: string | undefined;
  /** The WITH queries of the statement, by name. */
  readonly commonTables: ReadonlyMap<string, Node>;
  /** Whether a condition is true for every row. */
  readonly always: Judge;
}

/**
 * `EXISTS (SELECT 1)`, `EXISTS (SELECT FROM the_same_table …)`, `id IN (SELECT id FROM the_same_table)` and `id = ANY (…)`: conditions that
 * every row meets.
 */
export function alwaysSublink(node: Node, around: Around): boolean {
  const link = bodyOf(node, 'SubLink');
  const select = bodyOf(link?.subselect, 'SelectStmt');
  if (link === undefined || select === undefined || !takesAll(select, around.always)) return false;
  if (link.subLinkType === 'EXISTS_SUBLINK') return select.fromClause === undefined || readsTarget(select, around, 0);
  // `IN` has no operator here, `= ANY` has it.
  const equal = link.operName === undefined || namesOf(link.operName).at(-1) === '=';
  if (link.subLinkType !== 'ANY_SUBLINK' || !equal || !readsTarget(select, around, 0)) return false;
  const tested = namesOf(bodyOf(link.testexpr, 'ColumnRef')?.fields).at(-1);
  const chosen = namesOf(bodyOf(bodyOf(select.targetList?.[0], 'ResTarget')?.val, 'ColumnRef')?.fields).at(-1);
  return tested !== undefined && tested === chosen;
}

const queriesMax = 8;

/** EVASION: the table may stand behind a WITH query or a subquery in FROM that takes all of it. */
function readsTarget(select: Body<'SelectStmt'>, around: Around, depth: number): boolean {
  const [item, ...more] = select.fromClause ?? [];
  if (item === undefined || more.length > 0 || depth > queriesMax) return false;
  const name = bodyOf(item, 'RangeVar')?.relname;
  const inner = name === undefined ? bodyOf(item, 'RangeSubselect')?.subquery : around.commonTables.get(name);
  const query = bodyOf(inner, 'SelectStmt');
  if (query === undefined) return name !== undefined && name === around.target;
  return takesAll(query, around.always) && readsTarget(query, around, depth + 1);
}

/** A subquery that finds nothing: `id IN (SELECT id FROM orders WHERE false)`. `never` says whether a condition is true for no row. */
export function neverSublink(node: Node, never: Judge): boolean {
  const link = bodyOf(node, 'SubLink');
  const select = bodyOf(link?.subselect, 'SelectStmt');
  if (select === undefined || (select.op ?? 'SETOP_NONE') !== 'SETOP_NONE') return false;
  if (link?.subLinkType !== 'EXISTS_SUBLINK' && link?.subLinkType !== 'ANY_SUBLINK') return false;
  const limit = foldConstant(select.limitCount);
  return limit === 0 || (select.whereClause !== undefined && never(select.whereClause));
}

function takesAll(select: Body<'SelectStmt'>, always: Judge): boolean {
  if (select.whereClause !== undefined && !always(select.whereClause)) return false;
  if (select.havingClause !== undefined || select.limitOffset !== undefined || (select.op ?? 'SETOP_NONE') !== 'SETOP_NONE') return false;
  const limit = foldConstant(select.limitCount);
  return select.limitCount === undefined || limit === null || (typeof limit === 'number' && limit > limitsThatLimit);
}
