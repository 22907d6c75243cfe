import type { Catalog, CatalogRelation } from '#model';

/** A catalog written in a test file: `schema.table` → column → labels. */
export type CatalogFixture = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

const firstOid = 16_384;

/** What the inspector may ask about the tables of a test file. A name without schema is in `public`. */
export function catalogOf(fixture: CatalogFixture): Catalog {
  const relations = Object.entries(fixture).map(([name, columns], i): CatalogRelation => {
    const dot = name.indexOf('.');
    return {
      oid: firstOid + i,
      schema: dot < 0 ? 'public' : name.slice(0, dot),
      name: name.slice(dot + 1),
      kind: 'table',
      columns: Object.entries(columns).map(([column, labels], n) => ({ name: column, number: n + 1, labels })),
    };
  });
  const searchPath = ['public'];
  return {
    searchPath,
    relation: (schema, name) => relations.find((relation) => relation.name === name && (schema ?? 'public') === relation.schema),
    byOid: (oid) => relations.find((relation) => relation.oid === oid),
  };
}
