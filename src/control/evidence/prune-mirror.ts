import { sql } from 'kysely';
import { retentionJudge } from '#host';
import type { RetentionRules } from '#host';
import { sealedIn } from '#ledger';
import { limits } from '#model';
import type { Store, Work } from '../store/database.ts';
import { termsOf } from './search-index.ts';

const bundleEntries = 256;

/** What the mirror may forget. */
export interface MirrorPruning {
  readonly rules: RetentionRules;
  /** Wall clock, ms. */
  readonly now: number;
  /** Of each ledger the first entry that a sink may still need. */
  readonly neededFrom: (origin: string) => number;
}

/**
 * Removes from the mirror and the search index what the ledgers themselves were allowed to remove: entries below a witnessed `log.pruned`, whole
 * bundles as there, and none that the rules of today keep, that the record names as held, or that a sink may still need. Returns how many went.
 */
export async function pruneMirror(store: Store, pruning: MirrorPruning, signal?: AbortSignal): Promise<number> {
  let removed = 0;
  for (const plan of await witnessedPlans(store)) {
    if (plan.to > pruning.neededFrom(plan.origin)) continue;
    const judge = retentionJudge(pruning.rules, pruning.now);
    for (let first = plan.from; first < plan.to && signal?.aborted !== true; first += limits.retentionStepEntries) {
      const end = Math.min(plan.to, first + limits.retentionStepEntries);
      removed += await store.transact((trx) => removeStep(trx, { ...plan, first, end }, judge));
    }
  }
  if (removed > 0) await forgetTexts(store);
  return removed;
}

/** Statements that no record has any more. The indexer waits meanwhile: it may just have found one of them. */
function forgetTexts(store: Store): Promise<unknown> {
  return store.transact(async (trx) => {
    await sql`set local statement_timeout = 0`.execute(trx);
    await sql`lock table search_log in share row exclusive mode`.execute(trx);
    await sql`delete from search_text known where not exists (select from search s where s.text_id = known.id)`.execute(trx);
  });
}

interface Plan {
  readonly origin: string;
  readonly from: number;
  readonly to: number;
  readonly holds: readonly string[];
}

/** Only what was signed by us together with all before it: the record is then part of what the ledger can never take back. */
async function witnessedPlans(store: Store): Promise<readonly Plan[]> {
  const { rows } = await sql<{ origin: string; line: string }>`
    select r.origin, r.line from record r join mirror m on m.origin = r.origin
    where r.kind = 'log.pruned' and r.i < m.signed order by r.origin, r.i`.execute(store.db);
  return rows.flatMap(({ origin, line }) => {
    // Lines were checked when they were mirrored.
    const { from, to, holds } = JSON.parse(line) as { from?: unknown; to?: unknown; holds?: unknown };
    if (typeof from !== 'number' || typeof to !== 'number' || from < bundleEntries) return [];
    return [{ origin, from, to, holds: Array.isArray(holds) ? holds.map(String) : [] }];
  });
}

type Judge = ReturnType<typeof retentionJudge>;

async function removeStep(trx: Work, at: Plan & { readonly first: number; readonly end: number }, judge: Judge): Promise<number> {
  const rows = await trx
    .selectFrom('record')
    .select(['i', 't', 'session', 'line'])
    .where('origin', '=', at.origin)
    .where('i', '>=', at.first)
    .where('i', '<', at.end)
    .orderBy('i')
    .execute();
  const needed = new Set<number>();
  for (const { i, session, line } of rows) {
    // Lines were checked when they were mirrored.
    const why = judge(JSON.parse(line) as Record<string, unknown>);
    if (why !== undefined || (session !== null && at.holds.includes(session))) needed.add(Math.floor(i / bundleEntries));
  }
  const leaving = rows.filter(({ i }) => !needed.has(Math.floor(i / bundleEntries)));
  if (leaving.length === 0) return 0;
  const gone = leaving.map(({ i }) => i);
  const log = await trx.selectFrom('search_log').select('id').where('origin', '=', at.origin).executeTakeFirst();
  if (log !== undefined) {
    // By their whole key, worked out as the indexer did: there is no other way to find them quickly.
    const terms = leaving.flatMap(({ i, t, line }) => termsOf(line).map((term) => ({ term, t, i })));
    await sql`
      delete from search_term o using (
        select * from unnest(${terms.map(({ term }) => term)}::text[], ${terms.map(({ t }) => t)}::bigint[], ${terms.map(({ i }) => i)}::bigint[])
          as one (term, t, i)
      ) gone
      where o.term = gone.term and o.t = gone.t and o.log = ${log.id} and o.i = gone.i`.execute(trx);
    await sql`delete from search where log = ${log.id} and i = any(${gone}::bigint[])`.execute(trx);
  }
  // What is kept of them besides goes too, in its own time.
  const copies = leaving.flatMap(({ line }) => {
    const sealed = sealedIn(line);
    return sealed !== undefined && 'hash' in sealed ? [sealed.hash] : [];
  });
  if (copies.length > 0)
    await sql`insert into recording_leaving (hash) select unnest(${copies}::text[]) on conflict do nothing`.execute(trx);
  await sql`delete from record where origin = ${at.origin} and i = any(${gone}::bigint[])`.execute(trx);
  return gone.length;
}
