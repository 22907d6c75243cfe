import { sql } from 'kysely';
import { z } from 'zod';
import { Fault, limits } from '#model';
import { readDecided } from '../evidence/recorded.ts';
import type { SessionView } from '../evidence/sessions.ts';
import type { Database } from '../store/database.ts';

/** The fields of a `recording.chunk` record that a reader needs. */
const chunk = z.object({
  i: z.number(),
  t: z.number(),
  mono: z.number(),
  chunk: z.number(),
  from: z.number(),
  to: z.number(),
  in: z.number(),
  out: z.number(),
  stored: z.object({ bytes: z.number() }),
});
const closed = z.object({ status: z.enum(['whole', 'failed']), reason: z.string().optional(), chunks: z.number() });

export type ChunkView = z.infer<typeof chunk>;

/** `none`: no rule asked for it. `open`: the session goes on. `failed`: it broke off. `cut`: its end is missing, as after a crash. */
export type RecordingStatus = 'none' | 'open' | 'whole' | 'failed' | 'cut';

export interface RecordingState {
  readonly status: RecordingStatus;
  /** Code of the fault with which it broke off. */
  readonly reason?: string;
  readonly chunks: number;
  /** Monotonic clock when the session was opened, microseconds: where the clock of the recording begins. */
  readonly start: number;
}

/** What became of a session's recording. */
export async function recordingState(db: Database, session: SessionView): Promise<RecordingState> {
  const { rows } = await sql<{ kind: string; line: string | null; count: number; last: number }>`
    select kind, max(line) filter (where kind <> 'recording.chunk') as line, count(*) as count, max(i) as last from record
    where origin = ${session.gateway} and session = ${session.id} and kind in ('session.opened', 'recording.chunk', 'recording.closed')
    group by kind`.execute(db);
  const of = (kind: string) => rows.find((row) => row.kind === kind);
  const start = monotonicOf(of('session.opened')?.line ?? undefined);
  const chunks = Number(of('recording.chunk')?.count ?? 0);
  const end = of('recording.closed')?.line ?? undefined;
  if (end !== undefined) {
    const { status, reason } = parse(closed, end);
    return { status, chunks, start, ...(reason === undefined ? {} : { reason }) };
  }
  if (chunks === 0) return { status: 'none', chunks, start };
  const gone = session.closed !== undefined || (await startedSince(db, session.gateway, Number(of('recording.chunk')?.last)));
  return { status: gone ? 'cut' : 'open', chunks, start };
}

/** Whether the gateway was started anew after an entry: sessions do not outlive it. */
async function startedSince(db: Database, origin: string, index: number): Promise<boolean> {
  const { rows } = await sql`
    select from record where origin = ${origin} and i > ${index} and kind = 'log.recovered' limit 1`.execute(db);
  return rows.length > 0;
}

/** The records of chunks after the entry `after`, until they hold about `limits.recordingReadBytesMax`; at least one when there is one. */
export async function chunksAfter(db: Database, session: SessionView, after: number): Promise<readonly ChunkView[]> {
  const { rows } = await sql<{ line: string }>`
    select line from record
    where origin = ${session.gateway} and session = ${session.id} and kind = 'recording.chunk' and i > ${after}
    order by i limit ${chunksPerPageMax}`.execute(db);
  const page: ChunkView[] = [];
  let bytes = 0;
  for (const { line } of rows) {
    const one = parse(chunk, line);
    bytes += one.stored.bytes;
    if (page.length > 0 && bytes > limits.recordingReadBytesMax) break;
    page.push(one);
  }
  return page;
}

const chunksPerPageMax = 500;

/** A decision, where it fell in the recording. */
export interface Mark {
  /** Microseconds since the session was opened. */
  readonly us: number;
  readonly n: number;
  readonly verb: string;
  readonly verdict: 'allow' | 'deny' | 'pending';
  readonly reason: string;
  readonly rules: readonly string[];
  readonly decision: string;
}

export async function marksOf(db: Database, session: SessionView, start: number): Promise<readonly Mark[]> {
  const { rows } = await sql<{ line: string }>`
    select line from record
    where origin = ${session.gateway} and session = ${session.id} and kind = 'operation.decided'
    order by i limit ${marksMax}`.execute(db);
  return rows.map(({ line }) => {
    const { n, what, decision } = readDecided(line);
    const { verdict, reason, rules, id } = decision;
    return { us: monotonicOf(line) - start, n, verb: what.verb, verdict, reason, rules, decision: id };
  });
}

const marksMax = 20_000;

function monotonicOf(line: string | undefined): number {
  return line === undefined ? 0 : parse(z.object({ mono: z.number().default(0) }), line).mono;
}

function parse<Shape extends z.ZodType>(shape: Shape, line: string): z.infer<Shape> {
  const result = shape.safeParse(JSON.parse(line));
  if (result.success) return result.data;
  throw new Fault('INTERNAL', `a record of a recording has an unexpected form: ${result.error.issues[0]?.path.join('.') ?? ''}`);
}
