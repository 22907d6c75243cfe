import { Approvals, type ApprovalRecord } from './approvals.ts';
import { isObject, recordProblem } from './grammar.ts';
import { type RecordingRecord, Recordings } from './recordings.ts';
import type { Findings } from './report.ts';
import { Told } from './together.ts';

/** A record after its grammar was checked; which fields are present follows from its kind. */
interface Entry extends ApprovalRecord, RecordingRecord {
  readonly prev: string;
  readonly mono: number;
  readonly boot: string;
  readonly node: string;
  readonly n: number;
  readonly for: number;
  readonly operations: number;
  readonly byMs: number;
  readonly vkey: string;
  readonly from: number;
  readonly to: number;
  readonly previous: string;
  readonly signature: string;
  readonly accepted: string;
  readonly decision: { readonly verdict: string; readonly bundle: { readonly digest: string } };
  readonly bundle: { readonly digest: string };
  readonly candidate?: { readonly digest: string };
  readonly continues?: string;
  readonly ahead?: { readonly operations: number; readonly ms: number };
  readonly outcome: { readonly status: string };
  readonly evidence?: { readonly commit: string; readonly sealed?: string; readonly blob?: string };
}

interface Decided {
  readonly session: string;
  readonly operation: string;
  readonly n: number;
  readonly verdict: string;
  /** Its session was not open. */
  readonly outside: boolean;
}

interface OpenSession {
  /** Number of the last operation that was allowed or denied. */
  decided: number;
  /** Operations that wait for an answer, by number. */
  readonly held: Map<number, string>;
  /** Operations that may have run without their record, when the writer died. */
  ahead: number;
  /** The writer was started anew since it was opened. */
  beforeStart: boolean;
}

/** A silence this long is more than the heartbeat of a minute and a slow disk explain. */
const silenceMicroseconds = 65_000_000;

/**
 * What the records say together: each links to the one before, operations are counted without gaps, every outcome has its decision,
 * nothing that was not allowed was done, approvals are spent once and never by who asked.
 *
 * It can only be told while every entry before is known: after a missing or changed entry it stops, because all it would say then is
 * a consequence of that.
 */
export class Story {
  readonly #findings: Findings;
  readonly #origin: string;
  readonly #approvals: Approvals;
  readonly #recordings: Recordings;
  #stopped = false;
  #sealed: number | undefined;
  /** Everything before this index may be unknown: some of it was removed. */
  #after = 0;
  readonly #pruned: { readonly from: number; readonly to: number }[] = [];
  /** The last entry, when it is a change of keys. */
  rotation: Pick<Entry, 'previous' | 'vkey' | 'signature' | 'accepted'> | undefined;
  /** The last entry, when it is a chunk of a recording. */
  chunk: Pick<RecordingRecord, 'session' | 'chunk' | 'stored'> | undefined;
  #last: { mono: number; boot: string } | undefined;
  /** Index of the last start. Nothing before it is still under way. */
  #started = 0;
  /** By session id. */
  readonly #sessions = new Map<string, OpenSession>();
  /** Index → decision without outcome. Decisions that were not allowed may be settled as refused, so the last ones are kept for a while. */
  readonly #unsettled = new Map<number, Decided>();
  readonly #refused = new Map<number, Decided>();

  constructor(origin: string, findings: Findings) {
    this.#origin = origin;
    this.#findings = findings;
    this.#approvals = new Approvals(findings);
    this.#recordings = new Recordings(findings);
  }

  /** What other logs must agree with. */
  readonly told = new Told();

  stop(): void {
    this.#stopped = true;
    this.told.partial = true;
  }

  /** Entries up to this index were removed by the log's owner; what they said is not known. */
  gap(end: number): void {
    this.#after = end;
    this.told.pruned = true;
    this.#last = undefined;
    this.#sessions.clear();
    this.#unsettled.clear();
    this.#refused.clear();
    this.#approvals.gap();
    this.#recordings.gap();
  }

  /** Ranges that records say were removed. */
  get pruned(): readonly { readonly from: number; readonly to: number }[] {
    return this.#pruned;
  }

  /** The next entry; `prev` is the hex leaf hash of the one before, undefined when that was removed. Returns the evidence blob it points to. */
  take(index: number, value: unknown, prev: string | undefined): string | undefined {
    this.rotation = undefined;
    this.chunk = undefined;
    if (this.#stopped) return undefined;
    const problem = recordProblem(value);
    if (problem !== undefined) {
      this.#findings.tampered('record', `the record ${problem}`, index);
      this.stop();
      return undefined;
    }
    // Safe: the grammar was just checked.
    const record = value as Entry & { readonly i: number };
    if (record.i !== index) this.#findings.tampered('order', `the record says that it is entry ${record.i}`, index);
    if (prev !== undefined && record.prev !== prev)
      this.#findings.tampered('order', 'the record does not link to the entry before it', index);
    if (record.node !== this.#origin) this.#findings.tampered('order', `the record belongs to the log ${record.node}`, index);
    if (this.#sealed !== undefined) this.#findings.tampered('order', `the log was sealed at entry ${this.#sealed}`, index);
    this.#tellTime(record, index);
    if (record.kind === 'recording.chunk') this.chunk = record;
    this.#recordings.take(record, index, this.#sessions.has(record.session) || (this.#after === 0 ? false : undefined));
    this.#tell(record, index);
    return this.#evidence(record, index);
  }

  /** No operation decided before this index is without outcome; undefined when the story was stopped. */
  low(size: number): number | undefined {
    return this.#stopped ? undefined : (this.#unsettled.keys().next().value ?? size);
  }

  /** What is still open after the last entry. */
  end(): void {
    if (this.#stopped) return;
    for (const [index, { operation }] of this.#unsettled) {
      this.#findings.holes.unsettled += 1;
      if (index < this.#started)
        this.#findings.add('hole', 'operation', `operation ${operation} has no outcome, and the start after it does not say so`, index);
      else this.#findings.add('note', 'operation', `operation ${operation} has no outcome yet`, index);
    }
    for (const [session, { beforeStart, ahead }] of this.#sessions) {
      this.#findings.holes.openSessions += 1;
      this.#findings.add(
        beforeStart ? 'hole' : 'note',
        'session',
        `session ${session} ${beforeStart ? `was cut off without a closing record${ahead === 0 ? '' : `; up to ${ahead} of its operations may have run without theirs`}` : 'is open'}`,
      );
    }
  }

  #tellTime(record: Entry, index: number): void {
    const silence = this.#last !== undefined && this.#last.boot === record.boot ? record.mono - this.#last.mono : 0;
    if (silence > silenceMicroseconds && record.kind !== 'log.recovered') {
      this.#findings.holes.gaps += 1;
      this.#findings.add('hole', 'heartbeat', `${Math.round(silence / 1e6)} s of silence before this entry`, index);
    }
    this.#last = { mono: record.mono, boot: record.boot };
  }

  #tell(record: Entry, index: number): void {
    if ((record.kind === 'log.opened') !== (index === 0))
      this.#findings.tampered('order', 'a log begins with log.opened, and only begins with it', index);
    this.#collect(record, index);
    switch (record.kind) {
      case 'log.recovered':
        this.#started = index;
        for (const session of this.#sessions.values()) session.beforeStart = true;
        return;
      case 'log.pruned':
        this.#pruned.push({ from: record.from, to: record.to });
        return;
      case 'log.sealed':
        this.#sealed = index;
        return;
      case 'key.rotated':
        this.rotation = record;
        return;
      case 'clock.stepped':
        this.#findings.holes.clockSteps += 1;
        return this.#findings.add('note', 'clock', `the wall clock was stepped by ${record.byMs} ms`, index);
      case 'session.opened':
        if (this.#sessions.has(record.session)) this.#findings.tampered('session', `session ${record.session} is opened twice`, index);
        this.#sessions.set(record.session, { decided: 0, held: new Map(), ahead: 0, beforeStart: false });
        return;
      case 'session.closed':
        return this.#closed(record, index);
      case 'session.lost':
        return this.#cutOff(record, index);
      case 'operation.decided':
        return this.#decided(record, index);
      case 'operation.settled':
      case 'operation.indoubt':
        return this.#settled(record, index);
      default:
        return this.#approvals.take(record, index);
    }
  }

  #collect(record: Entry, index: number): void {
    const { told } = this;
    if (record.kind === 'log.opened' && record.continues !== undefined) told.partial = true;
    else if (record.kind === 'policy.activated') {
      told.activated.add(record.bundle.digest);
      if (record.candidate !== undefined) told.activated.add(record.candidate.digest);
    } else if (record.kind === 'approval.granted') {
      const { grant, request, session, operation, uses = 1 } = record;
      told.grants.set(index, { grant, request, session, operation, uses: uses * Math.max(1, record.bound.length) });
    } else if (record.kind === 'operation.decided') {
      told.decided(record.decision.bundle.digest, index);
      const { session, operation, approval, decision } = record;
      if (approval !== undefined && decision.verdict === 'allow') told.releases.push({ ...approval, index, session, operation });
    }
  }

  #closed(record: Entry, index: number): void {
    const session = this.#sessions.get(record.session);
    if (session === undefined && this.#after > 0) return;
    if (session === undefined) return this.#findings.tampered('session', `session ${record.session} is closed but was not open`, index);
    if (record.operations < session.decided) {
      const { decided } = session;
      this.#findings.tampered(
        'session',
        `session ${record.session} says that it had ${record.operations} operations, but ${decided} are here`,
        index,
      );
    }
    this.#missing(record.session, record.operations - session.decided, index);
    this.#sessions.delete(record.session);
  }

  /** A start found the session open: it says what is known of it, and that it is over. */
  #cutOff({ session: id, operations, ahead }: Entry, index: number): void {
    const session = this.#sessions.get(id);
    if (session === undefined && this.#after > 0) return;
    if (session === undefined) return this.#findings.tampered('session', `session ${id} was cut off but was not open`, index);
    if (!session.beforeStart)
      this.#findings.tampered(
        'session',
        `session ${id} is said to be cut off, but the writer was not started anew since it was opened`,
        index,
      );
    if (operations !== session.decided)
      this.#findings.tampered('session', `session ${id} says that it had ${operations} operations, but ${session.decided} are here`, index);
    if ((ahead?.operations ?? 0) !== session.ahead)
      this.#findings.tampered(
        'session',
        `session ${id} had up to ${session.ahead} operations ahead of their records, which is not said`,
        index,
      );
    this.#findings.holes.lostSessions += 1;
    if (session.ahead === 0) this.#findings.add('note', 'session', `session ${id} was cut off when the writer died`, index);
    // What it says is true, and still nobody knows what ran.
    else
      this.#findings.add(
        'hole',
        'session',
        `session ${id} was cut off when the writer died; up to ${session.ahead} of its operations may have run without their records`,
        index,
      );
    this.#sessions.delete(id);
  }

  #decided(record: Entry, index: number): void {
    const { operation, n } = record;
    const session = this.#sessions.get(record.session);
    const decided = {
      session: record.session,
      operation,
      n,
      verdict: record.decision.verdict,
      outside: session === undefined && this.#after === 0,
    };
    if (session !== undefined && record.ahead !== undefined) session.ahead = record.ahead.operations;
    if (session !== undefined) this.#count(session, decided, index);
    // An answer can come when the client has just left. That is no harm unless something is done after all, see `#settled`.
    else if (decided.outside)
      this.#findings.add('note', 'session', `operation ${operation} was decided when session ${record.session} was not open`, index);
    if (decided.verdict === 'allow') this.#unsettled.set(index, decided);
    else this.#keepRefused(index, decided);
    if (record.approval !== undefined) this.#approvals.released(record, decided.verdict, index);
  }

  /** Final decisions count up by one; an operation may be held, out of turn, before its own. */
  #count(session: OpenSession, decided: Decided, index: number): void {
    const { n, operation } = decided;
    const held = session.held.get(n);
    if (n <= session.decided || (held !== undefined && held !== operation)) {
      return this.#findings.tampered('session', `operation ${n} of session ${decided.session} is decided a second time`, index);
    }
    if (decided.verdict === 'pending') {
      session.held.set(n, operation);
      return;
    }
    this.#missing(decided.session, n - session.decided - 1, index);
    session.decided = n;
    session.held.delete(n);
  }

  /** Operations whose number was used but whose decision is not here: refused because it could not be recorded, or left out by the writer. */
  #missing(session: string, count: number, index: number): void {
    if (count <= 0) return;
    this.#findings.holes.missingOperations += count;
    this.#findings.add(
      'hole',
      'session',
      `${count} ${count === 1 ? 'operation' : 'operations'} of session ${session} before this entry have no decision in the log`,
      index,
    );
  }

  #keepRefused(index: number, decided: Decided): void {
    const oldest = this.#refused.keys().next().value;
    if (this.#refused.size >= refusedKeptMax && oldest !== undefined) this.#refused.delete(oldest);
    this.#refused.set(index, decided);
  }

  #settled(record: Entry, index: number): void {
    const allowed = this.#unsettled.get(record.for);
    const decided = allowed ?? this.#refused.get(record.for);
    this.#unsettled.delete(record.for);
    this.#refused.delete(record.for);
    if (decided === undefined && record.for < this.#after) return;
    if (decided === undefined) {
      return this.#findings.tampered('operation', `an outcome for entry ${record.for}, which is no decision that waits for one`, index);
    }
    if (decided.session !== record.session || decided.operation !== record.operation || decided.n !== record.n) {
      this.#findings.tampered(
        'operation',
        `the outcome of operation ${record.operation} points to entry ${record.for}, which decided operation ${decided.operation}`,
        index,
      );
    }
    if (record.kind === 'operation.indoubt') return this.#lost(record.operation, index);
    const { status } = record.outcome;
    if (status === 'refused' || status === 'cancelled') return;
    const why = allowed === undefined ? 'was not allowed' : decided.outside ? 'was decided outside an open session' : undefined;
    if (why !== undefined)
      this.#findings.tampered('operation', `operation ${record.operation} ${why}, but its outcome is ${status}`, index);
    else if (status === 'in-doubt') this.#lost(record.operation, index);
  }

  #lost(operation: string, index: number): void {
    this.#findings.holes.inDoubt += 1;
    this.#findings.add('note', 'operation', `the outcome of operation ${operation} is not known`, index);
  }

  #evidence(record: Entry, index: number): string | undefined {
    if (!isObject(record.evidence)) return undefined;
    if ((record.evidence.sealed === undefined) === (record.evidence.blob === undefined)) {
      this.#findings.tampered('evidence', 'evidence is either sealed in the record or in a blob', index);
    }
    return record.evidence.blob;
  }
}

// An operation that was refused is settled, if at all, right away.
const refusedKeptMax = 10_000;
