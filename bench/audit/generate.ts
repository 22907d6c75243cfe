import { sql } from 'kysely';
import type { Store, Work } from '../../src/control/store/database.ts';

/** What the generated installation looks like: skewed as real ones are, the same for every run of one size. */
export const shape = { logs: 4, subjects: 500, resources: 20, texts: 5_000, tables: 200, rules: 100, operationsPerSession: 50 } as const;

/** Time of the first operation, and the span over which all of them are spread. */
export const firstMs = Date.UTC(2026, 0, 1);
export const spanMs = 30 * 24 * 60 * 60 * 1000;

const tables = ['record', 'search', 'search_term'] as const;

/**
 * Fills the mirrored records and the search index with what the indexer would have written for so many records, two for each operation.
 * PostgreSQL makes the rows itself and builds the indexes at the end: through the indexer ten million records would take an hour.
 */
export async function generate(store: Store, records: number, said: (text: string) => void): Promise<void> {
  const operations = Math.ceil(records / 2);
  const again = await dropIndexes(store);
  await fillTexts(store);
  for (let log = 1; log <= shape.logs; log += 1) {
    const entries = 2 * Math.floor((operations - log) / shape.logs) + 2;
    await sql`insert into search_log (origin, vkey, entries) values (${`ledger.bench/${log}`}, 'k', ${entries})`.execute(store.db);
    await sql`insert into mirror (origin, vkey, entries, leaf) values (${`ledger.bench/${log}`}, 'k', ${entries}, '')`.execute(store.db);
  }
  const step = 200_000;
  for (let from = 0; from < operations; from += step) {
    const to = Math.min(operations, from + step);
    await store.transact(async (trx) => {
      await sql`set local statement_timeout = 0`.execute(trx);
      await sql`set local synchronous_commit = off`.execute(trx);
      await operationsTable(trx, { from, to, gapMs: spanMs / operations });
      for (const statement of rowStatements) await sql.raw(statement).execute(trx);
    });
    said(`${to * 2} records`);
  }
  for (const statement of again) {
    said(statement.slice(0, 70));
    await unbounded(store, statement);
  }
  for (const table of [...tables, 'search_text']) await unbounded(store, `vacuum (analyze) ${table}`);
}

async function unbounded(store: Store, statement: string): Promise<void> {
  await store.db.connection().execute(async (connection) => {
    await sql`set statement_timeout = 0`.execute(connection);
    await sql`set maintenance_work_mem = '512MB'`.execute(connection);
    await sql.raw(statement).execute(connection);
    await sql`reset statement_timeout`.execute(connection);
  });
}

/** Statements that make the indexes again. */
async function dropIndexes(store: Store): Promise<readonly string[]> {
  const { rows } = await sql<{ table: string; index: string; definition: string; constraint: string | null }>`
    select c.relname as table, i.relname as index, pg_get_indexdef(i.oid) as definition, pg_get_constraintdef(k.oid) as constraint
    from pg_index x join pg_class c on c.oid = x.indrelid join pg_class i on i.oid = x.indexrelid
    left join pg_constraint k on k.conindid = i.oid
    where c.relname = any(${[...tables]}::text[])`.execute(store.db);
  for (const { table, index, constraint } of rows)
    await sql.raw(constraint === null ? `drop index ${index}` : `alter table ${table} drop constraint ${index}`).execute(store.db);
  return rows.map(({ table, index, definition, constraint }) =>
    constraint === null ? definition : `alter table ${table} add constraint ${index} ${constraint}`,
  );
}

async function fillTexts(store: Store): Promise<void> {
  await sql`
    insert into search_text (digest, text)
    select sha256(convert_to(text, 'UTF8')), text from (
      select k, ${sql.raw(textOf('k'))} as text from generate_series(0, ${sql.lit(shape.texts - 1)}) k order by k
    ) one`.execute(store.db);
}

/** The normalized text number `k`; the operations of a text are alike. */
const textOf = (k: string): string =>
  `(array['select','select','select','update','insert into','delete from'])[1 + ${k} % 6] || ' public.table_' || ${k} % ${shape.tables} || ' where column_' || ${k} / 7 || ' = $1 and tenant = $2 /* statement ' || ${k} || ' of the application */'`;

async function operationsTable(db: Work, { from, to, gapMs }: { from: number; to: number; gapMs: number }): Promise<void> {
  await sql`drop table if exists generated`.execute(db);
  await sql
    .raw(`
    create temporary table generated on commit drop as
    with numbered as (
      select n, 1 + n % ${shape.logs} as log, 2 * (n / ${shape.logs}) as i, n / ${shape.logs} / ${shape.operationsPerSession} as s,
        ${firstMs}::bigint + (n * ${gapMs}::float8)::bigint as t,
        ((hashint8extended(n, 1) & 1048575) / 1048576.0)::float8 as a, ((hashint8extended(n, 2) & 1048575) / 1048576.0)::float8 as b
      from generate_series(${from}::bigint, ${to - 1}::bigint) n
    ), placed as (
      select *, 'ses_' || log || '_' || s as session,
        floor(power((hashint8extended(s * ${shape.logs} + log, 3) & 1048575) / 1048576.0, 3) * ${shape.subjects})::int as who,
        floor(power((hashint8extended(s * ${shape.logs} + log, 4) & 1048575) / 1048576.0, 2) * ${shape.resources})::int as what,
        floor(power(a, 4) * ${shape.texts})::int as k
      from numbered
    )
    select *, case when who % 10 = 0 then 'agent:bot-' || who else 'user:person-' || who end as subject,
      case when who % 10 = 0 then 'user:person-' || who + 1 end as on_behalf_of, 'pg:db-' || what as resource,
      case when b < 0.92 then 'allow' when b < 0.98 then 'deny' else 'pending' end as verdict,
      ${textOf('k')} as text, 'access/rule-' || k % ${shape.rules} as rule, 'public.table_' || k % ${shape.tables} as object,
      1 + n / ${shape.logs} % ${shape.operationsPerSession} as place
    from placed`)
    .execute(db);
}

const hash = (seed: string): string => `md5(${seed} || n) || md5(n || ${seed})`;

/** One in a hundred thousand outcomes is something rare instead. */
const settledKind = `case when n % 50021 = 0 then 'recording.read' else 'operation.settled' end`;

const decidedLine = `'{"boot":"0d7c6a3e-5d1f-4c55-9d0f-1f6f5f5d0a11","build":"warder 0.1.0","decision":{"bundle":{"digest":"sha256:' || md5('b') || md5('c') || '","name":"installation","version":"1.4.2"},"id":"dec_' || n || '","matched":[{"effect":"allow","mode":"enforce","rule":"' || rule || '"},{"effect":"observe","mode":"enforce","rule":"audit/everything"}],"obligations":["mask"],"reads":{"sql.verbs":["select"],"subject.groups":["engineering"]},"reason":"' || upper(verdict) || '","rules":["' || rule || '"],"verdict":"' || verdict || '"},"evidence":{"bytes":140,"commit":"' || ${hash("'x'")} || '","key":"' || session || '","sealed":"' || ${hash("'y'")} || ${hash("'z'")} || '"},"i":' || i || ',"kind":"operation.decided","mono":' || n * 1000 || ',"n":' || place || ',"node":"ledger.bench/' || log || '","nonce":"' || md5('o' || n) || '","operation":"op_' || n || '","prev":"' || ${hash("'p'")} || '","session":"' || session || '","t":' || t || ',"v":1,"what":{"certainty":"parsed","normalized":"' || text || '","objects":["' || object || '"],"resource":"' || resource || '","target":"sql","verb":"select"},"who":{' || coalesce('"onBehalfOf":"' || on_behalf_of || '",', '') || '"subject":"' || subject || '"}}'`;
const settledLine = `'{"boot":"0d7c6a3e-5d1f-4c55-9d0f-1f6f5f5d0a11","build":"warder 0.1.0","for":' || i || ',"i":' || i + 1 || ',"kind":"' || ${settledKind} || '","mono":' || n * 1000 + 9 || ',"n":' || place || ',"node":"ledger.bench/' || log || '","nonce":"' || md5('q' || n) || '","operation":"op_' || n || '","outcome":{"bytesDown":812,"bytesUp":140,"durationMs":3,"masked":{"pii.email":3},"rows":3,"rowsWithheld":0,"rules":["pii/mask-contact"],"status":"done"},"prev":"' || ${hash("'r'")} || '","session":"' || session || '","t":' || t + 5 || ',"v":1}'`;

const rowStatements: readonly string[] = [
  `insert into record (origin, i, kind, t, session, operation, n, decision, subject, on_behalf_of, resource, verdict, reason, line)
   select 'ledger.bench/' || log, i, 'operation.decided', t, session, 'op_' || n, place, 'dec_' || n, subject, on_behalf_of, resource, verdict,
     upper(verdict), ${decidedLine} from generated order by n`,
  `insert into record (origin, i, kind, t, session, operation, n, line)
   select 'ledger.bench/' || log, i + 1, ${settledKind}, t + 5, session, 'op_' || n, place, ${settledLine} from generated order by n`,
  `insert into search (log, i, t, kind, session, decision, subject, on_behalf_of, resource, verdict, text_id)
   select log, i, t, 'operation.decided', session, 'dec_' || n, subject, on_behalf_of, resource, verdict, k + 1 from generated order by n`,
  `insert into search (log, i, t, kind, session)
   select log, i + 1, t + 5, ${settledKind}, session from generated order by n`,
  `insert into search_term (term, t, log, i) select 'r:' || rule, t, log, i from generated order by n`,
  `insert into search_term (term, t, log, i) select 'r:audit/everything', t, log, i from generated order by n`,
  `insert into search_term (term, t, log, i) select 'o:' || object, t, log, i from generated order by n`,
  `insert into search_term (term, t, log, i) select 'r:pii/mask-contact', t + 5, log, i + 1 from generated order by n`,
];
