import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { canonicalJson } from '#model';
import { openMirror } from '../../src/control/evidence/mirror.ts';
import { openSearchIndex } from '../../src/control/evidence/search-index.ts';
import type { Store } from '../../src/control/store/database.ts';

/**
 * Sends so many of the generated records through the real mirror and the real indexer, as one ledger more, and compares what they made with what
 * was generated: measurements of generated records say something only when the two are the same.
 */
export async function checkAlike(store: Store, { count, said }: { count: number; said: (text: string) => void }): Promise<void> {
  const mirror = openMirror(store);
  const index = openSearchIndex(store, mirror.recent);
  const origin = `ledger.bench/indexed-${process.pid}`;
  await mirror.attach({ origin, vkey: 'k' });
  let prev = '0'.repeat(64);
  let first = 0;
  const began = performance.now();
  for (;;) {
    const { rows } = await sql<{ line: string }>`
      select line from record where origin = 'ledger.bench/1' and i >= ${first} and i < ${Math.min(count, first + 1_000)} order by i`.execute(
      store.db,
    );
    if (rows.length === 0) break;
    const entries = rows.map(({ line }) => {
      // Reason: the generator wrote an object.
      const text = canonicalJson({ ...(JSON.parse(line) as Record<string, unknown>), prev });
      prev = createHash('sha256').update(`\0${text}`).digest('hex');
      return text;
    });
    await Promise.all([mirror.take({ origin, first, entries }), index.grow()]);
    first += rows.length;
    if (first % 100_000 === 0) said(`${first} records through the mirror and the indexer`);
  }
  await index.grow();
  said(`${Math.round((first / (performance.now() - began)) * 1000)} records/s, made anew and sent one batch after another`);
  console.table(await differences(store, { origin, count: first }));
}

/** How many records of the two ledgers differ in any column, and how many terms only one of them has. */
async function differences(store: Store, { origin, count }: { origin: string; count: number }): Promise<readonly object[]> {
  return store.transact(async (trx) => {
    await sql`set local statement_timeout = 0`.execute(trx);
    await sql`set local work_mem = '256MB'`.execute(trx);
    const { rows } = await sql<{ id: number; origin: string }>`
      select id, origin from search_log where origin in ('ledger.bench/1', ${origin})`.execute(trx);
    const generated = rows.find((row) => row.origin !== origin)?.id;
    const indexed = rows.find((row) => row.origin === origin)?.id;
    const columns = sql.raw('i, t, kind, session, decision, subject, on_behalf_of, resource, verdict, text_id');
    const part = (table: string, of: typeof columns, log: number | undefined) =>
      sql`select ${of} from ${sql.table(table)} where log = ${log} and i < ${count}`;
    const compared = [
      ['search', columns],
      ['search_term', sql.raw('term, t, i')],
    ] as const;
    const found: object[] = [];
    for (const [table, of] of compared) {
      const all = await sql<{ count: number }>`select count(*) from (${part(table, of, indexed)}) a`.execute(trx);
      const made = part(table, of, generated);
      const real = part(table, of, indexed);
      const { rows: other } = await sql<{ count: number }>`
        select (select count(*) from (${made} except all ${real}) a) + (select count(*) from (${real} except all ${made}) b) as count`.execute(
        trx,
      );
      found.push({ table, 'rows by the indexer': all.rows[0]?.count, 'not the same': other[0]?.count });
    }
    return found;
  });
}
