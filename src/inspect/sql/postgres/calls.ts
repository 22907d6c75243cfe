import type { SqlColumnRole } from '#model';
import { expression } from './expressions.ts';
import type { Place } from './expressions.ts';
import {
  aggregateFunctions,
  countingFunctions,
  isInformationSchemaFunction,
  meaningOf,
  multiplyingFunctions,
  rankingFunctions,
} from './functions.ts';
import { bodyOf, constantOf, namesOf } from './tree.ts';
import type { Body, Node } from './tree.ts';
import { derive, noValue } from './values.ts';
import type { Value } from './values.ts';

/** The result of a function call; its columns are recorded. What the function does besides is found by the walk over the whole tree. */
export function callValue(body: Body<'FuncCall'>, role: SqlColumnRole, place: Place): Value {
  const names = namesOf(body.funcname);
  const name = names.at(-1) ?? '';
  const builtIn = names.length === 1 || names[0] === 'pg_catalog';
  expression(body.agg_filter, 'predicate', place);
  const order = (body.agg_order ?? []).map((item) => expression(bodyOf(item, 'SortBy')?.node, 'order', place));
  if (body.over !== undefined) windowUses(body.over, place);
  if (builtIn && countingFunctions.has(name)) return countValue(body.args ?? [], place);
  if (builtIn && rankingFunctions.has(name) && (body.args ?? []).every((argument) => constantOf(argument) !== undefined)) return noValue;
  const inner = builtIn && aggregateFunctions.has(name) ? aggregatedRole(role) : argumentRole(name, role, body.args ?? []);
  const values = (body.args ?? []).map((argument) => expression(argument, inner, place));
  if (body.agg_within_group === true) values.push(...order);
  const result = derive(values);
  if (isInformationSchemaFunction(names)) return result;
  if (!builtIn || place.analysis.findings.catalog?.userFunction?.(name) === true) return { lineage: 'unknown', sources: result.sources };
  if (meaningOf(name).result === 'unknown' || isStoredSetting(name, body.args)) return { lineage: 'unknown', sources: result.sources };
  return result;
}

/** A count reveals no value of a plain column; a count of an expression may be a predicate in disguise. */
function countValue(args: readonly Node[], place: Place): Value {
  const plain = args.every((argument) => bodyOf(argument, 'ColumnRef') !== undefined);
  const values = args.map((argument) => expression(argument, plain ? 'aggregated' : 'predicate', place));
  return plain ? noValue : derive(values);
}

function aggregatedRole(role: SqlColumnRole): SqlColumnRole {
  return role === 'projected' || role === 'copied' ? 'aggregated' : role;
}

/**
 * What arguments are used for besides the result.
 * EVASION: `setval('s', salary)`, `pg_advisory_lock(salary)` or `set_config('a.b', email, …)` leave the value where others find it;
 * `pg_sleep(salary)` and the number of rows of `generate_series(1, salary)` tell it without showing it.
 */
function argumentRole(name: string, role: SqlColumnRole, args: readonly Node[]): SqlColumnRole {
  const { effects = [] } = meaningOf(name);
  if (effects.includes('wait')) return 'predicate';
  if (effects.length > 0) return 'copied';
  // The number of elements of ARRAY[…] is in the text.
  const counted = name === 'unnest' && args.every((argument) => bodyOf(argument, 'A_ArrayExpr') !== undefined);
  return multiplyingFunctions.has(name) && !counted ? 'predicate' : role;
}

/** EVASION: a custom setting (its name has a dot) can carry data out of a table: `set_config('my.x', …)`, then `current_setting('my.x')`. */
function isStoredSetting(name: string, args: readonly Node[] | undefined): boolean {
  if (name !== 'current_setting') return false;
  const setting = constantOf(args?.[0]);
  return typeof setting !== 'string' || setting.includes('.');
}

/** Columns of a window definition, inline or in the WINDOW clause. */
export function windowUses(window: Body<'WindowDef'>, place: Place): void {
  for (const item of window.partitionClause ?? []) expression(item, 'group', place);
  for (const item of window.orderClause ?? []) expression(bodyOf(item, 'SortBy')?.node, 'order', place);
  expression(window.startOffset, 'predicate', place);
  expression(window.endOffset, 'predicate', place);
}
