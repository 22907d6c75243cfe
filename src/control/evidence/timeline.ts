import { sql } from 'kysely';
import type { ControlCalls, Subject, Verdict } from '#model';
import { limits } from '#model';
import type { Log } from '../log.ts';
import type { Database } from '../store/database.ts';
import type { Administration, AllowedReading } from '../recordings/administration.ts';
import { shownText } from '../recordings/shown-text.ts';
import { inDoubt, readDecided, readSettled } from './recorded.ts';
import type { RecordedDecision, RecordedOutcome } from './recorded.ts';
import type { SessionView } from './sessions.ts';

export interface TimelineOperation {
  readonly n: number;
  readonly t: number;
  readonly operation: string;
  readonly verb: string;
  readonly objects: string[];
  readonly normalized: string;
  readonly text?: string;
  readonly parameters?: (string | null)[];
  /** `withheld`: this reader may not see it. `unavailable`: the gateway is away, or the evidence is gone. */
  readonly evidence: 'shown' | 'withheld' | 'unavailable';
  readonly verdict: Verdict;
  readonly reason: string;
  readonly rules: string[];
  readonly decision: string;
  readonly record: string;
  readonly outcome?: RecordedOutcome;
  readonly approval?: { request: string; status: string; by: string[]; comment?: string };
}

interface Parts {
  readonly db: Database;
  readonly administration: Pick<Administration, 'mayRead'>;
  readonly log: Log;
  /** Opens sealed evidence at the gateway that recorded it. */
  readonly openEvidence: (
    origin: string,
    params: ControlCalls['evidence.open']['params'],
  ) => Promise<ControlCalls['evidence.open']['result']>;
}

/**
 * Operations of a session in order, after the n-th. The policies decide whether the exact texts are shown to this reader, and what of them; the decision is
 * recorded before they are unsealed.
 */
export async function sessionTimeline(
  { db, administration, log, openEvidence }: Parts,
  { session, viewer, after, limit }: { session: SessionView; viewer: Subject; after: number; limit: number },
): Promise<readonly TimelineOperation[]> {
  const operations = await operationsOf(db, { session, after, limit });
  const approvals = await approvalsOf(
    db,
    operations.map((one) => one.decided.operation),
  );
  let texts: ReadonlyMap<number, Evidence> = new Map();
  const reading = operations.length === 0 ? undefined : await administration.mayRead(viewer, session, 'evidence.read');
  if (reading !== undefined) {
    await reading.record({ operations: operations.length });
    const indexes = operations.map((one) => one.decided.i);
    try {
      const opened = await openEvidence(session.gateway, { session: session.id, indexes });
      texts = new Map(opened.texts.map((one) => [one.index, one]));
    } catch (error) {
      log.warn({ session: session.id, error: error instanceof Error ? error.message : String(error) }, 'evidence could not be opened');
    }
  }
  return operations.map(({ decided, outcome }) => {
    const { evidence, shown } = readingOf(reading, texts.get(decided.i));
    const approval = approvals.get(decided.operation);
    return {
      n: decided.n,
      t: decided.t,
      operation: decided.operation,
      verb: decided.what.verb,
      objects: decided.what.objects,
      normalized: decided.what.normalized,
      ...(shown === undefined ? {} : { text: shown.text, parameters: [...shown.parameters] }),
      evidence,
      verdict: decided.decision.verdict,
      reason: decided.decision.reason,
      rules: decided.decision.rules,
      decision: decided.decision.id,
      record: `${session.gateway}#${decided.i}`,
      ...(outcome === undefined ? {} : { outcome }),
      ...(approval === undefined ? {} : { approval }),
    };
  });
}

/** What a reader is shown of one text. */
function readingOf(
  reading: AllowedReading | undefined,
  opened: Evidence | undefined,
): { readonly evidence: TimelineOperation['evidence']; readonly shown?: Pick<Evidence, 'text' | 'parameters'> } {
  if (reading === undefined) return { evidence: 'withheld' };
  if (opened === undefined) return { evidence: 'unavailable' };
  const shown = shownText(opened, reading.obligations);
  return shown === undefined ? { evidence: 'withheld' } : { evidence: 'shown', shown };
}

type Evidence = ControlCalls['evidence.open']['result']['texts'][number];

interface OperationRecords {
  readonly decided: RecordedDecision;
  readonly outcome?: RecordedOutcome;
}

/** The newest decision of each operation with its outcome: a held operation is decided once as pending and once more at its end. */
async function operationsOf(
  db: Database,
  { session, after, limit }: { session: SessionView; after: number; limit: number },
): Promise<readonly OperationRecords[]> {
  const { rows } = await sql<{ n: number; line: string; kind: string | null; outcome: string | null }>`
    select page.n, page.line, ended.kind, ended.line as outcome
    from (
      select distinct on (n) n, line from record
      where origin = ${session.gateway} and session = ${session.id} and kind = 'operation.decided' and n > ${after}
      order by n, i desc limit ${Math.min(limit, limits.apiPageItemsMax)}
    ) page
    left join lateral (
      select kind, line from record
      where origin = ${session.gateway} and session = ${session.id} and n = page.n and kind in ('operation.settled', 'operation.indoubt')
      order by i desc limit 1
    ) ended on true
    order by page.n`.execute(db);
  return rows.map((row) => ({
    decided: readDecided(row.line),
    ...(row.outcome === null ? {} : { outcome: row.kind === 'operation.indoubt' ? inDoubt : readSettled(row.outcome) }),
  }));
}

async function approvalsOf(
  db: Database,
  operations: readonly string[],
): Promise<ReadonlyMap<string, NonNullable<TimelineOperation['approval']>>> {
  if (operations.length === 0) return new Map();
  const rows = await db
    .selectFrom('approval_request')
    .select(['id', 'operation', 'status', 'ended_by', 'comment'])
    .where('operation', 'in', operations)
    .execute();
  return new Map(
    rows.map((row) => [
      row.operation,
      { request: row.id, status: row.status, by: row.ended_by ?? [], ...(row.comment === null ? {} : { comment: row.comment }) },
    ]),
  );
}
