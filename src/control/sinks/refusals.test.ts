import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '#model';
import { openBell } from '../evidence/bell.ts';
import { fakeWorld } from '../testing/fake-world.ts';
import { collectingLog } from '../testing/installation.ts';
import type { Cursor } from './cursors.ts';
import type { Facts } from './facts.ts';
import { runSink } from './runner.ts';
import { failed, taken } from './sink.ts';
import type { Transport } from './sink.ts';
import { checkReceived, live, memory, read, sink } from './testing/runner.ts';

/** A receiver that refuses some events for what they are, whatever is with them. */
function picky(refuses: (event: Facts) => boolean): { transport: Transport; received: Facts[]; attempts: () => number } {
  const received: Facts[] = [];
  let attempts = 0;
  return {
    received,
    attempts: () => attempts,
    transport: {
      async deliver(events) {
        attempts += 1;
        if (events.some(refuses)) return failed('status 400', 'nothing', { smaller: true });
        received.push(...events);
        return taken;
      },
      close: async () => undefined,
    },
  };
}

test('a batch that is too large is tried in smaller ones', async () => {
  const cursors = memory(1_000);
  const received: Facts[] = [];
  const sizes: number[] = [];
  await live(cursors, {
    async deliver(events) {
      sizes.push(events.length);
      if (events.length > 100) return failed('too large', 'nothing', { smaller: true });
      received.push(...events);
      return taken;
    },
    close: async () => undefined,
  });
  assert.deepEqual(checkReceived(received, 1_000), { duplicates: 0, unmarked: 0 });
  assert.deepEqual(sizes.slice(0, 5), [1_000, 500, 250, 125, 63]);
});

test('an event that its receiver refuses for what it is is set aside, on record, and everything else arrives', async () => {
  const cursors = memory(1_000);
  const { transport, received } = picky(({ i }) => i === 300 || i === 301 || i === 777);
  const recorded: string[] = [];
  await live(cursors, transport, { onSetAside: async (_sink, { event, why }) => void recorded.push(`${event.key}: ${why}`) });
  assert.deepEqual(cursors.aside, [300, 301, 777]);
  assert.deepEqual(recorded, ['o#300: status 400', 'o#301: status 400', 'o#777: status 400']);
  assert.equal(received.length, 997);
  assert.equal(new Set(received.map(({ i }) => i)).size, 997, 'and nothing twice');
});

test('an event is set aside only after several attempts, and not when that cannot be recorded', async () => {
  const cursors = memory(10);
  let refusals = 0;
  const { transport } = picky(({ i }) => i === 4 && (refusals += 1) < limits.sinkRefusalsMax);
  await live(cursors, transport);
  assert.deepEqual(cursors.aside, [], 'the receiver changed its mind in time');
  const unrecorded = memory(10);
  const refusing = picky(({ i }) => i === 4);
  await assert.rejects(live(unrecorded, refusing.transport, { onSetAside: () => Promise.reject(new Error('the ledger is full')) }), /full/);
  assert.deepEqual([unrecorded.aside, unrecorded.cursor.next], [[], 4]);
});

test('a receiver that refuses everything gets a few events set aside and then the sink waits for it', async () => {
  const cursors = memory(100);
  const { transport, received } = picky(() => true);
  await live(cursors, transport, { batch: 7, tries: 400 });
  assert.equal(received.length, 0);
  assert.equal(cursors.aside.length, limits.sinkSetAsideInRowMax);
  assert.equal(cursors.cursor.next, limits.sinkSetAsideInRowMax);
  assert.ok(cursors.errors.length > 50, 'and says so each time');
});

test('a receiver with a size limit refuses few batches, not every second one', async () => {
  const cursors = memory(20_000);
  const sizes: number[] = [];
  const received: Facts[] = [];
  await live(cursors, {
    async deliver(events) {
      sizes.push(events.length);
      if (events.length > 300) return failed('413', 'nothing', { smaller: true });
      received.push(...events);
      return taken;
    },
    close: async () => undefined,
  });
  assert.deepEqual(checkReceived(received, 20_000), { duplicates: 0, unmarked: 0 });
  const refused = sizes.filter((size) => size > 300).length;
  assert.ok(refused * 4 < sizes.length, `${refused} of ${sizes.length}`);
});

test('a receiver that asks for a pause gets it, up to a limit', async () => {
  const world = fakeWorld();
  const cursors = memory(3);
  const stop = new AbortController();
  const pauses: number[] = [];
  const asked = [7_000, 99 * 60 * 60 * 1000];
  const noting = {
    ...world,
    after: (ms: number, callback: () => void) => {
      if (ms !== limits.sinkAttemptMs && ms !== limits.followMs) pauses.push(ms);
      return world.after(ms, callback);
    },
  };
  const transport: Transport = {
    async deliver() {
      const retryAfterMs = asked.shift();
      return retryAfterMs === undefined ? taken : failed('status 429', 'nothing', { retryAfterMs });
    },
    close: async () => undefined,
  };
  const desk = {
    read,
    cursors,
    world: noting,
    log: collectingLog(),
    bell: openBell(noting),
    onSetAside: async () => undefined,
    onFailing: async () => undefined,
  };
  const running = runSink({ sink, transport, shown: (facts) => facts }, desk, stop.signal);
  while (cursors.cursor.next < 3) {
    await new Promise((resolve) => setImmediate(resolve));
    world.advance(1_000);
  }
  stop.abort();
  await running;
  assert.deepEqual(pauses, [7_000, limits.sinkRetryAfterMsMax]);
});

test('a receiver that is away for long raises one alarm, and its return ends it', async () => {
  const world = fakeWorld();
  const cursors = memory(3);
  const stop = new AbortController();
  const told: (string | undefined)[] = [];
  const began = world.monotonicNs();
  const away = (): boolean => world.monotonicNs() - began < BigInt(3 * limits.sinkAlarmMs) * 1_000_000n;
  const transport: Transport = { deliver: async () => (away() ? failed('refused', 'nothing') : taken), close: async () => undefined };
  const onFailing = async (_sink: string, why: string | undefined): Promise<void> => void told.push(why);
  const desk = { read, cursors, world, log: collectingLog(), bell: openBell(world), onSetAside: async () => undefined, onFailing };
  const running = runSink({ sink, transport, shown: (facts) => facts }, desk, stop.signal);
  while (told.length < 2) {
    await new Promise((resolve) => setImmediate(resolve));
    world.advance(10_000);
  }
  stop.abort();
  await running;
  assert.deepEqual([told, cursors.cursor.next], [['refused', undefined], 3]);
});

test('two ledgers on one sink do not spoil each other the search for an event that is refused', async () => {
  const both = [memory(400), memory(400)].map((one, at) => Object.assign(one, { cursor: { ...one.cursor, origin: `o${at}` } }));
  const [first, second] = both as [ReturnType<typeof memory>, ReturnType<typeof memory>];
  const of = (cursor: Cursor): ReturnType<typeof memory> => (cursor.origin === 'o0' ? first : second);
  const cursors = {
    ...first,
    load: async () => [first.cursor, second.cursor],
    intend: (step: never) => of((step as { cursor: Cursor }).cursor).intend(step),
    withdraw: (step: never) => of((step as { cursor: Cursor }).cursor).withdraw(step),
    advance: (step: never) => of((step as { cursor: Cursor }).cursor).advance(step),
    setAside: (step: never) => of((step as { cursor: Cursor }).cursor).setAside(step),
  } as unknown as ReturnType<typeof memory>;
  const { transport, attempts } = picky(({ i }) => i === 399);
  await live(cursors, transport, { tries: 200 });
  assert.deepEqual([first.aside, second.aside], [[399], [399]]);
  assert.ok(attempts() < 100, String(attempts()));
});
