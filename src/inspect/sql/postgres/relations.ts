import type { CatalogRelation, SqlRelation } from '#model';
import type { Findings } from './findings.ts';
import { isSystemSchema, systemClass } from './system-relations.ts';
import type { Body } from './tree.ts';
import { noValue, unknownValue } from './values.ts';
import type { Column, Output } from './values.ts';

/** A named relation as the statement will find it. */
export interface NamedRelation extends Output {
  /** Empty when not known. */
  readonly schema: string;
  readonly name: string;
  readonly system: boolean;
}

const columnsOf = new WeakMap<CatalogRelation, readonly Column[]>();

/** Looks a relation up and notes the access to it. */
export function touchRelation(node: Body<'RangeVar'>, access: SqlRelation['access'], findings: Findings): NamedRelation {
  findings.seen.add(node);
  const relation = findRelation(node, findings);
  findings.relation({ schema: relation.schema, name: relation.name, access });
  const system = systemClass(relation.schema === '' ? undefined : relation.schema, relation.name);
  if (access === 'read') findings.effect('read');
  if (system !== undefined && access === 'read') findings.effect('read.catalog');
  if (system === 'sensitive') findings.effect('read.catalog.sensitive');
  if (system !== undefined && access !== 'read') findings.effect('write.catalog');
  return relation;
}

function findRelation(node: Body<'RangeVar'>, findings: Findings): NamedRelation {
  const name = node.relname ?? '';
  const schema = node.schemaname;
  const known = findings.stale ? undefined : findings.catalog?.relation(schema, name);
  if (known !== undefined) {
    return { schema: known.schema, name: known.name, system: isSystemSchema(known.schema), columns: catalogColumns(known) };
  }
  const system = systemClass(schema, name) !== undefined;
  const home = schema ?? (system ? 'pg_catalog' : '');
  // A relation that the snapshot does not have may be a renamed one with labels, so its columns are unknown.
  return { schema: home, name, system, columns: [], rest: system ? noValue : unknownValue };
}

function catalogColumns(relation: CatalogRelation): readonly Column[] {
  let columns = columnsOf.get(relation);
  if (columns === undefined) {
    const system = isSystemSchema(relation.schema);
    const table = `${relation.schema}.${relation.name}`;
    columns = relation.columns.map((column): Column => {
      if (system) return { name: column.name, value: noValue };
      const source = { table, column: column.name, labels: column.labels };
      return { name: column.name, value: { lineage: column.lineage ?? 'exact', sources: [source] } };
    });
    columnsOf.set(relation, columns);
  }
  return columns;
}

/** EVASION: a temporary relation is found before pg_catalog, so a new name must not be one of the catalog's. */
export function shadowedName(name: string | undefined, findings: Findings): void {
  if (name?.startsWith('pg_') === true) findings.unknown.add(`shadows:${name}`);
}

/** Without a catalog a qualified column still has a name: `orders.total` comes from the column `total` of `orders`. */
export function isUnlisted(relation: NamedRelation): boolean {
  return relation.rest !== undefined && !relation.system;
}
