import type { Catalog, CatalogColumn, CatalogRelation, Classification } from '#model';
import { inspectSql } from './inspect.ts';
import { isSystemSchema } from './system-relations.ts';

/**
 * One row of `catalogQuery`, its values as text in the order of the query's columns:
 * kind (`relation` or `function`), oid, schema, name, relkind, columns (JSON array of [number, name, not null]), definition, parents (JSON array of oids).
 */
export type CatalogRow = readonly (string | null)[];
export type CatalogRows = readonly CatalogRow[];

/** Extensions whose functions only compute, even where they share a name with a built-in one. */
const harmlessExtensions = [
  'citext',
  'pg_trgm',
  'hstore',
  'ltree',
  'intarray',
  'cube',
  'earthdistance',
  'seg',
  'isn',
  'unaccent',
  'fuzzystrmatch',
  'uuid-ossp',
  'pgcrypto',
  'btree_gin',
  'btree_gist',
  'vector',
  'postgis',
];

/**
 * Describes the target for `buildCatalog`: relations with their columns, the text of views, parents of partitions, and the names of
 * functions outside pg_catalog. To be run in the session it is meant for, because view texts depend on its search path.
 */
export const catalogQuery = `select 'relation' as kind, c.oid::pg_catalog.text, n.nspname::pg_catalog.text, c.relname::pg_catalog.text, c.relkind::pg_catalog.text,
  (select pg_catalog.json_agg(pg_catalog.json_build_array(a.attnum, a.attname, a.attnotnull) order by a.attnum)
     from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)::pg_catalog.text as columns,
  case when c.relkind in ('v', 'm') and n.nspname not in ('pg_catalog', 'information_schema') then pg_catalog.pg_get_viewdef(c.oid) end as definition,
  (select pg_catalog.json_agg(i.inhparent::pg_catalog.int8) from pg_catalog.pg_inherits i where i.inhrelid = c.oid)::pg_catalog.text as parents
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  and (n.nspname not like 'pg\\_t%' or n.oid = pg_catalog.pg_my_temp_schema())
union all
select 'function', '0', '', p.proname::pg_catalog.text, '', null,
  case when pg_catalog.bool_and(e.extname is not null and e.extname in (${harmlessExtensions.map((name) => `'${name}'`).join(', ')})) then 'harmless' end, null
from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
left join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.objid = p.oid and d.deptype = 'e'
left join pg_catalog.pg_extension e on e.oid = d.refobjid
where n.nspname not in ('pg_catalog', 'information_schema')
group by p.proname`;

/** First OID that is not the server's own. SPEC: PostgreSQL src/include/access/transam.h, FirstNormalObjectId. */
const firstUserOid = 16_384;

/**
 * A snapshot of the target from the rows of `catalogQuery`. Columns of partitions and inheriting tables have their parents' labels too,
 * columns of views those of the columns they come from; where a view cannot be understood its columns have `lineage: 'unknown'`.
 *
 * @param searchPath schemas in search order, as `current_schemas(true)` reports them
 */
export function buildCatalog(rows: CatalogRows, classification: Classification, searchPath: readonly string[]): Catalog {
  const relations = new Map<string, CatalogRelation>();
  const byOid = new Map<number, CatalogRelation>();
  const functions = new Set<string>();
  const path = effectivePath(searchPath, rows);
  const catalog: Catalog = {
    searchPath,
    relation(schema, name) {
      if (schema !== undefined) return relations.get(`${schema === 'pg_temp' ? (path.temporary ?? schema) : schema} ${name}`);
      for (const candidate of path.schemas) {
        const found = relations.get(`${candidate} ${name}`);
        if (found !== undefined) return found;
      }
      return undefined;
    },
    byOid: (oid) => byOid.get(oid),
    userFunction: (name) => functions.has(name),
  };
  for (const row of rows) {
    if (row[0] === 'function') {
      if (row[6] !== 'harmless') functions.add(row[3] ?? '');
      continue;
    }
    const relation = new Described(row, { classification, catalog });
    relations.set(`${relation.schema} ${relation.name}`, relation);
    byOid.set(relation.oid, relation);
  }
  return catalog;
}

/** pg_catalog and the temporary schema come first unless the path names them elsewhere. */
function effectivePath(searchPath: readonly string[], rows: CatalogRows): { schemas: readonly string[]; temporary: string | undefined } {
  const temporary =
    searchPath.find((schema) => schema.startsWith('pg_temp_')) ??
    rows.find((row) => row[2]?.startsWith('pg_temp_') === true)?.[2] ??
    undefined;
  const schemas = [...searchPath];
  if (!schemas.includes('pg_catalog')) schemas.unshift('pg_catalog');
  if (temporary !== undefined && !schemas.includes(temporary)) schemas.unshift(temporary);
  return { schemas, temporary };
}

interface Around {
  readonly classification: Classification;
  readonly catalog: Catalog;
}

/** A relation whose columns' labels are worked out when first asked for: a view needs the relations it reads. */
class Described implements CatalogRelation {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly kind: 'table' | 'view' | 'other';
  readonly #listed: readonly (readonly [number, string])[];
  /** Columns that never hold NULL, by number; a number that is not here is not known. */
  readonly #notNull: ReadonlyMap<number, boolean>;
  readonly #definition: string | undefined;
  readonly #parents: readonly number[];
  readonly #around: Around;
  #columns: readonly CatalogColumn[] | undefined;
  #busy = false;

  constructor(row: CatalogRow, around: Around) {
    const [, oid, schema, name, relkind, columns, definition, parents] = row;
    this.oid = Number(oid);
    this.schema = schema ?? '';
    this.name = name ?? '';
    this.kind = relkind === 'v' || relkind === 'm' ? 'view' : relkind === 'r' || relkind === 'p' || relkind === 'f' ? 'table' : 'other';
    this.#listed = listOf(columns).flatMap((entry) =>
      Array.isArray(entry) && typeof entry[0] === 'number' && typeof entry[1] === 'string' ? [[entry[0], entry[1]] as const] : [],
    );
    this.#notNull = new Map(
      listOf(columns).flatMap((entry) =>
        Array.isArray(entry) && typeof entry[0] === 'number' && typeof entry[2] === 'boolean' ? [[entry[0], entry[2]] as const] : [],
      ),
    );
    this.#definition = definition ?? undefined;
    this.#parents = listOf(parents).filter((parent) => typeof parent === 'number');
    this.#around = around;
  }

  get columns(): readonly CatalogColumn[] {
    if (this.#columns !== undefined) return this.#columns;
    // A view cannot read itself; should a broken catalog say so, its columns are unknown.
    if (this.#busy) return this.#listed.map(([number, name]) => ({ name, number, labels: [], lineage: 'unknown' }));
    this.#busy = true;
    try {
      this.#columns = this.#described();
    } finally {
      this.#busy = false;
    }
    return this.#columns;
  }

  #described(): readonly CatalogColumn[] {
    if (isSystemSchema(this.schema)) return this.#listed.map(([number, name]) => ({ name, number, labels: [] }));
    const outputs = this.kind === 'view' ? this.#outputs() : undefined;
    const parents = this.#parents.flatMap((oid) => this.#around.catalog.byOid(oid)?.columns ?? []);
    return this.#listed.map(([number, name], i): CatalogColumn => {
      const inherited = parents.filter((parent) => parent.name === name);
      const output = outputs?.[i];
      const labels = [...new Set([...this.#own(name), ...inherited.flatMap((parent) => parent.labels), ...(output?.labels ?? [])])];
      const hidden =
        (this.kind === 'view' && (output === undefined || output.lineage === 'unknown')) ||
        inherited.some((parent) => parent.lineage === 'unknown');
      if (hidden) return { name, number, labels, lineage: 'unknown' };
      // EVASION: a view's `reverse(card)` has the label of the card, but not its bytes: a mask that keeps the end would show the beginning.
      return output?.lineage === 'derived'
        ? { name, number, labels, lineage: 'derived' }
        : { name, number, labels, ...this.#nullness(number) };
    });
  }

  #nullness(number: number): Pick<CatalogColumn, 'notNull'> {
    const notNull = this.#notNull.get(number);
    return notNull === undefined ? {} : { notNull };
  }

  #outputs(): ReturnType<typeof inspectSql>['outputs'][number]['columns'] {
    if (this.#definition === undefined) return undefined;
    const columns = inspectSql(this.#definition, { catalog: this.#around.catalog }).outputs[0]?.columns;
    // One column more or less means that the text was not understood as the server does.
    return columns?.length === this.#listed.length ? columns : undefined;
  }

  #own(column: string): readonly string[] {
    const { classification } = this.#around;
    const key = `${this.schema}.${this.name}.${column}`;
    const exact = Object.hasOwn(classification, key) ? classification[key] : undefined;
    const folded = key.toLowerCase();
    return exact ?? (Object.hasOwn(classification, folded) ? classification[folded] : undefined) ?? [];
  }
}

function listOf(json: string | null | undefined): readonly unknown[] {
  if (json === null || json === undefined || json === '') return [];
  const value: unknown = JSON.parse(json);
  return Array.isArray(value) ? value : [];
}

/**
 * Labels of a result column by the table OID and attribute number that a RowDescription carries. `undefined`: cannot tell, because the
 * relation is newer than the snapshot or a view was not understood. Relations of the server itself have no labels.
 */
export function labelsOf(catalog: Catalog, oid: number, attributeNumber: number): readonly string[] | undefined {
  const relation = catalog.byOid(oid);
  if (relation === undefined) return oid > 0 && oid < firstUserOid ? [] : undefined;
  if (attributeNumber < 0) return [];
  const column = relation.columns.find((each) => each.number === attributeNumber);
  return column === undefined || column.lineage === 'unknown' ? undefined : column.labels;
}
