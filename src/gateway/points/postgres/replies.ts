import { Fault } from '#model';
import type { Pipeline, Refusal } from '../../point.ts';
import { diagnosticFor, sqlstateOf } from './diagnostics.ts';
import { commandComplete, type TransactionStatus } from './encode.ts';
import { ExpectedQueue, unexpected, type Expected } from './expected.ts';
import type { Frame, Output } from './output.ts';
import { OwnReply } from './own-reply.ts';
import type { Prepared } from './prepared.ts';
import { refusalResponse } from './respond.ts';
import { RowWriter } from './rows.ts';
import type { Run } from './run.ts';
import { decodeParameterStatus, decodeRowDescription, reply } from './target-messages.ts';

/** What happens outside when something was read from the target. */
export interface RepliesParts {
  readonly pipeline: Pipeline;
  readonly prepared: Prepared;
  /** Filled while a chunk is handled, written by the owner afterwards. */
  readonly output: Output;
  /** The target is ready for more; `status` is its transaction's. */
  onReady(status: TransactionStatus): void;
  /** Runs that ended and were not suspended: the portal or the transaction is gone. */
  onEnded(run: Run): void;
  /** A portal of this name was made; SQL cursors share its names. */
  onBound(portal: string): void;
  onParameter(name: string, value: string): void;
  /** Whether notifications may be shown. */
  listens(): boolean;
}

/**
 * Matches what a target sends with what it owes, and turns it into what the client may see. No I/O.
 *
 * INVARIANT: a row is shown only through a guard that was made for its description. Whatever does not fit what is owed is a Fault, and the
 * owner cuts the connection: a response that cannot be followed is never forwarded.
 */
export class Replies {
  readonly queue = new ExpectedQueue();
  readonly #parts: RepliesParts;
  readonly #rows = new RowWriter();
  /** A guard refused: nothing more of this batch is shown until it ends. */
  #muted = false;
  readonly #own = new OwnReply();
  /** An error ended the batch before its Sync: the target skips until one comes. */
  failed = false;

  constructor(parts: RepliesParts) {
    this.#parts = parts;
  }

  /** Handles one frame: source[start, end). */
  onFrame(type: number, source: Buffer, start: number, end: number): void {
    const first = this.queue.first;
    if (type === reply.dataRow) {
      if (first?.kind === 'own') this.#own.row(source, start + 5, end);
      else this.#row(first, { source, start, end });
      return;
    }
    this.#flushRows();
    switch (type) {
      case reply.notice:
        return this.#notice(first, source, start, end);
      case reply.parameterStatus: {
        const { name, value } = decodeParameterStatus(source, start + 5, end);
        this.#parts.onParameter(name, value);
        if (first?.kind !== 'own') this.#parts.output.pass(source, start, end);
        return;
      }
      case reply.notification:
        if (this.#parts.listens()) this.#parts.output.pass(source, start, end);
        return;
      case reply.error:
        return this.#error(first, source, start, end);
      case reply.readyForQuery:
        return this.#ready(first, source, start, end);
      case reply.copyIn:
      case reply.copyOut:
      case reply.copyBoth:
        throw new Fault('RESPONSE_CUT', 'the target began a COPY that was not admitted');
      default:
        if (!first) throw unexpected(type, first);
        if (first.kind !== 'own') this.#reply(first, type, { source, start, end });
        else if (type === reply.rowDescription) this.#own.result();
    }
  }

  /** Whether a long row may be passed on in parts: only when nothing of it would be changed. */
  streams(type: number, size: number): boolean {
    const first = this.queue.first;
    if (type !== reply.dataRow || size < streamedBytesMin || this.#muted || (first?.kind !== 'execute' && first?.kind !== 'query'))
      return false;
    return first.run?.result?.guard.transparent === true;
  }

  /** A batch is about to be sent: when it begins with an Execute, no other reply comes before its first row. */
  begin(): void {
    this.#openPortal();
  }

  /** More of the row that is passed on in parts. */
  onMore(source: Buffer, start: number, end: number): void {
    const run = this.queue.first?.run;
    if (run) run.bytesDown += end - start;
    this.#parts.output.pass(source, start, end);
  }

  /** Rows that were rewritten and not handed to the output yet. Call it at the end of a chunk. */
  finishChunk(): void {
    this.#flushRows();
  }

  #row(first: Expected | undefined, frame: Frame): void {
    if (first?.kind !== 'execute' && first?.kind !== 'query') throw unexpected(reply.dataRow, first);
    const { run } = first;
    if (!run || (!run.result && !this.#muted)) throw new Fault('RESPONSE_CUT', 'the target sent a row before its description');
    if (this.#muted || !run.result) return;
    const { result } = run;
    if (result.delivered >= result.guard.rowsMax) {
      result.withheld += 1;
      return;
    }
    result.delivered += 1;
    result.fetched += 1;
    run.rows += 1;
    const { source, start, end } = frame;
    if (result.guard.transparent) {
      run.bytesDown += end - start;
      this.#parts.output.pass(source, start, end);
      return;
    }
    const before = this.#rows.used;
    this.#rows.append(source, start, end, result.guard.cells);
    run.bytesDown += this.#rows.used - before;
    if (this.#rows.used >= rowBytesMax) this.#flushRows();
  }

  #flushRows(): void {
    if (this.#rows.used > 0) this.#parts.output.put(this.#rows.take());
  }

  #notice(first: Expected | undefined, source: Buffer, start: number, end: number): void {
    if (first?.kind === 'own' || this.#muted) return;
    const sensitive = first?.run?.parts.sensitive ?? true;
    this.#parts.output.put(diagnosticFor('notice', { source, start: start + 5, end }, sensitive));
  }

  #error(first: Expected | undefined, source: Buffer, start: number, end: number): void {
    const code = sqlstateOf(source, start + 5, end);
    if (first?.kind === 'own') {
      this.#own.error = code;
      return;
    }
    const poisoned = first?.kind === 'poison';
    if (!this.#muted && !poisoned) {
      const sensitive = first?.run?.parts.sensitive ?? true;
      this.#parts.output.put(diagnosticFor('error', { source, start: start + 5, end }, sensitive));
    }
    if (first?.kind === 'query') {
      first.run.fail(code);
      return;
    }
    const runs = new Set<Run>();
    first?.run?.fail(code);
    for (const { run } of this.queue.skipToSync()) if (run && run !== first?.run && run.state === 'waiting') runs.add(run);
    // What came after the error was never begun.
    for (const run of runs) if (!run.result) run.state = 'cancelled';
    this.failed = true;
  }

  #ready(first: Expected | undefined, source: Buffer, start: number, end: number): void {
    const status = String.fromCharCode(source[start + 5] ?? 0);
    if (end - start !== 6 || (status !== 'I' && status !== 'T' && status !== 'E'))
      throw new Fault('RESPONSE_CUT', 'the target sent a malformed ReadyForQuery');
    if (first?.kind !== 'query' && first?.kind !== 'sync' && first?.kind !== 'own') throw unexpected(reply.readyForQuery, first);
    this.queue.shift();
    if (first.kind === 'own') {
      const answer = this.#own.take();
      this.#parts.onReady(status);
      first.resolve(answer);
      return;
    }
    if (first.kind === 'query' && first.run.state === 'waiting') first.run.state = 'done';
    this.#muted = false;
    this.failed = false;
    this.#parts.output.pass(source, start, end);
    this.#parts.onReady(status);
  }

  #reply(first: Expected, type: number, frame: Frame): void {
    switch (first.kind) {
      case 'parse':
        if (type !== reply.parseComplete) throw unexpected(type, first);
        first.statement.suspect = false;
        this.#parts.prepared.define(first.statement);
        return this.#answered(first.shown, frame);
      case 'bind': {
        if (type !== reply.bindComplete) throw unexpected(type, first);
        const replaced = this.#parts.prepared.open(first.portal);
        this.#parts.onBound(first.portal.name);
        if (replaced?.state === 'suspended') this.#parts.onEnded(replaced);
        return this.#answered(true, frame);
      }
      case 'close': {
        if (type !== reply.closeComplete) throw unexpected(type, first);
        const closed = first.of === 'portal' ? this.#parts.prepared.close(first.name) : this.#parts.prepared.forget(first.name);
        if (closed?.state === 'suspended') this.#parts.onEnded(closed);
        return this.#answered(first.shown, frame);
      }
      case 'describe-statement':
        if (type === reply.parameterDescription) return this.#pass(frame);
        if (type !== reply.rowDescription && type !== reply.noData) throw unexpected(type, first);
        return this.#answered(true, frame);
      case 'describe-portal':
        if (type !== reply.rowDescription && type !== reply.noData) throw unexpected(type, first);
        first.portal.fields = type === reply.noData ? [] : decodeRowDescription(frame.source, frame.start + 5, frame.end);
        this.#answered(first.shown, frame);
        return this.#openPortal();
      case 'execute':
        return this.#executed(first, type, frame);
      case 'query':
        return this.#queryReply(first.run, type, frame);
      case 'sync':
      case 'poison':
      case 'own':
        throw unexpected(type, first);
      default:
        throw unexpected(type, first);
    }
  }

  #answered(shown: boolean, frame: Frame): void {
    this.queue.shift();
    if (shown) this.#pass(frame);
    this.#openPortal();
  }

  #pass({ source, start, end }: Frame): void {
    if (!this.#muted) this.#parts.output.pass(source, start, end);
  }

  /** When the next reply is that of an Execute, its guard is made now, before its first row can come. */
  #openPortal(): void {
    const next = this.queue.first;
    if (next?.kind !== 'execute' || !next.run || next.run.result || this.#muted) return;
    const fields = next.portal.fields;
    if (!fields) throw new Fault('RESPONSE_CUT', 'a portal was executed before it was described');
    if (fields.length > 0) this.#guard(next.run, fields);
  }

  #guard(run: Run, fields: Parameters<Run['open']>[0]): void {
    const refusal = run.open(fields, this.#parts.pipeline);
    if (refusal) this.#mute(refusal);
  }

  #mute(refusal: Refusal): void {
    this.#parts.output.put(refusalResponse(refusal));
    this.#muted = true;
  }

  #executed(first: Extract<Expected, { kind: 'execute' }>, type: number, frame: Frame): void {
    const { run } = first;
    switch (type) {
      case reply.commandComplete:
        this.#complete(run, frame);
        break;
      case reply.emptyQuery:
        this.#pass(frame);
        break;
      case reply.portalSuspended:
        this.#pass(frame);
        if (run?.result) run.result.fetched = 0;
        if (run?.state === 'waiting') run.state = 'suspended';
        break;
      default:
        throw unexpected(type, first);
    }
    if (run && type === reply.commandComplete && (run.state === 'waiting' || run.state === 'suspended')) {
      run.state = 'done';
      run.nextStatement();
    }
    this.queue.shift();
    this.#openPortal();
  }

  #queryReply(run: Run, type: number, frame: Frame): void {
    if (type === reply.rowDescription) {
      if (this.#muted) return;
      this.#guard(run, decodeRowDescription(frame.source, frame.start + 5, frame.end));
      return this.#pass(frame);
    }
    if (type === reply.emptyQuery) return this.#pass(frame);
    if (type !== reply.commandComplete) throw unexpected(type, this.queue.first);
    this.#complete(run, frame);
    run.nextStatement();
  }

  #complete(run: Run | undefined, frame: Frame): void {
    const { source, start, end } = frame;
    const result = run?.result;
    const tag = source.toString('latin1', start + 5, end - 1);
    run?.completed(tag);
    if (result && result.withheld > 0 && !this.#muted) {
      // Only tags that count delivered rows; those of writes count what really changed.
      if (/^(SELECT|FETCH) \d+$/.test(tag)) {
        this.#parts.output.put(commandComplete(`${tag.slice(0, tag.indexOf(' '))} ${result.fetched}`));
        return;
      }
    }
    this.#pass(frame);
  }
}

/** Shorter rows are waited for. */
const streamedBytesMin = 16 * 1024;

/** Rewritten rows are handed on in pieces of about this size. */
const rowBytesMax = 256 * 1024;
