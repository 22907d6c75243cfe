import { type Ledger, pieceHeader, pieceHeaderBytes } from '#ledger';
import { asFault, Fault, limits, type Decision, type RecordingLevel, type Timer, type World } from '#model';
import type { Log } from './log.ts';
import type { LiveSession, Outlet, SessionRecording } from './point.ts';

interface Parts {
  readonly world: World;
  readonly log: Log;
  readonly ledger: Pick<Ledger, 'append' | 'keepChunk'>;
  /** Ends a live session now. */
  readonly terminate: (session: string, fault: Fault) => void;
}

/** The recordings of this gateway's live sessions. A session is recorded from the first operation on for which a rule wants it, to its end. */
export class Recordings {
  readonly #parts: Parts;
  readonly #live = new WeakMap<LiveSession, Tape>();
  readonly #held: Held = { bytes: 0 };

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * The recording of a session, begun or made stricter. A fault when it is required and broke off before: what was promised cannot be kept any more
   * in this session.
   */
  begin(live: LiveSession, level: RecordingLevel): SessionRecording | Fault {
    const tape = this.#live.get(live) ?? new Tape(this.#parts, live.session.id, this.#held);
    this.#live.set(live, tape);
    return tape.require(level) ?? tape;
  }
}

/** Whether a rule wants the session recorded. */
export function wantedRecording({ obligations }: Pick<Decision, 'obligations'>): RecordingLevel | undefined {
  for (const one of obligations) if (one.type === 'record' && one.recording !== 'off') return one.recording;
  return undefined;
}

/** What becomes of a batch for which rules want a recording: the recording, none, or the first operation that cannot be released without one. */
export function recordingFor<One extends { readonly decision: Decision }>(
  recordings: Recordings | undefined,
  live: LiveSession,
  judged: readonly One[],
): { readonly recording?: SessionRecording } | { readonly unrecordable: One; readonly fault: Fault } {
  let wanted: One | undefined;
  for (const one of judged) {
    const level = wantedRecording(one.decision);
    if (level !== undefined && (wanted === undefined || level === 'required')) wanted = one;
  }
  if (wanted === undefined) return none;
  const level = wantedRecording(wanted.decision) ?? 'best_effort';
  const recording = recordings?.begin(live, level) ?? new Fault('RECORDING_FAILED', 'this gateway records no sessions');
  if (!(recording instanceof Fault)) return { recording };
  return level === 'required' ? { unrecordable: wanted, fault: recording } : none;
}

const none = {};

interface Chunk {
  /** Its content so far, in memory of its own that the ledger takes over: the only copy that is made of what went by. */
  memory: Buffer;
  /** Bytes used of it, with the headers of its pieces. */
  bytes: number;
  in: number;
  out: number;
  from: number;
  to: number;
  /** Bytes of it that the client was shown before it was durable, and since when. */
  ahead: number;
  aheadSince: number;
  durable: boolean;
  /** Resolves when it is durable or never will be. */
  saved: Promise<void> | undefined;
}

/** Output that waits until it may be shown. */
interface Waiting {
  readonly bytes: Uint8Array;
  readonly chunk: Chunk;
}

/** All output of this gateway that waits for its recording. */
interface Held {
  bytes: number;
}

/**
 * One session's recording while it is made.
 *
 * INVARIANT: input is durable before `input` resolves; output that is not durable is shown at most `limits.recordingAheadBytesMax` and
 * `limits.recordingAheadMs` ahead, and what waits is bounded, because its source is stopped meanwhile.
 */
class Tape implements SessionRecording {
  readonly #parts: Parts;
  readonly #session: string;
  #level: RecordingLevel = 'best_effort';
  #outlet: Outlet | undefined;
  #current: Chunk = emptyChunk();
  /** Chunks handed to the ledger, or being filled, and not durable yet; in order. */
  readonly #unsaved = new Set<Chunk>();
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  readonly #held: Held;
  #ahead = 0;
  #paused = false;
  #chunks = 0;
  #kept = 0;
  #flushing: Timer | undefined;
  #broken: Fault | undefined;
  /** It broke off before anything was recorded or had run: it may be tried again. */
  #retriable = false;
  #finished: Promise<void> | undefined;

  constructor(parts: Parts, session: string, held: Held) {
    this.#parts = parts;
    this.#session = session;
    this.#held = held;
  }

  require(level: RecordingLevel): Fault | undefined {
    if (level === 'required') this.#level = level;
    if (level === 'best_effort' || this.#broken === undefined) return undefined;
    if (this.#retriable) {
      this.#broken = undefined;
      this.#chunks = 0;
      return undefined;
    }
    return failure(this.#broken);
  }

  connect(outlet: Outlet): void {
    this.#outlet = outlet;
  }

  async input(pieces: readonly Uint8Array[]): Promise<void> {
    if (this.#finished !== undefined) throw new Fault('RECORDING_FAILED', 'the session is ending, so nothing more of it is recorded');
    if (this.#broken !== undefined) {
      // Where nothing had to be recorded yet, who does not ask for it is not bound by who did in vain.
      if (this.#level === 'required' && !this.#retriable) throw failure(this.#broken);
      return;
    }
    for (const piece of pieces) {
      for (let from = 0; from < piece.length; from += limits.recordingChunkBytesClosed) {
        this.#add('in', piece.subarray(from, from + limits.recordingChunkBytesClosed));
        // Bounds the memory that one large statement takes.
        const [oldest] = this.#unsaved;
        if (this.#unsaved.size >= limits.recordingInputChunksMax) await oldest?.saved;
      }
    }
    this.#flush();
    await this.#allSaved();
    if (this.#broken !== undefined && this.#level === 'required') throw failure(this.#broken);
  }

  output(pieces: readonly Uint8Array[]): void {
    if (this.#broken !== undefined || this.#finished !== undefined) return this.#outlet?.write(pieces);
    for (const piece of pieces) {
      this.#waiting.push(...this.#add('out', piece));
      this.#wait(piece.length);
    }
    if (this.#current.bytes > 0) this.#flushing ??= this.#parts.world.after(limits.recordingFlushMs, () => this.#flush());
    this.#show();
  }

  finish(): Promise<void> {
    this.#finished ??= this.#finish();
    return this.#finished;
  }

  async #finish(): Promise<void> {
    this.#flush();
    await this.#allSaved();
    const failed = this.#broken === undefined ? {} : { reason: this.#broken.code };
    try {
      await this.#parts.ledger.append({
        kind: 'recording.closed',
        session: this.#session,
        status: this.#broken === undefined ? 'whole' : 'failed',
        ...failed,
      });
    } catch (thrown) {
      // The verifier names a recording without end. The ledger ends the process itself.
      this.#parts.log.error({ session: this.#session, fault: asFault(thrown).code }, 'the end of a recording could not be recorded');
    }
  }

  /** Resolves when what was handed to the ledger is durable, or never will be. */
  async #allSaved(): Promise<void> {
    for (const { saved } of [...this.#unsaved]) await saved;
  }

  /** Puts bytes into chunks; what is full goes to the ledger. Gives the same bytes with the chunks that they are in. */
  #add(direction: 'in' | 'out', bytes: Uint8Array): Waiting[] {
    const at = this.#now();
    const taken: Waiting[] = [];
    for (let from = 0; from < bytes.length; ) {
      if (this.#current.bytes + pieceHeaderBytes >= limits.recordingChunkBytesClosed) this.#flush();
      const chunk = this.#current;
      const end = Math.min(bytes.length, from + limits.recordingChunkBytesClosed - chunk.bytes - pieceHeaderBytes);
      const piece = bytes.subarray(from, end);
      if (chunk.bytes === 0) chunk.from = at;
      chunk.to = at;
      addPiece(chunk, pieceHeader(direction, at, piece.length), piece);
      chunk[direction] += piece.length;
      this.#unsaved.add(chunk);
      taken.push({ bytes: piece, chunk });
      from = end;
    }
    return taken;
  }

  /** Hands the chunk at hand to the ledger. */
  #flush(): void {
    this.#flushing?.cancel();
    this.#flushing = undefined;
    const chunk = this.#current;
    if (chunk.bytes === 0) return;
    this.#current = emptyChunk();
    this.#chunks += 1;
    const draft = {
      kind: 'recording.chunk',
      session: this.#session,
      chunk: this.#chunks,
      from: chunk.from,
      to: chunk.to,
      in: chunk.in,
      out: chunk.out,
    } as const;
    if (this.#broken !== undefined) {
      this.#unsaved.delete(chunk);
      return;
    }
    chunk.saved = this.#parts.ledger.keepChunk(draft, chunk.memory.subarray(0, chunk.bytes)).then(
      () => this.#durable(chunk),
      (thrown: unknown) => this.#break(asFault(thrown)),
    );
  }

  #durable(chunk: Chunk): void {
    this.#kept += 1;
    chunk.durable = true;
    chunk.memory = nothing;
    this.#unsaved.delete(chunk);
    this.#ahead -= chunk.ahead;
    if (this.#broken === undefined) this.#show();
  }

  /** Shows what may be shown, and stops or starts the source. */
  #show(): void {
    const now = this.#now();
    const ready: Uint8Array[] = [];
    for (let next = this.#waiting[0]; next !== undefined && this.#mayShow(next, now); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#wait(-next.bytes.length);
      ready.push(next.bytes);
      if (next.chunk.durable) continue;
      if (next.chunk.ahead === 0) next.chunk.aheadSince = now;
      next.chunk.ahead += next.bytes.length;
      this.#ahead += next.bytes.length;
    }
    if (ready.length > 0) this.#outlet?.write(ready);
    // Where many sessions wait, each may have little.
    const room = this.#held.bytes > limits.recordingHeldBytesTotalMax ? limits.recordingAheadBytesMax : limits.recordingHeldBytesMax;
    this.#setPaused(this.#waitingBytes > (this.#paused ? room / 2 : room));
  }

  #wait(bytes: number): void {
    this.#waitingBytes += bytes;
    this.#held.bytes += bytes;
  }

  #mayShow({ bytes, chunk }: Waiting, now: number): boolean {
    if (chunk.durable) return true;
    if (this.#ahead + bytes.length > limits.recordingAheadBytesMax) return false;
    for (const one of this.#unsaved) if (one.ahead > 0) return now - one.aheadSince <= limits.recordingAheadMs * 1_000;
    return true;
  }

  #setPaused(paused: boolean): void {
    if (paused === this.#paused) return;
    this.#paused = paused;
    if (paused) this.#outlet?.pause();
    else this.#outlet?.resume();
  }

  /** Nothing more can be recorded. */
  #break(fault: Fault): void {
    if (this.#broken !== undefined) return;
    this.#broken = fault;
    this.#retriable = this.#level === 'required' && this.#kept === 0 && fault.code === 'LEDGER_FULL';
    this.#flushing?.cancel();
    this.#flushing = undefined;
    const { log, terminate } = this.#parts;
    log.error({ session: this.#session, fault: fault.code, level: this.#level }, 'the recording of a session broke off');
    const waiting = this.#waiting.splice(0);
    this.#wait(-this.#waitingBytes);
    this.#unsaved.clear();
    this.#current = emptyChunk();
    this.#ahead = 0;
    if (this.#level === 'best_effort') {
      this.#outlet?.write(waiting.map(({ bytes }) => bytes));
      return this.#setPaused(false);
    }
    // Before the first chunk nothing has run; the operation that waits for it is refused, and the session may go on.
    if (this.#kept > 0) terminate(this.#session, failure(fault));
    else this.#setPaused(false);
  }

  #now(): number {
    return Number(this.#parts.world.monotonicNs() / 1_000n);
  }
}

function failure(cause: Fault): Fault {
  return new Fault('RECORDING_FAILED', `this session must be recorded, and its recording broke off (${cause.code})`, { cause });
}

const nothing = Buffer.alloc(0);

function addPiece(chunk: Chunk, header: Uint8Array, bytes: Uint8Array): void {
  const wanted = chunk.bytes + header.length + bytes.length;
  if (wanted > chunk.memory.length) {
    // Never of the shared pool: it goes to another thread. Most chunks are a line or full.
    const size = wanted <= firstChunkBytes ? firstChunkBytes : limits.recordingChunkBytesClosed;
    const grown = Buffer.allocUnsafeSlow(Math.max(size, wanted));
    chunk.memory.copy(grown, 0, 0, chunk.bytes);
    chunk.memory = grown;
  }
  chunk.memory.set(header, chunk.bytes);
  chunk.memory.set(bytes, chunk.bytes + header.length);
  chunk.bytes = wanted;
}

const firstChunkBytes = 2 * 1024;

function emptyChunk(): Chunk {
  return { memory: nothing, bytes: 0, in: 0, out: 0, from: 0, to: 0, ahead: 0, aheadSince: 0, durable: false, saved: undefined };
}
