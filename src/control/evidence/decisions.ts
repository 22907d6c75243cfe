import type { Selectable, SelectQueryBuilder } from 'kysely';
import { Fault } from '#model';
import type { Subject } from '#model';
import type { Database } from '../store/database.ts';
import type { Tables } from '../store/tables.ts';
import { visibleRecords } from './read-access.ts';
import { inDoubt, readDecided, readReading, readSettled } from './recorded.ts';
import type { RecordedDecision, RecordedOutcome } from './recorded.ts';
import type { EvidenceTables } from './tables.ts';

export interface DecisionView {
  readonly decided: RecordedDecision;
  readonly outcome?: RecordedOutcome;
  /** Position in its ledger, `origin#index`. */
  readonly record: string;
}

type DecidedRow = Pick<Selectable<EvidenceTables['record']>, 'origin' | 'i' | 'kind' | 'line' | 'session' | 'n'>;
type DecidedQuery = SelectQueryBuilder<Tables, 'record', DecidedRow>;

/** The newest record of a decision, on an operation or on a reading of evidence; NOT_FOUND also when the viewer may not see it. */
export async function findDecision(db: Database, { viewer, id }: { viewer: Subject; id: string }): Promise<DecisionView> {
  const decided = db
    .selectFrom('record')
    .select(['origin', 'i', 'kind', 'line', 'session', 'n'])
    .where('kind', 'in', ['operation.decided', 'recording.read'])
    .where(visibleRecords(viewer))
    .orderBy('i', 'desc')
    .limit(1);
  const row = (await decided.where('decision', '=', id).executeTakeFirst()) ?? (await finalOf(db, id, decided));
  if (row === undefined) throw new Fault('NOT_FOUND', `there is no decision ${id}`);
  if (row.kind === 'recording.read') return { decided: readReading(row.line), record: `${row.origin}#${row.i}` };
  const ended = await db
    .selectFrom('record')
    .select(['kind', 'line'])
    .where('origin', '=', row.origin)
    .where('session', '=', row.session)
    .where('n', '=', row.n)
    .where('kind', 'in', ['operation.settled', 'operation.indoubt'])
    .orderBy('i', 'desc')
    .limit(1)
    .executeTakeFirst();
  return {
    decided: readDecided(row.line),
    record: `${row.origin}#${row.i}`,
    ...(ended === undefined ? {} : { outcome: ended.kind === 'operation.indoubt' ? inDoubt : readSettled(ended.line) }),
  };
}

/** An operation that was held is recorded with the decision that ended it; reviewers know it by the one that asked for them. */
async function finalOf(db: Database, id: string, decided: DecidedQuery): Promise<DecidedRow | undefined> {
  const held = await db.selectFrom('approval_request').select(['session', 'operation']).where('decision', '=', id).executeTakeFirst();
  if (held === undefined) return undefined;
  return decided.where('session', '=', held.session).where('operation', '=', held.operation).executeTakeFirst();
}
