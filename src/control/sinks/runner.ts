import { Fault, limits } from '#model';
import type { World } from '#model';
import type { Bell } from '../evidence/bell.ts';
import type { Log } from '../log.ts';
import { kindFilter } from './batch.ts';
import type { Batch, BatchQuery } from './batch.ts';
import type { Cursor, Cursors } from './cursors.ts';
import type { Facts } from './facts.ts';
import { failed } from './sink.ts';
import type { Delivery, SinkCommon, Transport } from './sink.ts';

export interface RunnerDesk {
  readonly read: (query: BatchQuery) => Promise<Batch | undefined>;
  readonly cursors: Cursors;
  readonly world: World;
  readonly log: Log;
  readonly bell: Bell;
  /** Puts on record that a sink has failed for `limits.sinkAlarmMs`, and that it takes events again after that. */
  readonly onFailing: (sink: string, why: string | undefined) => Promise<void>;
  /** Puts on record that an event is set aside. */
  readonly onSetAside: (sink: string, what: { readonly event: Facts; readonly why: string }) => Promise<void>;
}

export interface RunnerSink {
  readonly sink: SinkCommon;
  readonly transport: Transport;
  /** The privacy rules of the sink. */
  readonly shown: (facts: Facts) => Facts;
}

/** How one ledger fares at one sink. */
interface Course {
  /** Halved when a batch is refused for what it is; grows fast up to `ceiling` and slowly beyond it when one is taken. */
  entriesMax: number;
  /** What was left of the last batch that was refused: a receiver with a size limit refuses few batches that way. */
  ceiling: number;
  /** How often the next event alone was refused. */
  refusals: number;
  /** What was read while the batch before was on its way. */
  ahead?: Ahead;
}

interface Ahead {
  readonly next: number;
  /** The cursor's `sent` when it was read: that it goes out next does not mean that it was there before. */
  readonly sent: number;
  readonly vkey: string;
  readonly batch: Promise<Batch | undefined>;
  /** The cursor's `sent` since it is written down that this batch goes out next. */
  noted?: number;
}

/** How many batches of one ledger go out before the next ledger has its turn. */
const batchesInTurn = 16;

/**
 * Delivers every mirrored record to one sink, in order, until `signal` aborts. It tries for ever: a receiver that is away only makes the
 * sink late. Throws when the store fails or when somebody else delivers to the same sink.
 */
export async function runSink(of: RunnerSink, desk: RunnerDesk, signal: AbortSignal): Promise<void> {
  const courses = new Map<string, Course>();
  const now = (): number => Number(desk.world.monotonicNs() / 1_000_000n);
  let failures = 0;
  let failingSince = 0;
  let alarmed = false;
  while (!signal.aborted) {
    let moved = false;
    let failure: FailedStep | undefined;
    for (const cursor of await desk.cursors.load(of.sink.name, of.sink.from)) {
      if (signal.aborted) return;
      const course = courseOf(courses, cursor);
      const result = await follow(of, { ...desk, cursor, course }, signal);
      if (result.moved) moved = true;
      if (result.failed === undefined) continue;
      if (await gotPast(of, desk, { course, result: result.failed })) moved = true;
      else failure = result.failed;
    }
    if (failure !== undefined && !signal.aborted) {
      if (failures === 0) failingSince = now();
      failures += 1;
      if (!alarmed && now() - failingSince >= limits.sinkAlarmMs) {
        await desk.onFailing(of.sink.name, failure.why);
        alarmed = true;
      }
      await desk.cursors.fail(of.sink.name, { why: failure.why, at: desk.world.now() });
      if (failures === 1) desk.log.warn({ sink: of.sink.name, why: failure.why }, 'a sink does not take events; it is tried again');
      const asked = Math.min(failure.retryAfterMs ?? 0, limits.sinkRetryAfterMsMax);
      await pause(Math.max(asked, backoffMs(failures, desk.world)), desk.world, signal);
    } else if (moved) {
      if (alarmed) await desk.onFailing(of.sink.name, undefined);
      alarmed = false;
      if (failures > 0) desk.log.info({ sink: of.sink.name, failures }, 'a sink takes events again');
      failures = 0;
    } else {
      await desk.bell.wait(limits.followMs, signal);
    }
  }
}

function courseOf(courses: Map<string, Course>, { origin }: Cursor): Course {
  const known = courses.get(origin);
  if (known !== undefined) return known;
  const course: Course = { entriesMax: limits.sinkBatchEntriesMax as number, ceiling: limits.sinkBatchEntriesMax as number, refusals: 0 };
  courses.set(origin, course);
  return course;
}

function grow(course: Course): void {
  const { entriesMax, ceiling } = course;
  const larger = entriesMax < ceiling ? Math.min(ceiling, entriesMax * 2) : entriesMax + Math.ceil(entriesMax / 16);
  course.entriesMax = Math.min(limits.sinkBatchEntriesMax, larger);
}

/** Batch after batch of one ledger, until it has no more or its turn is over: the other ledgers wait. */
async function follow(
  of: RunnerSink,
  { cursor: first, course, ...desk }: RunnerDesk & { cursor: Cursor; course: Course },
  signal: AbortSignal,
): Promise<{ moved: boolean; failed?: FailedStep }> {
  let cursor = first;
  let moved = false;
  for (let turn = 0; turn < batchesInTurn && cursor.next < cursor.entries && !signal.aborted; turn += 1) {
    const result = await step(of, { ...desk, cursor, course }, signal);
    if (result.kind === 'failed') return { moved, failed: result };
    if (result.kind === 'idle') break;
    ({ cursor } = result);
    moved = true;
    course.refusals = 0;
    grow(course);
  }
  await takeBack(of, { ...desk, cursor, course }, signal);
  return { moved };
}

/** What to make of a failure: a batch that is refused becomes smaller, and an event that is refused alone again and again is set aside. */
async function gotPast(
  of: RunnerSink,
  { cursors, world, log, onSetAside }: RunnerDesk,
  { course, result }: { course: Course; result: FailedStep },
): Promise<boolean> {
  if (result.smaller !== true) return false;
  const [event, another] = result.events;
  if (event === undefined || another !== undefined) {
    course.entriesMax = Math.max(1, Math.ceil(result.events.length / 2));
    course.ceiling = course.entriesMax;
    // The half is tried at once, unless the receiver wants to be left alone.
    return result.retryAfterMs === undefined;
  }
  course.refusals += 1;
  if (course.refusals < limits.sinkRefusalsMax) return false;
  course.refusals = 0;
  const { cursor, to, why } = result;
  // INVARIANT: that something is missing at the receiver is on record before the cursor leaves it behind.
  const record = (): Promise<void> => onSetAside(of.sink.name, { event, why });
  if (!(await cursors.setAside({ sink: of.sink.name, cursor, to, event, why, at: world.now(), record }))) return false;
  course.ceiling = limits.sinkBatchEntriesMax;
  log.error({ sink: of.sink.name, record: event.key, why }, 'a receiver refuses a record; it is set aside');
  return true;
}

interface FailedStep {
  readonly kind: 'failed';
  readonly why: string;
  readonly smaller?: true;
  readonly retryAfterMs?: number;
  readonly events: readonly Facts[];
  /** As it is after the attempt. */
  readonly cursor: Cursor;
  readonly to: number;
}

type StepResult = { readonly kind: 'moved'; readonly cursor: Cursor } | { readonly kind: 'idle' } | FailedStep;

async function step(of: RunnerSink, desk: RunnerDesk & { cursor: Cursor; course: Course }, signal: AbortSignal): Promise<StepResult> {
  const { cursors, cursor, course, world } = desk;
  const sink = of.sink.name;
  const batch = await nextBatch(of, desk);
  if (batch === undefined) return { kind: 'idle' };
  const { to, events, sent } = batch;
  // As it is when nothing of this batch has arrived.
  const before = { ...cursor, sent };
  const marked = events.filter((event) => event.duplicate !== undefined).length;
  if (events.length === 0) {
    return { kind: 'moved', cursor: await cursors.advance({ sink, cursor, to, delivered: 0, marked: 0, at: world.now() }) };
  }
  // INVARIANT: what may arrive is written down before it leaves; whoever finds the note after a crash marks the events.
  const intended = await cursors.intend({ sink, cursor, to });
  readAhead(of, { ...desk, cursor: { ...intended, next: to, sent: Math.max(sent, to) } });
  const delivery = await attempt(of.transport, events.map(of.shown), { world, signal });
  if (delivery.kind === 'taken') {
    const upTo = await noted(course, signal);
    const next = await cursors.advance({ sink, cursor: intended, to, delivered: events.length, marked, at: world.now(), upTo });
    if (upTo !== undefined && course.ahead !== undefined) course.ahead.noted = next.sent;
    return { kind: 'moved', cursor: next };
  }
  delete course.ahead;
  if (delivery.arrived === 'nothing') await cursors.withdraw({ sink, cursor: intended, before, to });
  return { ...delivery, events, cursor: delivery.arrived === 'nothing' ? before : intended, to };
}

/** Where the batch ends that goes out next, when it is known: the note of it is written together with the acknowledgement of this one. */
async function noted({ ahead }: Course, signal: AbortSignal): Promise<number | undefined> {
  const batch = await ahead?.batch;
  return batch === undefined || batch.events.length === 0 || signal.aborted ? undefined : batch.to;
}

/** A batch of which was written down that it goes out, and that did not because the sink ends, was certainly not there. */
async function takeBack(of: RunnerSink, { cursors, cursor, course }: RunnerDesk & { cursor: Cursor; course: Course }, signal: AbortSignal) {
  const { ahead } = course;
  if (!signal.aborted || ahead === undefined || ahead.noted !== cursor.sent || ahead.next !== cursor.next) return;
  await cursors.withdraw({ sink: of.sink.name, cursor, before: { ...cursor, sent: Math.max(ahead.sent, cursor.next) }, to: cursor.sent });
}

/** The batch that was read ahead, when it is the one that comes now; `sent` as it was before the batch was written down. */
async function nextBatch(
  of: RunnerSink,
  desk: RunnerDesk & { cursor: Cursor; course: Course },
): Promise<(Batch & { readonly sent: number }) | undefined> {
  const { cursor, course } = desk;
  const { ahead } = course;
  delete course.ahead;
  if (ahead?.next === cursor.next && ahead.vkey === cursor.vkey && [ahead.sent, ahead.noted].includes(cursor.sent)) {
    const batch = await ahead.batch;
    if (batch !== undefined) return { ...batch, sent: ahead.sent };
  }
  const batch = await desk.read({ cursor, entriesMax: course.entriesMax, wanted: kindFilter(of.sink.kinds) });
  return batch === undefined ? undefined : { ...batch, sent: cursor.sent };
}

/** Reads what comes next while the receiver is busy; when that fails, it is read again in its turn. */
function readAhead(of: RunnerSink, { cursor, course, read }: RunnerDesk & { cursor: Cursor; course: Course }): void {
  if (cursor.next >= cursor.entries) return;
  const batch = read({ cursor, entriesMax: course.entriesMax, wanted: kindFilter(of.sink.kinds) }).catch(() => undefined);
  course.ahead = { next: cursor.next, sent: cursor.sent, vkey: cursor.vkey, batch };
}

/** One delivery with a time limit. */
export async function attempt(
  transport: Transport,
  events: readonly Facts[],
  { world, signal }: { world: World; signal: AbortSignal },
): Promise<Delivery> {
  const late = new AbortController();
  const timer = world.after(limits.sinkAttemptMs, () =>
    late.abort(new Error(`no acknowledgement within ${limits.sinkAttemptMs / 1000} s`)),
  );
  try {
    return await transport.deliver(events, AbortSignal.any([signal, late.signal]));
  } catch (error) {
    // A fault is thrown before anything is sent: the secret of the sink is missing.
    return failed(error instanceof Error ? error.message : String(error), error instanceof Fault ? 'nothing' : 'unknown');
  } finally {
    timer.cancel();
  }
}

/** Twice as long after each failure, between half and all of it: sinks that failed together do not come back together. */
function backoffMs(failures: number, world: World): number {
  const whole = Math.min(limits.sinkRetryMsMax, limits.sinkRetryMsMin * 2 ** Math.min(failures - 1, 20));
  const [random = 0] = world.randomBytes(1);
  return whole * (0.5 + random / 512);
}

function pause(delayMs: number, world: World, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      timer.cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = world.after(delayMs, done);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}
