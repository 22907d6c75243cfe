import type { SessionAnswer } from '../answers.ts';
import type { Connection } from '../connection.ts';
import { Fault } from '#model';

/** Bytes of a session, `us` microseconds after it was opened. */
export interface RecordedPiece {
  readonly direction: 'in' | 'out';
  readonly us: number;
  readonly bytes: Buffer;
}

/** A decision, where it fell in the recording. */
export interface RecordedMark {
  readonly us: number;
  readonly n: number;
  readonly verb: string;
  readonly verdict: 'allow' | 'deny' | 'pending';
  readonly reason: string;
  readonly decision: string;
}

export interface Recording {
  readonly session: SessionAnswer;
  readonly status: 'open' | 'whole' | 'failed' | 'cut';
  /** Code of the fault with which it broke off. */
  readonly reason?: string;
  readonly marks: readonly RecordedMark[];
  /** In order; fetched while they are taken. */
  readonly pieces: AsyncIterable<RecordedPiece>;
}

interface Page {
  readonly session: SessionAnswer;
  readonly status: Recording['status'] | 'none';
  readonly reason?: string;
  readonly marks?: readonly RecordedMark[];
  readonly items: readonly {
    readonly pieces: readonly { readonly direction: 'in' | 'out'; readonly us: number; readonly data: string }[];
  }[];
  readonly next?: string;
}

/** The recording of a session. NOT_FOUND when there is none; DENIED when the policies do not let this reader see it. */
export async function openRecording(connection: Connection, id: string): Promise<Recording> {
  const path = `/sessions/${encodeURIComponent(id)}/recording`;
  const first = await connection.call<Page>({ path });
  const { session, status, reason, marks = [] } = first;
  if (status === 'none') {
    throw new Fault('NOT_FOUND', `session ${id} was not recorded: no rule asked for it; \`warder replay ${id}\` shows its operations`);
  }
  return { session, status, marks, ...(reason === undefined ? {} : { reason }), pieces: piecesFrom(connection, path, first) };
}

async function* piecesFrom(connection: Connection, path: string, first: Page): AsyncGenerator<RecordedPiece> {
  for (let page = first; ; page = await connection.call<Page>({ path: `${path}?after=${encodeURIComponent(page.next ?? '')}` })) {
    for (const { pieces } of page.items)
      for (const { direction, us, data } of pieces) yield { direction, us, bytes: Buffer.from(data, 'base64') };
    if (page.next === undefined) return;
  }
}
