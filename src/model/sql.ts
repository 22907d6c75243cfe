/**
 * What the SQL inspectors say about a statement text: the attribute `sql` that policies read.
 * Pure data; made by `inspect/sql`, consumed by the policy engine, the points and the ledger.
 */
export interface SqlFacts {
  /** False when any part of the text was not understood; `unknown` then says what. Deny rules rely on it. */
  readonly complete: boolean;
  /** Names of the constructs that were not understood, e.g. `function:my_function`, `statement:LoadStmt`, `syntax`. */
  readonly unknown: readonly string[];
  /** Distinct statement verbs in order of appearance: select, insert, update, delete, merge, truncate, create, alter, drop, grant,
   *  revoke, set, show, begin, commit, rollback, savepoint, explain, copy, do, call, execute, prepare, declare, fetch, listen, … */
  readonly verbs: readonly string[];
  /** Distinct effects of everything the text would do, see `statement-kinds.ts` and `dangerous-functions.ts` in `inspect/sql/postgres`. Dotted, most general first:
   *  `read`, `read.catalog`, `read.catalog.sensitive`, `read.file`, `write.insert`, `write.update`, `write.delete`, `write.merge`, `truncate`,
   *  `create.table`, `drop.table`, `alter.table.drop_column`, `privilege.grant`, `session.set`, `session.role`, `transaction`, `transaction.prepared`,
   *  `copy.in`, `copy.out`, `copy.program`, `code.do`, `code.call`, `code.execute`, `lock`, `network`, `server.control`, …
   *  Every query has `read`, whatever it reads. A plain EXPLAIN has `read.plan` and not the effects of its statement. */
  readonly effects: readonly string[];
  /** Distinct relations touched, schema-qualified where that is known, lower case as the catalog has them: `public.orders`. */
  readonly tables: readonly string[];
  /** Distinct functions called, without schema for pg_catalog ones. */
  readonly functions: readonly string[];
  /** Session settings changed by SET, RESET or set_config. */
  readonly settings: readonly string[];
  /** The statements in order of appearance, those inside others too: a CTE that writes, what EXPLAIN ANALYZE runs, what PREPARE prepares. */
  readonly statements: readonly SqlStatement[];
  /** Every use of a column whose source is known or that carries labels. */
  readonly columns: readonly SqlColumnUse[];
  /** Distinct labels of all columns used, in any role. */
  readonly labels: readonly string[];
  /** Hex SHA-256 of the normalised shape (literals stripped). */
  readonly fingerprint: string;
  /** Hex SHA-256 of the literals and their order, with parameters if any. */
  readonly literalsHash: string;
  /** The text with literals replaced by `$n`: safe to store. Empty when the text does not parse. */
  readonly normalized: string;
}

export interface SqlStatement {
  readonly verb: string;
  readonly effects: readonly string[];
  readonly relations: readonly SqlRelation[];
  /** The statement (or, for a CTE that writes, its writing part) has a WHERE clause. */
  readonly hasWhere: boolean;
  /** That WHERE is always true as far as can be shown (`1=1`, `true`, `id=id`, `x OR true`…). */
  readonly whereTautology: boolean;
  readonly hasLimit: boolean;
  readonly hasReturning: boolean;
}

export interface SqlRelation {
  readonly schema: string;
  readonly name: string;
  readonly access: 'read' | 'write' | 'ddl';
}

/** How a column is used. `lookup` is an equality with a constant or parameter (`=`, `IN (…)`); `predicate` is any other condition. */
export type SqlColumnRole =
  | 'projected'
  | 'lookup'
  | 'predicate'
  | 'join'
  | 'group'
  | 'order'
  | 'aggregated'
  | 'written'
  /** Read by a statement that stores the result (INSERT … SELECT, CREATE TABLE AS, CREATE VIEW…). */
  | 'copied';

export interface SqlColumnUse {
  /** Schema-qualified relation, or `?` when it could not be resolved. */
  readonly table: string;
  readonly column: string;
  readonly role: SqlColumnRole;
  readonly labels: readonly string[];
}

/** Where a result column comes from. */
export interface OutputColumn {
  readonly name: string;
  /** `exact`: the bytes of one column; `derived`: computed from `sources`; `none`: computed from no column; `unknown`: cannot tell. */
  readonly lineage: 'exact' | 'derived' | 'none' | 'unknown';
  /** `schema.table.column` of every source. */
  readonly sources: readonly string[];
  readonly labels: readonly string[];
}

/** A relation as the target's catalog describes it, with the labels that the resource's classification gives its columns. */
export interface CatalogRelation {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly kind: 'table' | 'view' | 'other';
  /** In attribute-number order, dropped ones left out. */
  readonly columns: readonly CatalogColumn[];
}

export interface CatalogColumn {
  readonly name: string;
  /** pg_attribute.attnum */
  readonly number: number;
  readonly labels: readonly string[];
  /** `unknown`: where a view's column comes from cannot be told, so its labels are not known. `derived`: a view computes it. */
  readonly lineage?: 'unknown' | 'derived';
  /** The target never stores NULL in it. Absent: not known. */
  readonly notNull?: boolean;
}

/** What the inspector may ask about the target. Pure and synchronous: a snapshot. */
export interface Catalog {
  readonly searchPath: readonly string[];
  /** Looks a relation up as the server would; without a schema along the search path. Names are already case-folded. */
  relation(schema: string | undefined, name: string): CatalogRelation | undefined;
  byOid(oid: number): CatalogRelation | undefined;
  /** Whether a function of this name exists outside pg_catalog (and outside extensions known to be harmless): it may run in place of the built-in one. */
  userFunction?(name: string): boolean;
}
