import { decodePieces } from '#ledger';
import { Fault } from '#model';
import type { ControlCalls, Subject } from '#model';
import type { SessionView } from '../evidence/sessions.ts';
import type { Database } from '../store/database.ts';
import type { Administration } from './administration.ts';
import { chunksAfter, type Mark, marksOf, recordingState, type RecordingStatus } from './recorded-session.ts';

interface Parts {
  readonly db: Database;
  readonly administration: Administration;
  /** Opens what entries of a gateway's ledger committed to, at the gateway that recorded it. */
  readonly disclose: (
    origin: string,
    params: ControlCalls['evidence.disclose']['params'],
  ) => Promise<ControlCalls['evidence.disclose']['result']>;
}

export interface RecordingPage {
  readonly session: SessionView;
  readonly status: RecordingStatus;
  readonly reason?: string;
  readonly chunks: number;
  /** On the first page. */
  readonly marks?: readonly Mark[];
  readonly items: readonly {
    readonly chunk: number;
    /** Position of its record, `origin#index`. */
    readonly record: string;
    readonly pieces: readonly { readonly direction: 'in' | 'out'; readonly us: number; readonly data: string }[];
  }[];
  readonly next?: string;
}

/** A part of a recording, after the chunk that the entry `after` is about; from the beginning when undefined. Decided by the policies and recorded before anything of it is opened. */
export async function readRecording(
  { db, administration, disclose }: Parts,
  { session, viewer, after }: { session: SessionView; viewer: Subject; after: number | undefined },
): Promise<RecordingPage> {
  const reading = await administration.decideReading(viewer, session, 'recording.read');
  const { start, ...state } = await recordingState(db, session);
  const chunks = await chunksAfter(db, session, after ?? -1);
  await reading.record({ operations: 0, chunks: chunks.length });
  const { items } =
    chunks.length === 0 ? { items: [] } : await disclose(session.gateway, { session: session.id, indexes: chunks.map(({ i }) => i) });
  const contents = new Map(items.map(({ index, content }) => [index, content]));
  if (items.length < chunks.length) throw new Fault('NOT_FOUND', `the recording of session ${session.id} was erased, or its file removed`);
  const last = chunks.at(-1);
  return {
    session,
    ...state,
    ...(after === undefined ? { marks: await marksOf(db, session, start) } : {}),
    items: chunks.map(({ chunk, i }) => ({
      chunk,
      record: `${session.gateway}#${i}`,
      pieces: decodePieces(Buffer.from(contents.get(i) ?? '', 'base64')).map(({ direction, at, bytes }) => ({
        direction,
        us: at - start,
        data: Buffer.from(bytes).toString('base64'),
      })),
    })),
    ...(last === undefined || last.chunk >= state.chunks ? {} : { next: String(last.i) }),
  };
}
