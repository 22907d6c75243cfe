import { Fault } from '#model';
import type { Subject } from '#model';
import type { Database } from '../store/database.ts';
import { visibleRecords } from './read-access.ts';
import { inDoubt, readDecided, readSettled } from './recorded.ts';
import type { RecordedDecision, RecordedOutcome } from './recorded.ts';

export interface DecisionView {
  readonly decided: RecordedDecision;
  readonly outcome?: RecordedOutcome;
  /** Position in its ledger, `origin#index`. */
  readonly record: string;
}

/** The newest record of a decision; NOT_FOUND also when the viewer may not see it. */
export async function findDecision(db: Database, { viewer, id }: { viewer: Subject; id: string }): Promise<DecisionView> {
  const row = await db
    .selectFrom('record')
    .select(['origin', 'i', 'line', 'session', 'n'])
    .where('decision', '=', id)
    .where('kind', '=', 'operation.decided')
    .where(visibleRecords(viewer))
    .orderBy('i', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (row === undefined) throw new Fault('NOT_FOUND', `there is no decision ${id}`);
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
