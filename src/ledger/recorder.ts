import {
  type OperationDecided,
  type OperationSettled,
  Fault,
  limits,
  type Receipt,
  type RecordDraft,
  type RecordingChunk,
  type Timer,
  unsent,
  type World,
} from '#model';
import { Ahead, aheadWindow } from './ahead.ts';
import type { Ledger, Recovery } from './contract.ts';
import type { Answer, Appended, Order } from './desk.ts';
import type { PlainFault } from './disk.ts';
import { draftText, type Stamp } from './entry.ts';
import type { Evidence } from './evidence.ts';
import type { Disclosed } from './log.ts';
import { makePermit, type Permit } from './permit.ts';
import { Pulse } from './pulse.ts';
import { type EvidenceLevel, Reach, type RemoteLevel } from './reach.ts';
import type { PruneOrder } from './upkeep.ts';

/** The way to the writer: a thread, or the same thread. */
export interface Transport {
  send(order: Order): void;
  /** Ends the writer after its last answer. */
  end(): Promise<void>;
}

interface Waiting {
  readonly id: number;
  readonly text: string;
  /** The bytes of a chunk of a recording. */
  readonly content?: Uint8Array;
  readonly stamp: Stamp;
  /** Monotonic µs after which the caller is refused; undefined for what must be recorded however long it takes. */
  readonly deadline: number | undefined;
  readonly done: (result: Receipt | Fault) => void;
  /** Called instead when the record became durable after the caller had been refused. */
  readonly late?: (receipt: Receipt) => void;
  /** Nobody waits for it: it may share the write of the next record that somebody waits for. */
  readonly unhurried?: boolean;
  /** May use the reserve of a full disk, whatever it is. */
  readonly urgent?: boolean;
  /** A chunk of recorded output, and of which session: nobody is refused when it waits, so it lets others go first. */
  readonly patient?: string;
  /** Of which session it is a chunk; these keep their order. */
  readonly chunkOf?: string;
  /** Bytes that it takes in the queue. Kept, because the memory of `content` goes to the writer. */
  readonly size: number;
  refused: boolean;
}

/**
 * The ledger as its callers see it: bounds the queue, gives up waiting in time, makes permits, and keeps the writer's pulse.
 * Everything that touches the disk happens at the other end of the transport.
 */
export class Recorder implements Ledger {
  readonly origin: string;
  readonly vkey: string;
  readonly recovery: Recovery;
  readonly reach: Reach;
  checkpoint: string | undefined;
  readonly #world: World;
  readonly #transport: Transport;
  readonly #onFatal: (fault: Fault) => void;
  /** Why nothing may be recorded now, except for what says how something ended. */
  readonly #refusal: (() => Fault | undefined) | undefined;
  readonly #pulse: Pulse;
  readonly #listeners = new Set<(size: number) => void>();
  readonly #signedListeners = new Set<(note: string) => void>();
  readonly #questions = new Map<number, { resolve: (value: never) => void; reject: (fault: Fault) => void }>();
  /** Handed to the writer, not answered yet; in order. */
  readonly #flying = new Map<number, Waiting>();
  /** Waiting for room in the writer's queue, in order. */
  #waiting: Waiting[] = [];
  /** To be sent at the end of this turn of the event loop. */
  #outgoing: Waiting[] = [];
  #flyingBytes = 0;
  /** Those of recorded output. */
  #patientBytes = 0;
  #nextId = 1;
  #size: number;
  #failed: Fault | undefined;
  #sweep: Timer | undefined;
  #closing: Promise<void> | undefined;
  #drained: (() => void) | undefined;
  readonly #outcomeLingerMs: number;
  #linger: Timer | undefined;
  #flushing = false;
  readonly #ahead: Ahead;
  /** The disk was full at the last word of the writer. */
  #full = false;

  constructor(
    setting: { origin: string; world: World; inline?: boolean; onFatal: (fault: Fault) => void; refusal?: () => Fault | undefined },
    transport: Transport,
    opened: Extract<Answer, { kind: 'opened' }>,
  ) {
    this.origin = setting.origin;
    this.vkey = opened.vkey;
    this.recovery = opened.recovery;
    this.#size = opened.size;
    this.checkpoint = opened.checkpoint;
    this.reach = new Reach(setting.world);
    this.#ahead = new Ahead(setting.world);
    this.#world = setting.world;
    this.#onFatal = setting.onFatal;
    this.#refusal = setting.refusal;
    this.#transport = transport;
    this.#outcomeLingerMs = setting.inline === true ? 0 : limits.ledgerOutcomeLingerMs;
    this.#pulse = new Pulse(setting.world, {
      tick: () => transport.send({ kind: 'tick' }),
      record: (draft) => this.#enqueue(JSON.stringify(draft), { deadline: undefined, done: () => undefined }),
    });
  }

  get size(): number {
    return this.#size;
  }

  append(draft: RecordDraft): Promise<Receipt> {
    return this.#append(draft);
  }

  keepChunk(draft: RecordingChunk, content: Uint8Array): Promise<Receipt> {
    return this.#append(draft, { content, chunkOf: draft.session, ...(draft.in === 0 ? { patient: draft.session } : {}) });
  }

  async decide(draft: OperationDecided, { level = 'local' }: { readonly level?: EvidenceLevel } = {}): Promise<Permit> {
    if (draft.decision.verdict !== 'allow')
      throw new Fault('INTERNAL', `a permit was asked for operation ${draft.operation}, whose verdict is ${draft.decision.verdict}`);
    if (level === 'buffered') return this.#decideAhead({ ...draft, ahead: aheadWindow });
    const remote = level === 'mirrored' || level === 'witnessed' ? level : undefined;
    if (remote !== undefined) this.reach.check(remote);
    const receipt = await this.#append(draft, { late: (late) => this.#settleUnreleased(draft, late) });
    if (remote !== undefined) await this.#secured(draft, receipt, remote);
    return makePermit(receipt, draft.operation, draft.decision.id);
  }

  /** A rule lets the operation run a little ahead of its record. */
  async #decideAhead(draft: OperationDecided): Promise<Permit> {
    const text = draftText(draft);
    const closed = this.#full || this.#failed !== undefined || this.#closing !== undefined || this.#refusal?.() !== undefined;
    // Whatever cannot be recorded for certain is recorded first.
    const leave = closed || text.length > aheadTextMax ? undefined : this.#ahead.enter(draft);
    if (leave === undefined) {
      const receipt = await this.#append(draft, { text, late: (late) => this.#settleUnreleased(draft, late) });
      this.#ahead.tell(draft.session);
      return makePermit(receipt, draft.operation, draft.decision.id);
    }
    const recorded = new Promise<Receipt>((resolve, reject) => {
      const done = (result: Receipt | Fault): void => (result instanceof Fault ? reject(result) : resolve(result));
      this.#enqueue(text, { deadline: undefined, done, urgent: true, unhurried: true });
    });
    recorded.then(leave, (fault: Fault) => {
      leave();
      this.fail(new Fault('LEDGER_FAILED', `an operation that ran ahead could not be recorded: ${fault.message}`, { cause: fault }));
    });
    return makePermit(recorded, draft.operation, draft.decision.id);
  }

  read(first: number, count: number): Promise<readonly string[]> {
    if (!Number.isSafeInteger(first) || first < 0 || !Number.isSafeInteger(count) || count < 0) {
      return Promise.reject(new Fault('INVALID_INPUT', `a range of entries needs whole numbers from 0, not ${first} and ${count}`));
    }
    return this.#ask((id) => ({ kind: 'read', id, first, count }));
  }

  openEvidence(index: number): Promise<Evidence> {
    return this.#ask((id) => ({ kind: 'evidence', id, index }));
  }

  disclose(index: number): Promise<Disclosed> {
    return this.#ask((id) => ({ kind: 'disclose', id, index }));
  }

  /** Entries below this may be pruned. */
  prunable(): Promise<number> {
    return this.#ask((id) => ({ kind: 'prunable', id }));
  }

  /** Records what may be removed; resolves with the index of the record. CONFLICT: the writer still needs some of it. */
  async recordPruning(order: PruneOrder): Promise<number> {
    const end = await this.prunable();
    if (order.to > end) throw new Fault('CONFLICT', `the writer still needs entries from ${end} on`);
    const { from, to, by, reason, holds } = order;
    const draft = JSON.stringify({ kind: 'log.pruned', from, to, by, reason, holds });
    const { index } = await new Promise<Receipt>((resolve, reject) => {
      this.#enqueue(draft, { deadline: undefined, done: (result) => (result instanceof Fault ? reject(result) : resolve(result)) });
    });
    return index;
  }

  /** The bundle that begins with this entry was removed by this process, as the log allows. */
  removed(first: number): boolean {
    return this.gone.has(first);
  }

  /** First entries of the bundles that were removed, filled by whoever removes them. */
  readonly gone = new Set<number>();

  onSigned(listener: (note: string) => void): () => void {
    this.#signedListeners.add(listener);
    return () => this.#signedListeners.delete(listener);
  }

  keepCosigned(note: string): void {
    if (this.#failed === undefined && this.#closing === undefined) this.#transport.send({ kind: 'cosigned', note });
  }

  onGrow(listener: (size: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Answers of the writer. */
  receive(answer: Answer): void {
    switch (answer.kind) {
      case 'appended':
        return this.#landed(answer);
      case 'value':
        // Safe: the writer answers each question with its own kind of value.
        this.#questions.get(answer.id)?.resolve(answer.value as never);
        this.#questions.delete(answer.id);
        return;
      case 'fault':
        this.#questions.get(answer.id)?.reject(faultOf(answer.fault));
        this.#questions.delete(answer.id);
        return;
      case 'fatal':
        return this.fail(faultOf(answer.fault));
      case 'signed':
        this.checkpoint = answer.note;
        for (const listener of this.#signedListeners) listener(answer.note);
        return;
      case 'found':
      case 'opened':
      case 'unsigned':
        return;
    }
  }

  /** The writer is gone. From now on everything is refused; the process has to end. */
  fail(fault: Fault): void {
    if (this.#failed !== undefined) return;
    this.#failed = new Fault('LEDGER_FAILED', 'the ledger has failed; nothing can be recorded', { cause: fault });
    this.#pulse.stop();
    this.reach.link(false);
    this.#sweep?.cancel();
    for (const one of [...this.#flying.values(), ...this.#waiting]) if (!one.refused) one.done(this.#failed);
    this.#flying.clear();
    this.#waiting = [];
    this.#outgoing = [];
    for (const { reject } of this.#questions.values()) reject(this.#failed);
    this.#questions.clear();
    this.#drained?.();
    this.#onFatal(fault);
  }

  /** `text`: the draft's, where it is known already. */
  #append(
    draft: RecordDraft,
    { text, ...more }: Partial<Pick<Waiting, 'late' | 'content' | 'text' | 'patient' | 'chunkOf'>> = {},
  ): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      if (this.#closing !== undefined) throw new Fault('LEDGER_FAILED', 'the ledger is closed; nothing can be recorded');
      if (draft.kind === 'session.closed') this.#ahead.forget(draft.session);
      const urgent = draft.kind === 'operation.settled' || draft.kind === 'recording.closed' || draft.kind === 'session.closed';
      const refusal = urgent || draft.kind.startsWith('alarm.') ? undefined : this.#refusal?.();
      if (refusal !== undefined) throw refusal;
      this.#enqueue(text ?? draftText(draft), {
        // Nobody is refused what a target has already sent: it is not read on meanwhile.
        deadline: urgent || more.patient !== undefined ? undefined : microseconds(this.#world) + limits.ledgerWaitMs * 1000,
        done: (result) => (result instanceof Fault ? reject(result) : resolve(result)),
        ...more,
        ...(draft.kind === 'operation.settled' ? { unhurried: true } : {}),
      });
    });
  }

  #enqueue(
    text: string,
    how: Pick<Waiting, 'deadline' | 'done' | 'late' | 'unhurried' | 'content' | 'urgent' | 'patient' | 'chunkOf'>,
  ): void {
    if (this.#failed !== undefined) {
      how.done(this.#failed);
      return;
    }
    const stamp = { t: this.#world.now(), mono: microseconds(this.#world) };
    const size = text.length + (how.content?.length ?? 0);
    this.#waiting.push({ ...how, id: this.#nextId++, text, stamp, size, refused: false });
    this.#pump();
    this.#armSweep();
  }

  /**
   * Moves what has room to the writer. All appends of one turn go in one message. Of recorded output only so much is under way that a decision does not wait
   * long behind it; the rest is overtaken by everything but chunks of its own session.
   */
  #pump(): void {
    const left: Waiting[] = [];
    const behind = new Set<string>();
    for (const [k, one] of this.#waiting.entries()) {
      if (this.#flying.size >= limits.ledgerQueueEntriesMax || this.#flyingBytes >= limits.ledgerQueueBytesMax) {
        left.push(...this.#waiting.slice(k));
        break;
      }
      if (one.refused) continue;
      const stays = one.patient !== undefined && this.#patientBytes >= limits.ledgerPatientBytesMax;
      if (stays || (one.chunkOf !== undefined && behind.has(one.chunkOf))) {
        behind.add(one.chunkOf ?? '');
        left.push(one);
        continue;
      }
      this.#flying.set(one.id, one);
      this.#flyingBytes += one.size;
      if (one.patient !== undefined) this.#patientBytes += one.size;
      this.#outgoing.push(one);
      this.#schedule(one.unhurried === true);
    }
    this.#waiting = left;
  }

  /**
   * An outcome lingers for a moment, so that it shares the disk's sync with the next decision instead of making that wait for a sync of its
   * own. The order of records does not change: whatever is flushed is flushed whole.
   */
  #schedule(unhurried: boolean): void {
    if (this.#flushing) return;
    if (unhurried && this.#outcomeLingerMs > 0) {
      this.#linger ??= this.#world.after(this.#outcomeLingerMs, () => this.#flush());
      return;
    }
    this.#flushing = true;
    // After the poll phase, so that everything the sockets brought in one turn travels to the writer in one message and shares a sync.
    if (this.#outcomeLingerMs > 0) setImmediate(() => this.#flush());
    else queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#flushing = false;
    this.#linger?.cancel();
    this.#linger = undefined;
    const items = this.#outgoing.map(({ id, text, content, stamp, urgent }) => {
      const item = { id, draft: text, t: stamp.t, mono: stamp.mono, ...(urgent === true ? { urgent } : {}) };
      return content === undefined ? item : { ...item, content };
    });
    this.#outgoing = [];
    if (items.length > 0) this.#transport.send({ kind: 'append', items });
  }

  #landed({ first, ids, leaves, refused, full }: Appended): void {
    this.#full = full === true || refused.some(({ fault }) => fault.code === 'LEDGER_FULL');
    for (const [k, id] of ids.entries()) {
      const one = this.#taken(id);
      const receipt = { origin: this.origin, index: first + k, leaf: leaves.slice(k * 64, k * 64 + 64) };
      if (one?.refused === true) one.late?.(receipt);
      else one?.done(receipt);
    }
    for (const { id, fault } of refused) {
      const one = this.#taken(id);
      if (one?.refused === false) one.done(faultOf(fault));
    }
    if (ids.length > 0) {
      this.#size = first + ids.length;
      this.#pulse.grown();
      for (const listener of this.#listeners) listener(this.#size);
    }
    this.#pump();
    if (this.#idle) this.#drained?.();
  }

  #taken(id: number): Waiting | undefined {
    const one = this.#flying.get(id);
    this.#flying.delete(id);
    this.#flyingBytes -= one?.size ?? 0;
    if (one?.patient !== undefined) this.#patientBytes -= one.size;
    return one;
  }

  get #idle(): boolean {
    return this.#flying.size === 0 && this.#waiting.length === 0;
  }

  /** One timer for all deadlines; they expire in the order they were made. */
  #armSweep(): void {
    if (this.#sweep !== undefined || this.#failed !== undefined) return;
    this.#sweep = this.#world.after(sweepMs, () => {
      this.#sweep = undefined;
      const now = microseconds(this.#world);
      for (const one of [...this.#flying.values(), ...this.#waiting]) {
        if (one.refused || one.deadline === undefined || one.deadline > now) continue;
        one.refused = true;
        one.done(new Fault('LEDGER_SLOW', `a record was not durable within ${limits.ledgerWaitMs} ms`));
      }
      this.#waiting = this.#waiting.filter((one) => !one.refused);
      if (!this.#idle) this.#armSweep();
      else this.#drained?.();
    });
  }

  /** Waits until the record is safe elsewhere; when it cannot be, the log says that nothing was released. */
  async #secured(draft: OperationDecided, receipt: Receipt, level: RemoteLevel): Promise<void> {
    try {
      const reached = this.reach.wait(level, receipt.index + 1);
      if (level === 'witnessed') this.#transport.send({ kind: 'tick' });
      await reached;
    } catch (error) {
      this.#settleUnreleased(draft, receipt);
      throw error;
    }
  }

  /** Its caller had given up and sent nothing; the record says allow, so the log must say that it was refused. */
  #settleUnreleased(decided: OperationDecided, receipt: Receipt): void {
    const { session, operation, n } = decided;
    const settled: OperationSettled = {
      kind: 'operation.settled',
      session,
      operation,
      n,
      for: receipt.index,
      outcome: unsent('refused'),
    };
    this.#enqueue(draftText(settled), { deadline: undefined, done: () => undefined });
  }

  #ask<T>(order: (id: number) => Order): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#failed !== undefined) throw this.#failed;
      const id = this.#nextId++;
      this.#questions.set(id, { resolve: resolve as (value: never) => void, reject });
      this.#transport.send(order(id));
    });
  }

  async #close(): Promise<void> {
    this.#pulse.stop();
    this.#flush();
    if (!this.#idle) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
      });
    }
    this.#sweep?.cancel();
    this.#flush();
    if (this.#failed === undefined) await this.#ask<undefined>((id) => ({ kind: 'close', id }));
    await this.#transport.end();
  }
}

// So that it fits an entry whatever the ledger adds to it.
const aheadTextMax = limits.entryBytesMax / 2;

// Fine enough for a limit of two seconds.
const sweepMs = 250;

export function microseconds(world: World): number {
  return Number(world.monotonicNs() / 1000n);
}

export function faultOf({ code, message }: PlainFault): Fault {
  return new Fault(code, message);
}
