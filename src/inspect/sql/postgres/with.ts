import type { Analysis, Place } from './expressions.ts';
import { selectOutput, unite } from './queries.ts';
import { Scope } from './scope.ts';
import type { CommonTable } from './scope.ts';
import { bodyOf, namesOf } from './tree.ts';
import type { Body } from './tree.ts';
import { derive, unknownValue, wholeOf } from './values.ts';
import type { Column, Output } from './values.ts';

/** Makes the queries of a WITH clause visible in the scope, and looks at each of them (those that write run even when nobody reads them). */
export function addCommonTables(clause: Body<'WithClause'> | undefined, place: Place): void {
  if (clause === undefined) return;
  const recursive = clause.recursive === true;
  const tables: LazyTable[] = [];
  for (const node of clause.ctes ?? []) {
    const body = bodyOf(node, 'CommonTableExpr') ?? {};
    // Without RECURSIVE a query sees only the ones before it: its scope is a copy of the names so far.
    const scope = recursive ? place.scope : snapshot(place.scope);
    const table = new LazyTable(body, recursive, { analysis: place.analysis, scope });
    place.scope.commonTables.set(body.ctename ?? '', table);
    tables.push(table);
  }
  for (const table of tables) table.output();
}

function snapshot(scope: Scope): Scope {
  const copy = new Scope(scope.parent);
  for (const [name, table] of scope.commonTables) copy.commonTables.set(name, table);
  return copy;
}

/** One query of a WITH clause. */
class LazyTable implements CommonTable {
  readonly #body: Body<'CommonTableExpr'>;
  readonly #recursive: boolean;
  readonly #place: Place;
  #output: Output | undefined;
  #active = false;
  #referred = false;

  constructor(body: Body<'CommonTableExpr'>, recursive: boolean, place: Place) {
    this.#body = body;
    this.#recursive = recursive;
    this.#place = place;
  }

  output(): Output {
    if (this.#active) this.#referred = true;
    if (this.#output !== undefined) return this.#output;
    if (this.#active) return { columns: [], rest: unknownValue };
    this.#active = true;
    try {
      this.#output = this.#extra(this.#named(this.#analyse()));
    } finally {
      this.#active = false;
    }
    return this.#output;
  }

  #analyse(): Output {
    const { analysis, scope } = this.#place;
    const select = bodyOf(this.#body.ctequery, 'SelectStmt');
    if (select === undefined || !this.#recursive || select.op !== 'SETOP_UNION')
      return analysis.query(this.#body.ctequery, inner(scope), 'projected');
    return this.#fixpoint(select, analysis);
  }

  /**
   * A recursive query: the first part gives the columns, the second may mix them anyhow. When it refers to the query itself, every
   * column may hold whatever any column of either part is made of; the second part is looked at again with that.
   */
  #fixpoint(select: Body<'SelectStmt'>, analysis: Analysis): Output {
    analysis.findings.seen.add(select);
    const scope = inner(this.#place.scope);
    addCommonTables(select.withClause, { analysis, scope });
    const options = { analysis, role: 'projected' } as const;
    const first = selectOutput(select.larg ?? {}, scope, options);
    this.#output = this.#extra(this.#named(first));
    this.#referred = false;
    const second = selectOutput(select.rarg ?? {}, scope, options);
    let output = unite(first, second);
    // Rows that are there already are left out, so their number tells about the values.
    if (select.all !== true) analysis.findings.use(wholeOf(output), 'group', '*');
    if (this.#referred && !sameSources(first, output)) {
      const whole = derive([wholeOf(output)]);
      output = { ...output, columns: output.columns.map((column): Column => ({ ...column, value: whole })) };
      this.#output = this.#extra(this.#named(output));
      selectOutput(select.rarg ?? {}, scope, options);
    }
    return output;
  }

  /** Renamed as the list after the name says. Nothing is `passed` on any more: what reads from here records it. */
  #named(output: Output): Output {
    const names = namesOf(this.#body.aliascolnames);
    const columns = output.columns.map((column, i): Column => ({ name: names[i] ?? column.name, value: column.value }));
    return output.rest === undefined ? { columns } : { columns, rest: output.rest };
  }

  /** Columns that SEARCH and CYCLE add. */
  #extra(output: Output): Output {
    const { search_clause: search, cycle_clause: cycle } = this.#body;
    const names = [search?.search_seq_column, cycle?.cycle_mark_column, cycle?.cycle_path_column].filter((name) => name !== undefined);
    if (names.length === 0) return output;
    const value = wholeOf(output);
    return { ...output, columns: [...output.columns, ...names.map((name): Column => ({ name, value: derive([value]) }))] };
  }
}

function inner(scope: Scope): Scope {
  return new Scope(withoutItems(scope));
}

/** What a WITH query sees of the query it belongs to: the other WITH queries and what is around, not FROM. */
function withoutItems(scope: Scope): Scope {
  if (scope.items.length === 0) return scope;
  return snapshot(scope);
}

function sameSources(a: Output, b: Output): boolean {
  return (
    b.rest === a.rest &&
    b.columns.every((column, i) => {
      const before = new Set(a.columns[i]?.value.sources);
      return column.value.lineage === a.columns[i]?.value.lineage && column.value.sources.every((source) => before.has(source));
    })
  );
}
