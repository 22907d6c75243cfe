import type { Findings } from './findings.ts';
import { derive, noValue, unknownValue, wholeOf } from './values.ts';
import type { Column, Output, Value } from './values.ts';

/** Something in FROM that a qualified name can mean. */
export interface Relation extends Output {
  /** The alias, or the relation's own name. */
  readonly name: string;
  /** Set when it can also be named with its schema: a relation without an alias. */
  readonly schema?: string;
  /** A name of this relation was resolved since the flag was cleared; tells whether a WHERE depends on it. */
  touched: boolean;
  /** Columns every table has without listing them. */
  readonly systemColumns: boolean;
  /** Without any catalog: the table's name, so that its columns can at least be named. */
  readonly table?: string;
}

/** One item of FROM: what qualified names see, and what unqualified names and `*` see, in order. */
export interface Item extends Output {
  readonly relations: readonly Relation[];
}

export interface CommonTable {
  /** Analyses on first use, so that a recursive WITH may refer to a later query. */
  output(): Output;
}

const systemColumns: ReadonlySet<string> = new Set(['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid']);

/** Names that are visible at one level of a query. SPEC: PostgreSQL src/backend/parser/parse_relation.c, colNameToVar. */
export class Scope {
  readonly items: Item[] = [];
  readonly parent: Scope | undefined;
  readonly commonTables = new Map<string, CommonTable>();

  constructor(parent: Scope | undefined) {
    this.parent = parent;
  }

  commonTable(name: string): CommonTable | undefined {
    return this.commonTables.get(name) ?? this.parent?.commonTable(name);
  }

  relation(name: string, schema?: string): Relation | undefined {
    for (const item of this.items) {
      for (const relation of item.relations) {
        if (relation.name === name && (schema === undefined || relation.schema === schema)) return relation;
      }
    }
    return this.parent?.relation(name, schema);
  }
}

/** A resolved name. */
export interface Resolution {
  readonly value: Value;
  /** A single column, not a whole row or a function in disguise. */
  readonly column: boolean;
}

const unresolved: Resolution = { value: unknownValue, column: false };

/** Resolves the parts of a column reference (without `*`). */
export function resolve(parts: readonly string[], scope: Scope, findings: Findings): Resolution {
  const name = parts.at(-1) ?? '';
  if (parts.length === 1) return resolveBare(name, scope);
  const qualifier = parts.at(-2) ?? '';
  const relation = scope.relation(qualifier, parts.length > 2 ? parts.at(-3) : undefined);
  if (relation === undefined) return unresolved;
  return resolveIn(relation, name, findings);
}

/** `relation.name`: a column, a system column, or else a function applied to the whole row. */
export function resolveIn(relation: Relation, name: string, findings: Findings): Resolution {
  relation.touched = true;
  const column = columnOf(relation, name);
  if (column !== undefined) return { value: column.value, column: true };
  if (relation.systemColumns && systemColumns.has(name)) return { value: noValue, column: true };
  // EVASION: `t.to_jsonb` is `to_jsonb(t)` when t has no such column; a user's function of that name may do anything.
  if (findings.catalog?.userFunction?.(name) === true) findings.unknown.add(`function:${name}`);
  if (relation.rest !== undefined) return { value: unlisted(relation, name), column: true };
  findings.functions.add(name);
  return { value: wholeOf(relation), column: false };
}

function resolveBare(name: string, scope: Scope): Resolution {
  const candidates: Value[] = [];
  for (let level: Scope | undefined = scope; level !== undefined; level = level.parent) {
    const found = columnAt(level, name, candidates);
    if (found !== undefined) {
      if (candidates.length === 0) return { value: found, column: true };
      candidates.push(found);
      return { value: derive(candidates), column: true };
    }
  }
  // A column wins over a relation of the same name at any level, so the whole row comes last.
  const row = scope.relation(name);
  if (row !== undefined) {
    row.touched = true;
    candidates.push(wholeOf(row));
    return { value: derive(candidates), column: false };
  }
  if (candidates.length === 0) return unresolved;
  return { value: derive(candidates), column: true };
}

/** The column at exactly this level; what relations with unlisted columns might hold goes to `candidates`. */
function columnAt(level: Scope, name: string, candidates: Value[]): Value | undefined {
  let found: Value | undefined;
  for (const item of level.items) {
    const column = columnOf(item, name);
    if (column !== undefined) {
      found = found === undefined ? column.value : derive([found, column.value]);
      for (const relation of item.relations)
        if (item.relations.length === 1 || columnOf(relation, name) !== undefined) relation.touched = true;
    }
  }
  if (found !== undefined) return found;
  for (const item of level.items) {
    if (item.rest !== undefined && item.relations.length !== 1) candidates.push(item.rest);
    for (const relation of item.relations) {
      if (relation.rest !== undefined) {
        relation.touched = true;
        if (item.relations.length === 1) candidates.push(unlisted(relation, name));
      }
      if (relation.systemColumns && systemColumns.has(name)) {
        relation.touched = true;
        return noValue;
      }
    }
  }
  return undefined;
}

/** A column of a relation whose columns are not listed. */
function unlisted(relation: Relation, name: string): Value {
  if (relation.table === undefined) return relation.rest ?? unknownValue;
  return { lineage: 'unknown', sources: [{ table: relation.table, column: name, labels: [] }] };
}

const indexes = new WeakMap<readonly Column[], ReadonlyMap<string, Column>>();

/** The column of this name; of several with one name, all of them together. */
export function columnOf(output: Output, name: string): Column | undefined {
  let index = indexes.get(output.columns);
  if (index === undefined) {
    const built = new Map<string, Column>();
    for (const column of output.columns) {
      const other = built.get(column.name);
      built.set(column.name, other === undefined ? column : { name: column.name, value: derive([other.value, column.value]) });
    }
    index = built;
    indexes.set(output.columns, index);
  }
  return index.get(name);
}
