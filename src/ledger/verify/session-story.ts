import type { Severity } from './report.ts';

type Told = (severity: Severity, message: string, index?: number) => void;

/** The fields of records of one session; the grammar was checked. */
interface Entry {
  readonly kind?: unknown;
  readonly session?: unknown;
  readonly n?: unknown;
  readonly chunk?: unknown;
  readonly chunks?: unknown;
  readonly operations?: unknown;
  readonly for?: unknown;
  readonly status?: unknown;
  readonly ahead?: unknown;
  readonly decision?: unknown;
}

/** Whether the records of one session, taken out of their log, are all there: it begins, its operations and chunks follow each other, and it ends. */
export class SessionStory {
  readonly #session: string;
  readonly #tell: Told;
  #opened = false;
  #closed = false;
  /** Cut off by a crash, as a record says. */
  #lost = false;
  #recordingClosed = false;
  /** Number of the last operation that was allowed or denied. */
  operations = 0;
  chunks = 0;
  readonly #unsettled = new Set<number>();
  readonly #decided = new Set<number>();

  constructor(session: string, tell: Told) {
    this.#session = session;
    this.#tell = tell;
  }

  /** Records of the gateway, in the order of their log. */
  take(record: Entry, index: number): void {
    if (record.session !== this.#session) return this.#tell('tampered', `a record of session ${String(record.session)}`, index);
    if (!this.#opened && record.kind !== 'session.opened') this.#tell('hole', 'the record with which the session began is not here', index);
    this.#opened = true;
    switch (record.kind) {
      case 'operation.decided':
        return this.#take(record, index);
      case 'operation.settled':
      case 'operation.indoubt':
        if (!this.#decided.has(Number(record.for))) this.#tell('hole', 'the decision that this outcome belongs to is not here', index);
        this.#unsettled.delete(Number(record.for));
        return;
      case 'recording.chunk':
        this.chunks += 1;
        if (record.chunk !== this.chunks) this.#tell('hole', `chunk ${this.chunks} of the recording is not here`, index);
        this.chunks = Number(record.chunk);
        return;
      case 'recording.closed':
        this.#recordingClosed = true;
        if (record.chunks !== this.chunks)
          this.#tell('hole', `the recording has ${String(record.chunks)} chunks, ${this.chunks} are here`, index);
        if (record.status === 'failed') this.#tell('hole', 'the recording broke off', index);
        return;
      case 'session.lost':
        this.#lost = true;
        if (record.ahead !== undefined)
          this.#tell('hole', 'the session was cut off, and the last of its operations may have run without a record', index);
        else this.#tell('note', 'the session was cut off when its gateway died', index);
        return this.#end(record, index);
      case 'session.closed':
        return this.#end(record, index);
      default:
    }
  }

  #end(record: Entry, index: number): void {
    this.#closed = true;
    if (record.operations !== this.operations)
      this.#tell('hole', `the session had ${String(record.operations)} operations, ${this.operations} are here`, index);
  }

  end(): void {
    if (!this.#opened) this.#tell('hole', 'no record of the session is here');
    if (this.#opened && !this.#closed) this.#tell('hole', 'the session was open when this was taken, or was cut off');
    if (this.chunks > 0 && this.#closed && !this.#recordingClosed)
      this.#tell(this.#lost ? 'note' : 'hole', `the recording ${this.#lost ? 'was cut off with the session' : 'has no end'}`);
    for (const index of this.#unsettled) this.#tell(this.#closed ? 'hole' : 'note', 'the operation has no outcome', index);
  }

  #take(record: Entry, index: number): void {
    this.#decided.add(index);
    // Reason: the grammar of a decision was checked with the proof.
    const { verdict } = record.decision as { verdict: string };
    if (verdict === 'allow') this.#unsettled.add(index);
    if (verdict === 'pending') return;
    const n = Number(record.n);
    if (n !== this.operations + 1) this.#tell('hole', `operation ${this.operations + 1} of the session is not here`, index);
    this.operations = n;
  }
}
