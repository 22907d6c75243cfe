import { spendPermit } from '#ledger';
import { asFault, Fault } from '#model';
import type { Admitted, LiveSession, PointContext, SessionRecording } from '../../point.ts';
import { CatalogView, type Trust } from './catalog-view.ts';
import type { Catalogs } from './catalogs.ts';
import type { Connection } from './connection.ts';
import { changesCatalog, replacesNames, taints } from './consequences.ts';
import { Cursors } from './cursors.ts';
import { isSensitive } from './diagnostics.ts';
import { bindUnnamed, flush, query, readyForQuery, sync, type TransactionStatus } from './encode.ts';
import { owedFor, type Expected, type OwnAnswer } from './expected.ts';
import type { Draft } from './operations.ts';
import { Output } from './output.ts';
import type { Plan } from './plan.ts';
import { Prepared } from './prepared.ts';
import { Replies } from './replies.ts';
import { Run } from './run.ts';
import { checkSetting, resolvingSettings } from './settings.ts';
import { Settling } from './settling.ts';
import type { Target } from './upstream.ts';

export interface ExchangeParts {
  readonly context: PointContext;
  readonly live: LiveSession;
  readonly client: Connection;
  readonly target: Target;
  readonly catalogs: Catalogs;
  /** The target's answers cannot be followed or must not be shown. */
  onBroken(fault: Fault): void;
  onTargetGone(): void;
}

/** How a segment ends: `message` for what is answered with ReadyForQuery by itself. */
export type Ends = 'sync' | 'flush' | 'message';

/**
 * The target's side of a session: sends what was admitted, matches what comes back, and gives the client what it may see. One segment is
 * answered to its end before the next is sent.
 */
export class Exchange {
  readonly prepared = new Prepared();
  readonly settling: Settling;
  readonly view: CatalogView;
  status: TransactionStatus = 'I';
  /** Something was forwarded without a Sync yet: an error now is answered at the Sync. */
  unsynced = false;

  readonly #parts: ExchangeParts;
  readonly #output = new Output();
  readonly #replies: Replies;
  #silent = false;
  #blocked = false;
  #listening = false;
  readonly #cursors = new Cursors();
  #replaced = false;
  #idle: PromiseWithResolvers<void> | undefined;
  #room: PromiseWithResolvers<void> | undefined;
  /** Takes every byte that the client is shown, once a rule wants the session recorded. */
  #recording: SessionRecording | undefined;
  /** The recording is behind: nothing more is read from the target. */
  #behind = false;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
    const { context, live, target, client } = parts;
    this.settling = new Settling(context.pipeline, context.world);
    this.view = new CatalogView({ world: context.world, config: live.config, catalogs: parts.catalogs, ask: (sql) => this.#ask(sql) });
    this.#replies = new Replies({
      pipeline: context.pipeline,
      prepared: this.prepared,
      output: this.#output,
      onReady: (status) => this.#onReady(status),
      onEnded: (run) => this.settling.settle(run),
      onBound: (name) => this.#cursors.replaced(name),
      onParameter: (name, value) => {
        checkSetting(name, value);
        if (resolvingSettings.has(name)) this.view.settingsChanged();
      },
      listens: () => this.#listening,
    });
    target.connection.framer.streams = (type, size) => this.#replies.streams(type, size);
    client.socket.on('drain', () => this.#unblock());
    target.connection.consume({ onBytes: () => this.#onBytes(), onGone: () => this.#onGone() });
  }

  /** What the target owes first. */
  get owed(): Expected | undefined {
    return this.#replies.queue.first;
  }

  /** An error was answered before the Sync of its batch: the client's messages up to it are dropped. */
  get failed(): boolean {
    return this.#replies.failed;
  }

  /**
   * Brings what is known of the catalog up to date. Not while a batch without Sync is open at the target: a question of Warder's own would
   * end its transaction.
   */
  async refresh(): Promise<void> {
    if (!this.unsynced) await this.view.refresh(this.status);
  }

  /** How far the catalog at hand may be trusted now. */
  get trust(): Trust {
    // It may have been changed by what was sent before, and cannot be asked about.
    return this.unsynced && this.view.outdated ? unsyncedTrust : this.view.trust;
  }

  /**
   * INVARIANT: the only function that sends an operation to the target. Every operation of the batch spends its permit before the first
   * byte of the batch is written; a permit that is not genuine throws, and nothing is written. Resolves when everything is answered.
   */
  async release(admitted: readonly Admitted[], plan: Plan, ends: Ends): Promise<void> {
    for (const { permit, operation } of admitted) spendPermit(permit, operation.id);
    const runs = new Map<Draft, Run>();
    for (const [i, draft] of plan.drafts.entries()) {
      const one = admitted[i];
      if (!one) throw new Fault('INTERNAL', 'an admission has fewer operations than its batch');
      const run = this.#begin(one, draft);
      runs.set(draft, run);
      this.settling.begin(run);
    }
    for (const step of plan.steps) {
      const run = 'draft' in step && step.draft ? runs.get(step.draft) : undefined;
      if (run) run.parts.bytesUp += step.bytes.length;
      if (run && step.kind === 'execute') step.portal.run = run;
      const owed = owedFor(step, run);
      if (owed) this.#replies.queue.push(owed);
    }
    this.#replies.begin();
    if (ends === 'flush') this.unsynced = true;
    this.#send(plan.steps.map(({ bytes }) => bytes));
    await this.answered();
    if (this.#replaced) this.prepared.suspectAll();
  }

  /** Answers a segment of which nothing was forwarded, and leaves the transaction as an error of the target would leave it. */
  async refuse(error: Buffer, ends: Ends): Promise<void> {
    const open = this.status === 'T' || this.unsynced;
    if (this.unsynced && this.status === 'I') this.settling.undone();
    const { queue } = this.#replies;
    this.show([error]);
    if (!open) {
      if (ends !== 'flush') this.show([readyForQuery(this.status)]);
      return;
    }
    queue.push({ kind: 'poison', run: undefined });
    if (ends === 'flush') this.unsynced = true;
    else queue.push({ kind: 'sync', run: undefined });
    this.#send([this.#poison(), ends === 'flush' ? flush : sync]);
    await this.answered();
  }

  /** The Sync after an error: the client gets exactly one ReadyForQuery. */
  async sync(): Promise<void> {
    if (!this.unsynced) return this.show([readyForQuery(this.status)]);
    this.#replies.queue.push({ kind: 'sync', run: undefined });
    this.#send([sync]);
    await this.answered();
  }

  /** Resolves when the target owes nothing, or is gone. */
  async answered(): Promise<void> {
    if (this.#replies.queue.empty || this.#parts.target.connection.gone) return;
    this.#idle ??= Promise.withResolvers<void>();
    await this.#idle.promise;
  }

  get recording(): SessionRecording | undefined {
    return this.#recording;
  }

  /** From now on everything goes through the recording. */
  recordWith(recording: SessionRecording): void {
    if (this.#recording) return;
    this.#recording = recording;
    recording.connect({
      write: (pieces) => this.#write(pieces),
      pause: () => this.#setBehind(true),
      resume: () => this.#setBehind(false),
    });
  }

  /** Shows messages to the client; stops reading the target while the client, or the recording, is slow. */
  show(pieces: readonly Buffer[]): void {
    if (pieces.length === 0 || this.#silent || this.#parts.client.gone) return;
    if (this.#recording) this.#recording.output(pieces);
    else this.#write(pieces);
  }

  #write(pieces: readonly Uint8Array[]): void {
    const { client, target } = this.#parts;
    if (pieces.length === 0 || client.gone || client.writeAll(pieces) || this.#blocked) return;
    this.#blocked = true;
    target.connection.socket.pause();
  }

  #setBehind(behind: boolean): void {
    this.#behind = behind;
    if (behind) this.#parts.target.connection.socket.pause();
    else this.#goOn();
  }

  /** Resolves when the client takes what it was sent: who sends without reading waits, and nothing piles up here. */
  async room(): Promise<void> {
    if (!this.#blocked && !this.#behind) return;
    this.#room ??= Promise.withResolvers<void>();
    await this.#room.promise;
  }

  /** From now on nothing reaches the client; the target's answers are still followed, for the outcomes. */
  silence(): void {
    this.#silent = true;
    this.#behind = false;
    this.#unblock();
    this.#goOn();
  }

  /** Gives up on everything the target owes. `error` is what Warder's own questions get. */
  abandon(error: string): void {
    for (const owed of this.#replies.queue.drain()) if (owed.kind === 'own') owed.resolve({ error });
    this.#idle?.resolve();
    this.#idle = undefined;
  }

  #begin(admitted: Admitted, draft: Draft): Run {
    const { facts, transaction } = draft.inspection;
    this.view.released({
      changesCatalog: changesCatalog(facts),
      taints: taints(draft.inspection, false).length > 0,
      transactionControl: transaction.length > 0,
      reads: facts.verbs.some((verb) => !withoutSnapshot.has(verb)),
    });
    if (replacesNames(facts)) {
      this.#replaced = true;
      this.prepared.suspectAll();
    }
    if (facts.verbs.includes('listen')) this.#listening = true;
    return new Run({
      admitted,
      inspection: draft.inspection,
      cursors: this.#cursors,
      originsHold: draft.originsHold,
      catalog: this.view.catalog,
      sensitive: isSensitive(facts, this.view.catalog),
      startedNs: this.#parts.context.world.monotonicNs(),
      bytesUp: 0,
    });
  }

  #send(pieces: readonly Buffer[]): void {
    let total = 0;
    for (const { length } of pieces) total += length;
    const small = pieces.length > 1 && total <= joinBytesMax;
    this.#parts.target.connection.writeAll(small ? [Buffer.concat(pieces, total)] : pieces);
  }

  /** A Bind to a statement that nobody can have made: it fails and aborts the transaction. */
  #poison(): Buffer {
    return bindUnnamed(`warder ${Buffer.from(this.#parts.context.world.randomBytes(16)).toString('hex')}`);
  }

  /** A query of Warder's own; the target must owe nothing. */
  #ask(sql: string): Promise<OwnAnswer> {
    if (this.#parts.target.connection.gone) return Promise.resolve({ error: '08006' });
    return new Promise((resolve) => {
      this.prepared.suspectUnnamed();
      this.#replies.queue.push({ kind: 'own', resolve, run: undefined });
      this.#send([query(sql)]);
    });
  }

  #onBytes(): void {
    const { framer } = this.#parts.target.connection;
    try {
      while (framer.advance()) {
        const { type, source, start, end } = framer;
        if (framer.continued) this.#replies.onMore(source, start, end);
        else this.#replies.onFrame(type, source, start, end);
      }
      this.#replies.finishChunk();
    } catch (thrown) {
      // INVARIANT: what was handled before the fault is not shown either; the client gets the fault alone.
      this.#output.take();
      return this.#parts.onBroken(asFault(thrown));
    }
    this.show(this.#output.take());
    if (!this.#idle || !this.#replies.queue.empty) return;
    this.#idle.resolve();
    this.#idle = undefined;
  }

  #unblock(): void {
    if (!this.#blocked) return;
    this.#blocked = false;
    this.#goOn();
  }

  #goOn(): void {
    if (this.#blocked || this.#behind) return;
    this.#room?.resolve();
    this.#room = undefined;
    this.#parts.target.connection.socket.resume();
  }

  #onReady(status: TransactionStatus): void {
    this.status = status;
    this.unsynced = false;
    if (this.settling.current.some(({ stale }) => stale)) this.view.sawUnknown();
    this.settling.ready(status);
    if (status === 'I') {
      this.prepared.closeAll();
      this.#cursors.forget();
    }
    if (this.#replaced) this.prepared.suspectAll();
    this.#replaced = false;
    this.view.ready(status);
  }

  #onGone(): void {
    this.#parts.onTargetGone();
    this.abandon('08006');
  }
}

const unsyncedTrust: Trust = { doubts: ['after-unsynced'], originsHold: false };

/** Small messages are written as one; larger ones are not copied. */
const joinBytesMax = 64 * 1024;

/** Statements after which SET TRANSACTION is still allowed. */
const withoutSnapshot = new Set([
  'begin',
  'set',
  'show',
  'reset',
  'savepoint',
  'listen',
  'unlisten',
  'notify',
  'discard',
  'deallocate',
  'lock',
]);
