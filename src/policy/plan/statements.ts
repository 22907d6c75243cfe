import { inspectSql, loadInspectors } from '#inspect';
import { limits } from '#model';
import type { Catalog, ResultColumn } from '#model';
import { catalogOf } from '../cases/catalog.ts';
import type { Mentions } from './axes.ts';
import type { Draft } from './draft.ts';

/** A statement text with what the real parser says of it: the part of a request that no guess can make consistent. */
export interface Statement {
  readonly text: string;
  readonly roots: Draft;
  readonly certainty: string;
}

/** One statement of every sort that the inspector tells apart; `T` is a table, `C` one of its columns. */
const sorts = [
  'SELECT 1',
  'SELECT id FROM T',
  'SELECT C FROM T',
  'SELECT * FROM T',
  'SELECT id FROM T LIMIT 10',
  "SELECT id FROM T WHERE C = 'x'",
  "SELECT id FROM T WHERE C LIKE 'x%'",
  'SELECT count(*) FROM T',
  'SELECT max(C) FROM T GROUP BY C',
  'SELECT id FROM T ORDER BY C',
  'SELECT id FROM T FOR UPDATE',
  'SELECT relname FROM pg_catalog.pg_class',
  'INSERT INTO T (id) VALUES (1)',
  'INSERT INTO T (id) SELECT id FROM T',
  'CREATE TABLE copied AS SELECT C FROM T',
  'UPDATE T SET id = 1',
  'UPDATE T SET id = 1 WHERE id = 7',
  'UPDATE T SET id = 1 WHERE true',
  'DELETE FROM T',
  'DELETE FROM T WHERE id = 7',
  'DELETE FROM T WHERE 1 = 1',
  'DELETE FROM T WHERE id = 7 RETURNING *',
  'MERGE INTO T USING T AS s ON s.id = T.id WHEN MATCHED THEN DELETE',
  'TRUNCATE T',
  'DROP TABLE T',
  'ALTER TABLE T DROP COLUMN C',
  'ALTER TABLE T ADD COLUMN added int',
  'ALTER TABLE T ALTER COLUMN C TYPE text',
  'ALTER TABLE T RENAME TO renamed',
  'COPY T TO STDOUT',
  'COPY T FROM STDIN',
  'LOCK TABLE T',
  'GRANT SELECT ON T TO PUBLIC',
  'REVOKE SELECT ON T FROM PUBLIC',
  'VACUUM T',
  'ANALYZE T',
  'EXPLAIN SELECT id FROM T',
  'EXPLAIN ANALYZE DELETE FROM T',
  'CREATE INDEX ON T (id)',
  'CREATE TABLE made (id int)',
  'CREATE VIEW seen AS SELECT id FROM T',
  'CREATE SCHEMA made',
  'CREATE ROLE made',
  'ALTER ROLE made SUPERUSER',
  'DROP ROLE made',
  'DROP SCHEMA made CASCADE',
  'DROP DATABASE made',
  'DROP INDEX made',
  'CREATE EXTENSION made',
  'CREATE FUNCTION made() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
  'DO $$ BEGIN NULL; END $$',
  'CALL made()',
  'SELECT made()',
  "SELECT pg_read_file('/etc/passwd')",
  "COPY T TO PROGRAM 'cat'",
  'SELECT pg_sleep(1)',
  "SELECT nextval('made')",
  'BEGIN',
  'COMMIT',
  "SET search_path = 'made'",
  'SET ROLE made',
  'SET SESSION AUTHORIZATION made',
  'SET row_security = off',
  'RESET ALL',
  'RESET application_name',
  "SET application_name = 'x'",
  'SELECT pg_advisory_lock(1)',
  'CREATE MATERIALIZED VIEW seen AS SELECT id FROM T',
  'REFRESH MATERIALIZED VIEW seen',
  'CREATE SEQUENCE made',
  'CREATE TYPE made AS (id int)',
  'CREATE DOMAIN made AS int',
  'CREATE STATISTICS made ON id, plain FROM T',
  'ALTER TABLE T ADD CONSTRAINT made CHECK (id > 0)',
  'ALTER TABLE T VALIDATE CONSTRAINT made',
  'ALTER TABLE T DROP CONSTRAINT made',
  'ALTER TABLE T ALTER COLUMN id SET DEFAULT 1',
  'ALTER TABLE T ALTER COLUMN id SET NOT NULL',
  'ALTER TABLE T ALTER COLUMN id DROP NOT NULL',
  'ALTER TABLE T ALTER COLUMN id SET STATISTICS 10',
  'ALTER INDEX made SET (fillfactor = 70)',
  'ALTER SEQUENCE made RESTART',
  "ALTER TYPE made ADD VALUE 'x'",
  'ALTER DOMAIN made DROP NOT NULL',
  'ALTER STATISTICS made SET STATISTICS 10',
  "COMMENT ON TABLE T IS 'x'",
  'SHOW work_mem',
  'LISTEN made',
  'NOTIFY made',
  'DECLARE made CURSOR FOR SELECT C FROM T',
  'PREPARE made AS SELECT id FROM T',
  'WITH gone AS (DELETE FROM T RETURNING id) SELECT id FROM gone',
  'SELECT 1; DROP TABLE T',
  'not a statement',
] as const;

/**
 * Statements over the tables, columns, labels, functions and settings that the policies mention, with the texts of their tests. Bounded;
 * `cut` tells how many were left out.
 */
export async function statementsFor(mentions: Mentions, texts: readonly string[]): Promise<{ statements: Statement[]; cut: number }> {
  await loadInspectors();
  const strings = (path: string): string[] =>
    [...(mentions.paths.get(path)?.values.values() ?? [])].filter((value) => typeof value === 'string');
  const tables = [
    ...new Set([
      'public.other',
      ...strings('sql.tables'),
      ...qualified(strings('sql.statements.relations.name')),
      ...strings('sql.columns.table'),
    ]),
  ];
  const labels = [...new Set([...strings('sql.labels'), ...strings('sql.columns.labels'), ...strings('result.columns.labels')])];
  const columns = ['plain', ...labels.map((_, i) => `labelled_${i + 1}`)];
  const known = Object.fromEntries(['id', ...columns].map((column, i) => [column, i < 2 ? [] : [labels[i - 2] ?? '']]));
  const catalog = catalogOf(Object.fromEntries(tables.map((table) => [table, known])));
  const wanted: string[] = [];
  for (const sort of sorts) {
    for (const [t, table] of (sort.includes('T') ? tables : ['']).entries()) {
      // Labels are tried on the table that nothing else is said about.
      for (const column of sort.includes(' C') || sort.includes('(C)') ? (t === 0 ? columns : ['plain']) : ['']) {
        wanted.push(sort.replaceAll(/\bT\b/g, quoted(table)).replaceAll(/\bC\b/g, column));
      }
    }
  }
  for (const name of strings('sql.functions')) wanted.push(`SELECT ${name}()`);
  for (const name of strings('sql.settings')) wanted.push(`SET ${name} = 'x'`);
  const all = [...new Set([...wanted, ...texts])];
  const kept = all.slice(0, limits.planStatementsMax);
  return { statements: kept.map((text) => statementOf(text, catalog)), cut: all.length - kept.length };
}

function qualified(names: readonly string[]): string[] {
  return names.filter((name) => /^[a-z_][a-z0-9_]*$/.test(name)).map((name) => `public.${name}`);
}

/** `public.x` stays; whatever else a glob was turned into becomes a name that the parser reads back as it is. */
function quoted(table: string): string {
  return table
    .split('.')
    .map((part) => (/^[a-z_][a-z0-9_]*$/.test(part) ? part : `"${part.replaceAll('"', '""')}"`))
    .join('.');
}

function statementOf(text: string, catalog: Catalog): Statement {
  const { facts, certainty, outputs } = inspectSql(text, { catalog });
  const columns = outputs.flatMap((output): ResultColumn[] => {
    if (!output.returnsRows) return [];
    if (output.columns === undefined) return [{ name: '?', labels: [], lineage: 'unknown', type: 'text' }];
    return output.columns.map(({ name, labels, lineage }) => ({ name, labels, lineage, type: 'text' as const }));
  });
  return { text, roots: { sql: facts, result: { columns } }, certainty };
}
