import type { Selectable } from 'kysely';
import { Fault } from '#model';
import type { RolloutTerms } from '#policy';
import { readDecided } from '../../evidence/recorded.ts';
import type { Store, Work } from '../../store/database.ts';
import { measured, nothingMeasured } from './measure.ts';
import type { RolloutTables } from './tables.ts';

export type RolloutRow = Selectable<RolloutTables['rollout']>;

/** Entries of one ledger that are read at once, and how often in one look; what is left comes with the next one. */
const entriesPerPage = 5_000;
const pagesPerLook = 4;

/** Where the rollouts stand, by name. */
export async function rolloutRows(db: Store['db'] | Work): Promise<ReadonlyMap<string, RolloutRow>> {
  const rows = await db.selectFrom('rollout').selectAll().execute();
  return new Map(rows.map((row) => [row.name, row]));
}

/**
 * The row of a rollout, locked until the end of the transaction; one that begins now where there is none about this document. CONFLICT where
 * there is one about the document of a newer bundle than `bundle`, which is the digest of the one whose terms these are.
 */
export async function lockRollout(
  trx: Work,
  terms: RolloutTerms,
  { bundle, now }: { readonly bundle: string; readonly now: number },
): Promise<RolloutRow> {
  let found = await locked(trx, terms);
  if (found?.document === terms.digest) return found;
  if (found !== undefined) {
    const newest = await trx.selectFrom('bundle_activation').select('digest').orderBy('id', 'desc').limit(1).executeTakeFirst();
    if (newest !== undefined && newest.digest !== bundle)
      throw new Fault('CONFLICT', `another bundle came into force; look at the rollout "${terms.name}" again`);
  }
  const begun: RolloutRow = {
    name: terms.name,
    document: terms.digest,
    step: terms.step,
    status: 'running',
    reason: 'as its document says',
    by: 'control',
    ...(await anew(trx, now)),
  };
  if (found === undefined) {
    // Somebody else may begin it at the same moment: what they say of it must not be lost.
    await trx
      .insertInto('rollout')
      .values(stored(begun))
      .onConflict((conflict) => conflict.column('name').doNothing())
      .execute();
    found = await locked(trx, terms);
    if (found?.document === terms.digest) return found;
  }
  await storeRollout(trx, begun);
  return begun;
}

function locked(trx: Work, { name }: RolloutTerms): Promise<RolloutRow | undefined> {
  return trx.selectFrom('rollout').selectAll().where('name', '=', name).forUpdate().executeTakeFirst();
}

/** What a step begins with: nothing is measured or approved, and only what is recorded from now on counts. */
export async function anew(
  trx: Work,
  now: number,
): Promise<Pick<RolloutRow, 'since' | 'approved_by' | 'approved_bundle' | 'measured' | 'positions'>> {
  const ledgers = await trx.selectFrom('mirror').select(['origin', 'entries']).execute();
  const positions = Object.fromEntries(ledgers.map(({ origin, entries }) => [origin, Number(entries)]));
  return { since: now, approved_by: null, approved_bundle: null, measured: nothingMeasured, positions };
}

export async function storeRollout(trx: Work, row: RolloutRow): Promise<void> {
  const values = stored(row);
  const { name: _name, ...changed } = values;
  await trx
    .insertInto('rollout')
    .values(values)
    .onConflict((conflict) => conflict.column('name').doUpdateSet(changed))
    .execute();
}

function stored(row: RolloutRow) {
  return { ...row, measured: JSON.stringify(row.measured), positions: JSON.stringify(row.positions) };
}

/** The row with the decisions that were recorded since it was last looked at, up to a bound; and whether there are more of them. */
export async function counted(
  trx: Work,
  row: RolloutRow,
  terms: RolloutTerms,
): Promise<{ readonly row: RolloutRow; readonly behind: boolean }> {
  const ledgers = await trx.selectFrom('mirror').select(['origin', 'entries']).execute();
  const positions: Record<string, number> = { ...row.positions };
  let so = row.measured;
  let behind = false;
  for (const { origin, entries } of ledgers) {
    const from = positions[origin] ?? 0;
    // A ledger that began anew under the same name is read from its beginning.
    let end = from > Number(entries) ? 0 : from;
    for (let page = 0; page < pagesPerLook && end < Number(entries); page += 1) {
      const first = end;
      end = Math.min(Number(entries), first + entriesPerPage);
      const lines = await trx
        .selectFrom('record')
        .select('line')
        .where('origin', '=', origin)
        .where('i', '>=', first)
        .where('i', '<', end)
        .where('kind', '=', 'operation.decided')
        .where('t', '>=', row.since)
        .orderBy('i')
        .execute();
      for (const { line } of lines) so = measured(so, readDecided(line), terms);
    }
    positions[origin] = end;
    behind ||= end < Number(entries);
  }
  return { row: { ...row, measured: so, positions }, behind };
}
