import type { CatalogRow, CatalogRows } from '#inspect';
import type { Classification } from '#model';

/**
 * Remembers which columns carry labels by what a rename cannot change: the relation's object id and the column's number.
 *
 * EVASION: a classification names columns. `ALTER TABLE customers RENAME COLUMN email TO harmless` would take its label away, within one
 * transaction even when somebody rolls back later.
 */
export class StickyLabels {
  readonly #labels = new Map<string, readonly string[]>();
  #of: Classification | undefined;

  /** Learns from rows that are committed and were read under `classification`. */
  learn(rows: CatalogRows, classification: Classification): void {
    // Another classification may have taken labels away on purpose.
    if (this.#of !== classification) this.#labels.clear();
    this.#of = classification;
    for (const row of rows) {
      for (const { key, name } of columnsOf(row)) {
        const labels = classification[name];
        if (labels && labels.length > 0) this.#labels.set(key, labels);
      }
    }
  }

  /** The classification with the labels of renamed columns under their present names. */
  apply(rows: CatalogRows, classification: Classification): Classification {
    if (this.#labels.size === 0 || this.#of !== classification) return classification;
    let added: Record<string, readonly string[]> | undefined;
    for (const row of rows) {
      for (const { key, name } of columnsOf(row)) {
        const known = this.#labels.get(key);
        if (!known) continue;
        const present = classification[name] ?? [];
        if (known.every((label) => present.includes(label))) continue;
        added ??= { ...classification };
        added[name] = [...new Set([...present, ...known])];
      }
    }
    return added ?? classification;
  }
}

/** Columns of a row of the catalog query: `oid.number` and `schema.table.column`. */
function columnsOf(row: CatalogRow): { readonly key: string; readonly name: string }[] {
  const [kind, oid, schema, relation, , columns] = row;
  if (kind !== 'relation' || !columns || schema === 'pg_catalog' || schema === 'information_schema') return [];
  const listed: unknown = JSON.parse(columns);
  if (!Array.isArray(listed)) return [];
  return listed.flatMap((entry: unknown) =>
    Array.isArray(entry) ? [{ key: `${oid}.${String(entry[0])}`, name: `${schema}.${relation}.${String(entry[1])}` }] : [],
  );
}
