import { buildCatalog } from '#inspect';
import type { Catalog } from '#model';

/** The catalog that the corpora and the tests of this folder speak about, in the form in which the introspection query gives it. */
export function testCatalog(searchPath: readonly string[] = ['public']): Catalog {
  const rows = [
    table(20_001, 'customers', ['id', 'email', 'name', 'ssn', 'note']),
    table(20_002, 'orders', ['id', 'customer_id', 'total', 'status']),
    table(20_003, 'events', ['id', 'at', 'email'], { relkind: 'p' }),
    table(20_004, 'events_2024', ['id', 'at', 'email'], { parents: [20_003] }),
    table(20_005, 'customer_mails', ['id', 'mail', 'name'], { relkind: 'v', definition: ' SELECT id,\n    lower(email) AS mail,\n    name\n   FROM customers;' }),
    table(20_006, 'mails2', ['id', 'mail', 'name'], { relkind: 'v', definition: ' SELECT id,\n    mail,\n    name\n   FROM customer_mails\n  WHERE id > 0;' }),
    table(20_007, 'viaf', ['id', 'x'], { relkind: 'v', definition: ' SELECT id,\n    uv() AS x\n   FROM orders;' }),
    table(20_008, 'people', ['id', 'email'], { schema: 'other' }),
    table(1259, 'pg_class', ['oid', 'relname', 'relkind', 'relnamespace'], { schema: 'pg_catalog' }),
    ['function', '0', '', 'f', '', null, null, null],
    ['function', '0', '', 'uv', '', null, null, null],
    ['function', '0', '', 'replace', '', null, 'harmless', null],
  ];
  return buildCatalog(rows, { 'public.customers.email': ['pii.email'], 'public.customers.ssn': ['pii.ssn'], 'public.events.email': ['pii.email'], 'other.people.email': ['pii.email'] }, searchPath);
}

interface More {
  readonly relkind?: string;
  readonly definition?: string;
  readonly parents?: readonly number[];
  readonly schema?: string;
}

function table(oid: number, name: string, columns: readonly string[], more: More = {}): readonly (string | null)[] {
  const listed = JSON.stringify(columns.map((column, i) => [i + 1, column]));
  const parents = more.parents === undefined ? null : JSON.stringify(more.parents);
  return ['relation', String(oid), more.schema ?? 'public', name, more.relkind ?? 'r', listed, more.definition ?? null, parents];
}
