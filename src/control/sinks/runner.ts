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
}

export interface RunnerSink {
  readonly sink: SinkCommon;
  readonly transport: Transport;
  /** The privacy rules of the sink. */
  readonly shown: (facts: Facts) => Facts;
}

/**
 * Delivers every mirrored record to one sink, in order, until `signal` aborts. It tries for ever: a receiver that is away only makes the
 * sink late. Throws when the store fails or when somebody else delivers to the same sink.
 */
export async function runSink(of: RunnerSink, desk: RunnerDesk, signal: AbortSignal): Promise<void> {
  const state = { failures: 0, entriesMax: limits.sinkBatchEntriesMax as number };
  while (!signal.aborted) {
    let moved = false;
    let failure: string | undefined;
    for (const cursor of await desk.cursors.load(of.sink.name, of.sink.from)) {
      if (signal.aborted) return;
      const result = await step(of, { ...desk, cursor, entriesMax: state.entriesMax }, signal);
      if (result.kind === 'moved') {
        moved = true;
        state.entriesMax = Math.min(limits.sinkBatchEntriesMax, state.entriesMax * 2);
      } else if (result.kind === 'failed') {
        failure = result.why;
        if (result.smaller === true) state.entriesMax = Math.max(1, Math.ceil(result.tried / 2));
      }
    }
    if (failure !== undefined && !signal.aborted) {
      state.failures += 1;
      await desk.cursors.fail(of.sink.name, { why: failure, at: desk.world.now() });
      if (state.failures === 1) desk.log.warn({ sink: of.sink.name, why: failure }, 'a sink does not take events; it is tried again');
      await pause(backoffMs(state.failures, desk.world), desk.world, signal);
    } else if (moved) {
      if (state.failures > 0) desk.log.info({ sink: of.sink.name, failures: state.failures }, 'a sink takes events again');
      state.failures = 0;
    } else {
      await desk.bell.wait(limits.followMs, signal);
    }
  }
}

type StepResult =
  | { readonly kind: 'moved' }
  | { readonly kind: 'idle' }
  | { readonly kind: 'failed'; readonly why: string; readonly smaller?: boolean; readonly tried: number };

async function step(of: RunnerSink, desk: RunnerDesk & { cursor: Cursor; entriesMax: number }, signal: AbortSignal): Promise<StepResult> {
  const { cursors, cursor, world } = desk;
  const sink = of.sink.name;
  const batch = await desk.read({ cursor, entriesMax: desk.entriesMax, wanted: kindFilter(of.sink.kinds) });
  if (batch === undefined) return { kind: 'idle' };
  const { to, events } = batch;
  const marked = events.filter((event) => event.duplicate !== undefined).length;
  if (events.length === 0) {
    await cursors.advance({ sink, cursor, to, delivered: 0, marked: 0, at: world.now() });
    return { kind: 'moved' };
  }
  // INVARIANT: what may arrive is written down before it leaves; whoever finds the note after a crash marks the events.
  const intended = await cursors.intend({ sink, cursor, to });
  const delivery = await attempt(of.transport, events.map(of.shown), { world, signal });
  if (delivery.kind === 'taken') {
    await cursors.advance({ sink, cursor: intended, to, delivered: events.length, marked, at: world.now() });
    return { kind: 'moved' };
  }
  if (delivery.arrived === 'nothing') await cursors.withdraw({ sink, cursor: intended, before: cursor, to });
  const { why, smaller } = delivery;
  return { kind: 'failed', why, tried: events.length, ...(smaller === undefined ? {} : { smaller }) };
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
