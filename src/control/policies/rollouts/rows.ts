import type { Selectable } from 'kysely';
import type { RolloutTerms } from '#policy';
import { readDecided } from '../../evidence/recorded.ts';
import type { Store, Work } from '../../store/database.ts';
import { measured, nothingMeasured } from './measure.ts';
import type { RolloutTables } from './tables.ts';

export type RolloutRow = Selectable<RolloutTables['rollout']>;

/** Entries of one ledger that one look reads; what is left comes with the next one. */
const entriesPerLook = 5_000;

/** Where the rollouts stand, by name. */
export async function rolloutRows(db: Store['db'] | Work): Promise<ReadonlyMap<string, RolloutRow>> {
  const rows = await db.selectFrom('rollout').selectAll().execute();
  return new Map(rows.map((row) => [row.name, row]));
}

/** The row of a rollout, locked until the end of the transaction; one that begins now where there is none about this document. */
export async function lockRollout(trx: Work, terms: RolloutTerms, now: number): Promise<RolloutRow> {
  const found = await trx.selectFrom('rollout').selectAll().where('name', '=', terms.name).forUpdate().executeTakeFirst();
  if (found?.document === terms.digest) return found;
  const begun: RolloutRow = {
    name: terms.name,
    document: terms.digest,
    step: terms.step,
    status: 'running',
    reason: 'as its document says',
    by: 'control',
    ...(await anew(trx, now)),
  };
  await storeRollout(trx, begun);
  return begun;
}

/** What a step begins with: nothing is measured or approved, and only what is recorded from now on counts. */
export async function anew(trx: Work, now: number): Promise<Pick<RolloutRow, 'since' | 'approved_by' | 'measured' | 'positions'>> {
  const ledgers = await trx.selectFrom('mirror').select(['origin', 'entries']).execute();
  const positions = Object.fromEntries(ledgers.map(({ origin, entries }) => [origin, Number(entries)]));
  return { since: now, approved_by: null, measured: nothingMeasured, positions };
}

export async function storeRollout(trx: Work, row: RolloutRow): Promise<void> {
  const values = { ...row, measured: JSON.stringify(row.measured), positions: JSON.stringify(row.positions) };
  const { name: _name, ...changed } = values;
  await trx
    .insertInto('rollout')
    .values(values)
    .onConflict((conflict) => conflict.column('name').doUpdateSet(changed))
    .execute();
}

/** The row with the decisions that were recorded since it was last looked at, up to a bound. */
export async function counted(trx: Work, row: RolloutRow, terms: RolloutTerms): Promise<RolloutRow> {
  const ledgers = await trx.selectFrom('mirror').select(['origin', 'entries']).execute();
  const positions: Record<string, number> = { ...row.positions };
  let so = row.measured;
  for (const { origin, entries } of ledgers) {
    const from = positions[origin] ?? 0;
    // A ledger that began anew under the same name is read from its beginning.
    const first = from > Number(entries) ? 0 : from;
    const end = Math.min(Number(entries), first + entriesPerLook);
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
    positions[origin] = end;
  }
  return { ...row, measured: so, positions };
}
