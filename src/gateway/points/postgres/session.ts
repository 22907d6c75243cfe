import { inspectSql, type Inspection } from '#inspect';
import { asFault, Fault, limits } from '#model';
import type { Admission, LiveSession, PointContext, Refusal } from '../../point.ts';
import type { Catalogs } from './catalogs.ts';
import { hangUp, type Connection } from './connection.ts';
import { isEmpty, needsCopy } from './consequences.ts';
import { emptyQueryResponse, readyForQuery, terminate } from './encode.ts';
import { Exchange } from './exchange.ts';
import { Inbox, type Segment } from './inbox.ts';
import { toOperation, type Draft } from './operations.ts';
import { planBatch, planQuery, type Plan } from './plan.ts';
import { faultResponse, holdNotice, localErrorResponse, refusalOfFault, refusalResponse, type LocalError } from './respond.ts';
import { cancelTarget, type Target } from './upstream.ts';

export interface SessionParts {
  readonly context: PointContext;
  readonly live: LiveSession;
  readonly client: Connection;
  readonly target: Target;
  readonly catalogs: Catalogs;
}

/** After the client is gone, what still runs at the target gets this long to end before its outcome is recorded as in doubt. */
const drainMs = 5_000;

/**
 * One logged-in client and its target. Segments of the client's stream are taken one after the other: inspected, admitted as a whole,
 * released, and answered to the end before the next is looked at, because what one does may change what the next means.
 */
export class PostgresSession {
  /** Resolves when everything is closed and recorded. */
  readonly closed: Promise<void>;

  readonly #parts: SessionParts;
  readonly #exchange: Exchange;
  readonly #inbox = new Inbox();
  readonly #segments: Segment[] = [];
  readonly #closed = Promise.withResolvers<void>();
  #queuedBytes = 0;
  #working = false;
  #work: Promise<void> = Promise.resolve();
  #paused = false;
  #ending = false;
  #draining = false;
  /** After an error in the extended protocol everything up to the next Sync is dropped. */
  #skipping = false;
  #waiting: AbortController | undefined;
  #held = false;
  /** The operations at hand waited for an approval. */
  #wasHeld = false;
  #cancelling: Promise<void> | undefined;
  /** The recording of the segment at hand: begun when it comes, waited for before anything of it is sent on. */
  #recorded: Promise<void> | undefined;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.closed = this.#closed.promise;
    this.#exchange = new Exchange({
      ...parts,
      onBroken: (fault) => this.#cut(fault),
      onTargetGone: () => this.end('target-gone', new Fault('UPSTREAM_UNREACHABLE', 'the target closed the connection')),
    });
  }

  /** Reads the target's catalog before the client is told that it is ready. */
  async prepare(): Promise<void> {
    await this.#exchange.view.refresh('I');
  }

  /** Takes what the client sends from now on. */
  start(): void {
    const { client, live } = this.#parts;
    const ended = (): void => this.end('ended', asFault(live.ended.reason));
    if (live.ended.aborted) return ended();
    live.ended.addEventListener('abort', ended, { once: true });
    client.consume({ onBytes: () => this.#onClientBytes(), onGone: () => this.end('client-gone') });
  }

  /** Acts on the session's own cancel key: withdraws what is held, cancels what runs, and nothing else. */
  cancel(): void {
    if (this.#waiting) return this.#waiting.abort(new Fault('APPROVAL_WITHDRAWN', 'the statement was cancelled by its user'));
    const { owed } = this.#exchange;
    if (!owed || owed.kind === 'own' || owed.kind === 'poison' || this.#cancelling) return;
    this.#cancelRunning();
  }

  /** Ends the session once it is idle, at once when it is. */
  drain(): void {
    this.#draining = true;
    this.#waiting?.abort(stopping());
    if (!this.#working) this.end('shutdown', stopping());
  }

  /** Ends the session now. `fault` is shown to the client, if it is still there. Later calls do nothing. */
  end(reason: string, fault?: Fault): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#finish(reason, fault).then(this.#closed.resolve, (thrown: unknown) => {
      const { context, live } = this.#parts;
      context.log.error({ session: live.session.id, fault: asFault(thrown).message }, 'closing a session failed');
      this.#closed.resolve();
    });
  }

  #onClientBytes(): void {
    const { framer, socket } = this.#parts.client;
    if (this.#ending) {
      framer.takeRest();
      return;
    }
    try {
      while (framer.advance()) {
        const segment = this.#inbox.accept(framer.source.subarray(framer.start, framer.end));
        if (!segment) continue;
        this.#segments.push(segment);
        this.#queuedBytes += segment.bytes;
      }
    } catch (thrown) {
      return this.end('protocol', asFault(thrown));
    }
    if (this.#queuedBytes > limits.batchBytesMax) {
      // A paused socket would not tell that the client went away, and its request for approval would stay.
      if (this.#held)
        return this.end('protocol', new Fault('MESSAGE_TOO_LARGE', 'too much was sent while a statement waits for its approval'));
      this.#paused = true;
      socket.pause();
    }
    if (!this.#working) this.#work = this.#takeTurns();
  }

  async #takeTurns(): Promise<void> {
    this.#working = true;
    try {
      for (let segment = this.#segments.shift(); segment && !this.#ending; segment = this.#segments.shift()) {
        this.#queuedBytes -= segment.bytes;
        await this.#turn(segment);
        await this.#exchange.room();
        if (this.#paused && this.#queuedBytes < limits.batchBytesMax / 2) {
          this.#paused = false;
          this.#parts.client.socket.resume();
        }
        if (this.#draining) this.end('shutdown', stopping());
      }
    } catch (thrown) {
      this.#cut(asFault(thrown));
    } finally {
      this.#working = false;
    }
  }

  async #turn(segment: Segment): Promise<void> {
    const exchange = this.#exchange;
    if (segment.kind === 'terminate') return this.end('client-ended');
    this.#recorded = undefined;
    this.#record(segment);
    if (this.#skipping) {
      if (!('ends' in segment) || segment.ends !== 'sync') return;
      this.#skipping = false;
      return exchange.sync();
    }
    const ends = segment.kind === 'query' ? 'message' : segment.ends;
    const refusal = segment.kind === 'refused' ? refusalResponse(refusalOfFault(segment.fault)) : await this.#perform(segment, ends);
    if (!refusal || this.#ending) return;
    await exchange.refuse(refusal, ends);
    if (ends === 'flush') this.#skipping = true;
  }

  /** Inspects, admits and releases a segment. Gives the error to answer with when nothing of it was sent. */
  async #perform(segment: Extract<Segment, { kind: 'query' | 'batch' }>, ends: 'message' | 'sync' | 'flush'): Promise<Buffer | undefined> {
    const exchange = this.#exchange;
    // A cancel request on its way must not meet what comes next.
    await this.#cancelling;
    await exchange.refresh();
    if (this.#ending) return undefined;
    const plan = this.#plan(segment);
    if (plan instanceof Fault) return refusalResponse(refusalOfFault(plan));
    if ('sqlstate' in plan) return localErrorResponse(plan);
    if (segment.kind === 'query' && plan.drafts.every(({ inspection }) => isEmpty(inspection))) {
      exchange.show([emptyQueryResponse, readyForQuery(exchange.status)]);
      return undefined;
    }
    const admission = await this.#admit(plan);
    if (admission.kind === 'refused') return refusalResponse(admission.refusal);
    const { admitted } = admission;
    const unchanged = this.#wasHeld ? await this.#stillMeans(segment, plan) : plan;
    if (!unchanged) {
      exchange.settling.discard(admitted, 'refused');
      return refusalResponse(
        refusalOfFault(
          new Fault('APPROVAL_WITHDRAWN', 'the database changed while the statement was waiting, so that it means something else now'),
        ),
      );
    }
    if (plan.drafts.some(({ inspection }) => needsCopy(inspection.facts))) {
      exchange.settling.discard(admitted, 'refused');
      return refusalResponse(
        refusalOfFault(new Fault('PROTOCOL_UNSUPPORTED', 'COPY to or from the client is refused by Warder; use SELECT and INSERT')),
      );
    }
    if (admission.recording) exchange.recordWith(admission.recording);
    const unrecorded = await this.#recordedInput(segment);
    if (unrecorded) {
      exchange.settling.discard(admitted, 'refused');
      return refusalResponse(refusalOfFault(unrecorded));
    }
    await this.#cancelling;
    if (this.#ending) exchange.settling.discard(admitted, 'cancelled');
    else await exchange.release(admitted, unchanged, ends);
    if (exchange.failed) this.#skipping = true;
    return undefined;
  }

  /** Begins to record what the client sent, in a session that is recorded. */
  #record(segment: Segment): void {
    const { recording } = this.#exchange;
    if (!recording || this.#recorded || !('message' in segment || 'messages' in segment)) return;
    const messages = 'message' in segment ? [segment.message] : segment.messages;
    this.#recorded = recording.input(messages.map(({ bytes }) => bytes));
    // Whoever waits for it is told; a segment that is refused anyway does not.
    this.#recorded.catch(() => undefined);
  }

  /** INVARIANT: in a recorded session nothing is sent on before it is durable in the recording. Gives the fault that forbids it. */
  async #recordedInput(segment: Segment): Promise<Fault | undefined> {
    if (!this.#exchange.recording) return undefined;
    this.#record(segment);
    try {
      await this.#recorded;
      return undefined;
    } catch (thrown) {
      return asFault(thrown);
    }
  }

  /** After a hold the catalog may be another. Gives the plan made with it, unless the operations would mean something else now. */
  async #stillMeans(segment: Extract<Segment, { kind: 'query' | 'batch' }>, plan: Plan): Promise<Plan | undefined> {
    await this.#exchange.refresh();
    const now = this.#plan(segment);
    if (now instanceof Fault || 'sqlstate' in now) return undefined;
    return meaning(now) === meaning(plan) ? now : undefined;
  }

  #plan(segment: Extract<Segment, { kind: 'query' | 'batch' }>): Plan | LocalError | Fault {
    const { prepared, settling, view, trust } = this.#exchange;
    const { catalog, unsettled } = view;
    const inspect = (text: string, parameters: readonly (string | null)[]): Inspection =>
      inspectSql(text, { parameters, ...(catalog ? { catalog } : {}) });
    try {
      if (segment.kind === 'batch') return planBatch(segment.messages, { prepared, unsettled, trust, inspect });
      // SPEC: §54.2.3 — a simple Query destroys the unnamed statement and the unnamed portal.
      prepared.forget('');
      const run = prepared.close('');
      if (run) settling.settle(run);
      return planQuery(segment.message, inspect(segment.message.text, []), { unsettled, trust });
    } catch (thrown) {
      return asFault(thrown);
    }
  }

  async #admit({ drafts }: Plan): Promise<Admission> {
    if (drafts.length === 0) return { kind: 'released', admitted: [] };
    const { context, live } = this.#parts;
    const { view, settling } = this.#exchange;
    const operations = drafts.map((draft) => toOperation(draft, live.nextOperation(), view.namespace));
    const waiting = new AbortController();
    this.#waiting = waiting;
    this.#wasHeld = false;
    try {
      const admission = await context.pipeline.admit(live, operations, {
        signal: waiting.signal,
        onHold: (notice) => {
          this.#held = true;
          this.#wasHeld = true;
          this.#exchange.show([holdNotice(notice, { inTransaction: this.#exchange.status === 'T' })]);
        },
        onDelay: () => {
          this.#wasHeld = true;
        },
      });
      if (admission.kind === 'refused') return { kind: 'refused', refusal: withParserError(admission.refusal, drafts) };
      if (!waiting.signal.aborted) return admission;
      // Cancelled while its record was written: nothing was sent, and nothing will be.
      settling.discard(admission.admitted, 'cancelled');
      return { kind: 'refused', refusal: refusalOfFault(asFault(waiting.signal.reason)) };
    } finally {
      this.#waiting = undefined;
      this.#held = false;
    }
  }

  #cancelRunning(): void {
    const { live, target, context } = this.#parts;
    this.#cancelling = cancelTarget(live.config.upstream, target.key, context.world).finally(() => {
      this.#cancelling = undefined;
    });
  }

  /** The session cannot go on: nothing more of the target's answer leaves, and the outcome says so. */
  #cut(fault: Fault): void {
    if (this.#ending) return;
    const { context, live, target } = this.#parts;
    context.log.error({ session: live.session.id, fault: fault.code, reason: fault.message }, 'a session was cut');
    for (const run of this.#exchange.settling.current) if (run.state === 'waiting') run.state = 'cut';
    this.end('cut', fault);
    target.connection.socket.destroy();
    this.#exchange.abandon('58000');
  }

  async #finish(reason: string, fault: Fault | undefined): Promise<void> {
    const { client, target, live, context } = this.#parts;
    const exchange = this.#exchange;
    this.#waiting?.abort(new Fault('APPROVAL_WITHDRAWN', 'the client went away'));
    if (fault) exchange.show([faultResponse(fault, 'FATAL')]);
    exchange.silence();
    if (exchange.recording) await exchange.recording.finish();
    hangUp(client, context.world);
    if (!target.connection.gone && exchange.owed) {
      // Stopped, and waited for, so that the outcome is known.
      if (!this.#cancelling) this.#cancelRunning();
      const deadline = context.world.after(drainMs, () => target.connection.socket.destroy());
      await exchange.answered();
      deadline.cancel();
    }
    hangUp(target.connection, context.world, terminate);
    // What was being admitted is refused or admitted in vain; its record comes before the end of the session.
    await this.#work;
    await exchange.settling.close();
    await live.close({ reason, bytesUp: client.bytesIn, bytesDown: client.bytesOut });
  }
}

/** Most texts that are not understood are typing mistakes; PostgreSQL's own words help more than ours. The author knows the text. */
function withParserError(refusal: Refusal, drafts: readonly Draft[]): Refusal {
  const error = drafts.find(({ inspection }) => inspection.error)?.inspection.error;
  return error ? { ...refusal, hint: `PostgreSQL's parser says: ${error.message}` } : refusal;
}

function meaning({ drafts }: Plan): string {
  return JSON.stringify(drafts.map(({ text, inspection }) => [text, inspection.facts]));
}

function stopping(): Fault {
  return new Fault('SHUTTING_DOWN', 'Warder is stopping; connect again in a moment');
}
