/** A column of a relation, as the origin of a value. One object for each column, so that identity is equality. */
export interface Source {
  /** `schema.table`, or the bare name when the schema is not known. */
  readonly table: string;
  readonly column: string;
  readonly labels: readonly string[];
}

/** Where a value comes from, see `OutputColumn.lineage` in the model. */
export interface Value {
  readonly lineage: 'exact' | 'derived' | 'none' | 'unknown';
  readonly sources: readonly Source[];
}

export const noValue: Value = { lineage: 'none', sources: [] };
export const unknownValue: Value = { lineage: 'unknown', sources: [] };

/** A value computed from others: the union of their sources, unknown as soon as one is. */
export function derive(values: readonly Value[]): Value {
  let unknown = false;
  let first: readonly Source[] | undefined;
  let union: Set<Source> | undefined;
  for (const value of values) {
    if (value.lineage === 'unknown') unknown = true;
    if (value.sources.length === 0) continue;
    if (first === undefined) first = value.sources;
    else {
      union ??= new Set(first);
      for (const source of value.sources) union.add(source);
    }
  }
  const sources = union === undefined ? (first ?? []) : [...union];
  if (unknown) return sources.length === 0 ? unknownValue : { lineage: 'unknown', sources };
  return sources.length === 0 ? noValue : { lineage: 'derived', sources };
}

/** Either of two values at run time (set operations, merged columns): exact only when both are the same column. */
export function either(a: Value, b: Value): Value {
  if (a.lineage === 'exact' && b.lineage === 'exact' && a.sources[0] === b.sources[0]) return a;
  return derive([a, b]);
}

/** A column of something in FROM. */
export interface Column {
  readonly name: string;
  readonly value: Value;
  /** In a query's output: a name passed on as it is, whose use the query around it has yet to record. */
  readonly passed?: true;
}

/** What a query returns. `rest` is set when there may be more columns than those listed, or others: what they would be made of. */
export interface Output {
  readonly columns: readonly Column[];
  readonly rest?: Value;
}

/** Everything an output may hold, as one value. */
export function wholeOf(output: Output): Value {
  const values = output.columns.map((column) => column.value);
  if (output.rest !== undefined) values.push(output.rest);
  return derive(values);
}
