import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Fault, limits } from '#model';
import { openBell } from '../evidence/bell.ts';
import { fakeWorld } from '../testing/fake-world.ts';
import { collectingLog } from '../testing/installation.ts';
import { kindFilter } from './batch.ts';
import type { Cursor, Cursors } from './cursors.ts';
import type { Facts } from './facts.ts';
import { runSink } from './runner.ts';
import { failed, taken } from './sink.ts';
import type { Delivery, SinkCommon, Transport } from './sink.ts';

const sink: SinkCommon = { name: 's', format: 'ocsf', kinds: [], from: 'beginning', privacy: {} };

/** The durable state of one sink, as the store keeps it: it survives a crash. */
function memory(entries: number): Cursors & { cursor: Cursor; errors: string[] } {
  const change = (cursor: Cursor, next: number, sent: number): void => {
    if (cursor.next !== state.cursor.next || cursor.sent !== state.cursor.sent) throw new Fault('CONFLICT', 'moved');
    assert.ok(sent >= next);
    state.cursor = { ...state.cursor, next, sent };
  };
  const state: Cursors & { cursor: Cursor; errors: string[] } = {
    cursor: { origin: 'o', vkey: 'k', next: 0, sent: 0, entries },
    errors: [],
    load: async () => [state.cursor],
    async intend({ cursor, to }) {
      change(cursor, cursor.next, Math.max(cursor.sent, to));
      return state.cursor;
    },
    async withdraw({ cursor, before }) {
      change(cursor, cursor.next, before.sent);
    },
    async advance({ cursor, to }) {
      change(cursor, to, Math.max(cursor.sent, to));
    },
    async fail(_sink, { why }) {
      state.errors.push(why);
    },
  };
  return state;
}

async function read({ cursor, entriesMax, wanted }: { cursor: Cursor; entriesMax: number; wanted: (kind: string) => boolean }) {
  const to = Math.min(cursor.next + entriesMax, cursor.entries);
  if (to <= cursor.next) return undefined;
  const events: Facts[] = [];
  for (let i = cursor.next; i < to; i += 1) {
    const kind = i % 5 === 0 ? 'log.heartbeat' : 'operation.decided';
    if (!wanted(kind)) continue;
    events.push({
      key: `o#${i}`,
      origin: 'o',
      i,
      t: i,
      kind,
      leaf: String(i),
      ...(i < cursor.sent ? { duplicate: 'possible' as const } : {}),
    });
  }
  return { events, to };
}

/** A runner in a world whose timers run at once, until everything is delivered or it dies. */
async function live(
  cursors: ReturnType<typeof memory>,
  transport: Transport,
  options: { kinds?: string[]; batch?: number } = {},
): Promise<void> {
  const world = fakeWorld();
  const stop = new AbortController();
  const hurried = {
    ...world,
    after: (_ms: number, callback: () => void) => {
      // The limit of an attempt never comes; pauses and waits are over at once.
      const timer = setImmediate(() => (_ms === limits.sinkAttemptMs ? undefined : callback()));
      return { cancel: () => clearImmediate(timer) };
    },
  };
  const running = runSink(
    { sink: { ...sink, kinds: options.kinds ?? [] }, transport, shown: (facts) => facts },
    {
      read: async (query) => {
        const batch = await read({ ...query, entriesMax: Math.min(query.entriesMax, options.batch ?? query.entriesMax) });
        if (batch === undefined) stop.abort();
        return batch;
      },
      cursors,
      world: hurried,
      log: collectingLog(),
      bell: openBell(hurried),
    },
    stop.signal,
  );
  await running;
}

/** What arrived, with a check of the promise: nothing is missing, and what came again says so. */
function checkReceived(received: readonly Facts[], entries: number): { duplicates: number; unmarked: number } {
  const seen = new Set<number>();
  let duplicates = 0;
  let unmarked = 0;
  for (const event of received) {
    if (seen.has(event.i)) {
      duplicates += 1;
      if (event.duplicate === undefined) unmarked += 1;
    }
    seen.add(event.i);
  }
  assert.equal(seen.size, entries, `missing: ${entries - seen.size}`);
  return { duplicates, unmarked };
}

class Crash extends Error {}

/** Crashes of one run of the property; a nightly run asks for more. */
const runs = Number(process.env['SINK_CRASH_RUNS'] ?? 300);

test('killed at any point, a sink misses nothing and marks everything that comes again', async () => {
  let crashes = 0;
  let duplicates = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.record({ at: fc.integer({ min: 0, max: 8 }), early: fc.boolean(), part: fc.double({ min: 0, max: 1, noNaN: true }) }), {
        maxLength: 12,
      }),
      fc.array(fc.constantFrom<Delivery['kind'] | 'lost-answer' | 'throws'>('taken', 'failed', 'lost-answer', 'throws'), { maxLength: 10 }),
      async (entries, kills, moods) => {
        const durable = memory(entries);
        const received: Facts[] = [];
        const mood = moods[Symbol.iterator]();
        for (const kill of [...kills, undefined]) {
          let steps = 0;
          const dying = async <T>(effect: () => Promise<T>): Promise<T> => {
            steps += 1;
            if (steps - 1 !== kill?.at) return effect();
            if (!kill.early) await effect();
            throw new Crash();
          };
          const cursors = Object.assign(Object.create(durable), {
            intend: (step: never) => dying(() => durable.intend(step)),
            withdraw: (step: never) => dying(() => durable.withdraw(step)),
            advance: (step: never) => dying(() => durable.advance(step)),
          });
          let dead = false;
          const transport: Transport = {
            async deliver(events) {
              steps += 1;
              if (steps - 1 === kill?.at) {
                received.push(...events.slice(0, Math.round(events.length * kill.part)));
                dead = true;
                // The process is gone: nothing after this is seen by anybody.
                throw new Crash();
              }
              const now = mood.next().value ?? 'taken';
              if (now === 'failed') return failed('refused', 'nothing');
              received.push(...events);
              if (now === 'throws') throw new Error('broken');
              return now === 'taken' ? taken : failed('lost', 'unknown');
            },
            close: async () => undefined,
          };
          const guarded: Transport = {
            close: transport.close,
            // A crash must not be handled like a failure of the receiver.
            deliver: (events, signal) =>
              transport
                .deliver(events, signal)
                .catch((error: unknown) => (dead ? new Promise<never>(() => crashed.reject(new Crash())) : Promise.reject(error))),
          };
          const crashed = Promise.withResolvers<never>();
          crashed.promise.catch(() => undefined);
          try {
            await Promise.race([live(cursors, guarded, { batch: 7 }), crashed.promise]);
          } catch (error) {
            if (!(error instanceof Crash)) throw error;
            crashes += 1;
          }
        }
        const result = checkReceived(received, entries);
        duplicates += result.duplicates;
        assert.equal(result.unmarked, 0);
      },
    ),
    { numRuns: runs },
  );
  assert.ok(crashes > runs / 4, `${crashes} crashes`);
  assert.ok(duplicates > 0);
});

test('without the note before the delivery the same test fails', async () => {
  const durable = memory(10);
  const received: Facts[] = [];
  const forgetful = Object.assign(Object.create(durable), { intend: async ({ cursor }: { cursor: Cursor }) => cursor });
  const once = { crashed: false };
  const transport: Transport = {
    async deliver(events) {
      received.push(...events);
      if (once.crashed) return taken;
      once.crashed = true;
      throw new Error('the process dies');
    },
    close: async () => undefined,
  };
  await live(forgetful, transport);
  assert.ok(checkReceived(received, 10).unmarked > 0);
});

test('what a receiver refuses outright comes again unmarked', async () => {
  const cursors = memory(7);
  const received: Facts[] = [];
  let refusals = 3;
  await live(cursors, {
    async deliver(events) {
      refusals -= 1;
      if (refusals >= 0) return failed('connection refused', 'nothing');
      received.push(...events);
      return taken;
    },
    close: async () => undefined,
  });
  assert.deepEqual(checkReceived(received, 7), { duplicates: 0, unmarked: 0 });
  assert.ok(received.every((event) => event.duplicate === undefined));
  assert.deepEqual(cursors.errors, ['connection refused', 'connection refused', 'connection refused']);
});

test('a sink whose secret is missing has sent nothing, and says which one', async () => {
  const cursors = memory(3);
  const received: Facts[] = [];
  let missing = true;
  await live(cursors, {
    async deliver(events) {
      if (missing) {
        missing = false;
        throw new Fault('CONFIG_INVALID', 'there is no secret at env:TOKEN');
      }
      received.push(...events);
      return taken;
    },
    close: async () => undefined,
  });
  assert.deepEqual(checkReceived(received, 3), { duplicates: 0, unmarked: 0 });
  assert.ok(received.every((event) => event.duplicate === undefined));
  assert.deepEqual(cursors.errors, ['there is no secret at env:TOKEN']);
});

test('a batch that is too large is tried in smaller ones', async () => {
  const cursors = memory(1_000);
  const received: Facts[] = [];
  const sizes: number[] = [];
  await live(cursors, {
    async deliver(events) {
      sizes.push(events.length);
      if (events.length > 100) return failed('too large', 'nothing', true);
      received.push(...events);
      return taken;
    },
    close: async () => undefined,
  });
  assert.deepEqual(checkReceived(received, 1_000), { duplicates: 0, unmarked: 0 });
  assert.deepEqual(sizes.slice(0, 4), [500, 250, 125, 63]);
});

test('a sink that asks for some kinds gets those, and moves past the others', async () => {
  const cursors = memory(1_200);
  const received: Facts[] = [];
  const transport: Transport = {
    async deliver(events) {
      received.push(...events);
      return taken;
    },
    close: async () => undefined,
  };
  await live(cursors, transport, { kinds: ['log.*'] });
  assert.equal(received.length, 240);
  assert.equal(cursors.cursor.next, 1_200);
  const wanted = kindFilter(['operation.*', 'session.opened']);
  assert.deepEqual(['operation.settled', 'session.opened', 'session.closed'].map(wanted), [true, true, false]);
});

test('a receiver that says nothing is given up after a while, and the events come again marked', async () => {
  const world = fakeWorld();
  const cursors = memory(3);
  const stop = new AbortController();
  const seen: (readonly Facts[])[] = [];
  const running = runSink(
    {
      sink,
      shown: (facts) => facts,
      transport: {
        deliver: (events, signal) =>
          new Promise((resolve) => {
            seen.push(events);
            if (seen.length > 1) return resolve(taken);
            signal.addEventListener('abort', () => resolve(failed('too slow', 'unknown')));
            setImmediate(() => world.advance(limits.sinkAttemptMs));
          }),
        close: async () => undefined,
      },
    },
    { read, cursors, world, log: collectingLog(), bell: openBell(world) },
    stop.signal,
  );
  while (cursors.cursor.next < 3) {
    await new Promise((resolve) => setImmediate(resolve));
    world.advance(1_000);
  }
  stop.abort();
  await running;
  assert.deepEqual(
    seen.map((events) => events.map((event) => event.duplicate)),
    [
      [undefined, undefined, undefined],
      ['possible', 'possible', 'possible'],
    ],
  );
});
