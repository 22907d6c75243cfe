import { toHex } from './bytes.ts';
import type { Findings } from './report.ts';
import type { LedgerSource, VerifyCrypto } from './source.ts';

/** The fields of records that recordings are about; the grammar was checked. */
export interface RecordingRecord {
  readonly kind: string;
  readonly session: string;
  readonly chunk: number;
  readonly chunks: number;
  readonly bytes: number;
  readonly status: string;
  readonly for: number;
  readonly stored: StoredChunk;
  readonly decision: { readonly verdict: string };
  readonly outcome: { readonly status: string };
  /** Of a decision: how the session must be recorded. Of a session that was cut off: what there is of its recording. */
  readonly recording?: string | { readonly chunks: number; readonly bytes: number };
}

/** Where the sealed bytes of a chunk are, in the record or in a file, and what they must be. */
export interface StoredChunk {
  readonly bytes: number;
  readonly sealed?: string;
  readonly at?: number;
  readonly hash?: string;
}

interface Recording {
  chunks: number;
  /** End of the last chunk in the file. */
  end: number;
  closed: boolean;
}

/**
 * What the records say of recordings: chunks follow each other, an end counts them, and an operation that had to be recorded did not run before
 * anything was.
 */
export class Recordings {
  readonly #findings: Findings;
  readonly #sessions = new Map<string, Recording>();
  /** Index → session of decisions that want a recording and have no outcome. */
  readonly #required = new Map<number, string>();

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** Entries were removed: what was recorded before is not known. */
  gap(): void {
    this.#sessions.clear();
    this.#required.clear();
  }

  /** `open`: the session is open; undefined when that is not known. */
  take(record: RecordingRecord, index: number, open: boolean | undefined): void {
    switch (record.kind) {
      case 'recording.chunk':
        return this.#chunk(record, index, open);
      case 'recording.closed':
        return this.#closed(record, index, open);
      case 'operation.decided':
        if (record.recording === 'required' && record.decision.verdict === 'allow') this.#required.set(index, record.session);
        return;
      case 'operation.settled':
      case 'operation.indoubt':
        return this.#settled(record, index);
      case 'session.closed': {
        if (this.#sessions.get(record.session)?.closed === false)
          this.#incomplete(`the recording of session ${record.session} has no end`, index);
        this.#sessions.delete(record.session);
        return;
      }
      case 'session.lost':
        return this.#cutOff(record, index, open);
      default:
    }
  }

  #cutOff({ session, recording }: RecordingRecord, index: number, open: boolean | undefined): void {
    const known = this.#sessions.get(session);
    this.#sessions.delete(session);
    const said = typeof recording === 'object' ? recording : undefined;
    const running = known?.closed === false ? known : undefined;
    if ((known !== undefined || open !== undefined) && (said?.chunks !== running?.chunks || said?.bytes !== running?.end))
      return this.#findings.tampered(
        'recording',
        `the recording of session ${session}, which was cut off, has ${running?.chunks ?? 0} chunks here and ${said?.chunks ?? 0} by its record`,
        index,
      );
    if (said === undefined) return;
    this.#findings.holes.recordings += 1;
    const message = `the recording of session ${session} ends with chunk ${said.chunks}, where the writer died; the last it showed may not be in it`;
    this.#findings.add('note', 'recording', message, index);
  }

  #chunk({ session, chunk, stored }: RecordingRecord, index: number, open: boolean | undefined): void {
    const known = this.#sessions.get(session);
    if (open === false) this.#findings.tampered('recording', `a chunk of the recording of session ${session}, which is not open`, index);
    if (known?.closed === true)
      this.#findings.tampered('recording', `a chunk follows the end of the recording of session ${session}`, index);
    const before = known ?? { chunks: 0, end: 0 };
    const apart = stored.sealed === undefined;
    if ((stored.at !== undefined) !== apart || (stored.hash !== undefined) !== apart)
      this.#findings.tampered('recording', 'a chunk is either sealed in its record or in the file of its session', index);
    const at = stored.at ?? before.end;
    // What was removed may have held the chunks before.
    if ((known !== undefined || open !== undefined) && (chunk !== before.chunks + 1 || at !== before.end))
      this.#findings.tampered('recording', `chunk ${chunk} of session ${session} does not follow chunk ${before.chunks}`, index);
    this.#sessions.set(session, { chunks: chunk, end: at + (apart ? stored.bytes : 0), closed: false });
  }

  #closed({ session, chunks, bytes, status }: RecordingRecord, index: number, open: boolean | undefined): void {
    const known = this.#sessions.get(session);
    if (open === false) this.#findings.tampered('recording', `the end of the recording of session ${session}, which is not open`, index);
    if ((known !== undefined || open !== undefined) && (chunks !== (known?.chunks ?? 0) || bytes !== (known?.end ?? 0)))
      this.#findings.tampered(
        'recording',
        `the recording of session ${session} says that it has ${chunks} chunks, but ${known?.chunks ?? 0} are here`,
        index,
      );
    if (known?.closed === true) this.#findings.tampered('recording', `the recording of session ${session} ends twice`, index);
    if (status === 'failed') this.#incomplete(`the recording of session ${session} broke off`, index);
    this.#sessions.set(session, { chunks, end: bytes, closed: true });
  }

  #settled(record: RecordingRecord, index: number): void {
    const session = this.#required.get(record.for);
    this.#required.delete(record.for);
    if (session === undefined || record.kind === 'operation.indoubt' || (this.#sessions.get(session)?.chunks ?? 0) > 0) return;
    const { status } = record.outcome;
    if (status === 'refused' || status === 'cancelled') return;
    this.#findings.tampered('recording', `an operation of session ${session} had to be recorded, and ran when nothing was`, index);
  }

  #incomplete(message: string, index: number): void {
    this.#findings.holes.recordings += 1;
    this.#findings.add('hole', 'recording', message, index);
  }
}

/** Compares a chunk with the file of its session. */
export async function checkChunk(
  place: { readonly source: LedgerSource; readonly crypto: VerifyCrypto; readonly findings: Findings },
  { session, chunk, stored }: Pick<RecordingRecord, 'session' | 'chunk' | 'stored'>,
  index: number,
): Promise<void> {
  const { findings } = place;
  if (stored.at === undefined) return;
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(session))
    return findings.tampered('recording', 'a session id that cannot be the name of a file', index);
  const path = `recordings/${session.slice(-2)}/${session}.recording`;
  const bytes = await place.source.read(path, { offset: stored.at, length: stored.bytes });
  if (bytes === undefined) {
    findings.holes.missingChunks += 1;
    findings.add('hole', 'recording', `${path} is not here; it may have been removed`, index);
  } else if (bytes.length !== stored.bytes) findings.tampered('recording', `${path} ends before chunk ${chunk} does`, index);
  else if (toHex(place.crypto.sha256(bytes)) !== stored.hash)
    findings.tampered('recording', `chunk ${chunk} in ${path} was changed`, index);
  if (bytes !== undefined) place.source.release?.(bytes);
}
