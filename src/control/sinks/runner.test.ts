import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault, limits } from '#model';
import { openBell } from '../evidence/bell.ts';
import { fakeWorld } from '../testing/fake-world.ts';
import { collectingLog } from '../testing/installation.ts';
import { kindFilter } from './batch.ts';
import type { Cursor } from './cursors.ts';
import type { Facts } from './facts.ts';
import { runSink } from './runner.ts';
import { failed, taken } from './sink.ts';
import type { Transport } from './sink.ts';
import { surviveCrashes } from './testing/crashes.ts';
import { checkReceived, live, memory, read, sink } from './testing/runner.ts';

test('killed at any point, a sink misses nothing and marks everything that comes again', async () => {
  const { crashes, duplicates, aside } = await surviveCrashes({ runs: 300 });
  assert.ok(crashes > 75 && duplicates > 0 && aside > 0, `${crashes} crashes, ${duplicates} duplicates, ${aside} set aside`);
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
    {
      read,
      cursors,
      world,
      log: collectingLog(),
      bell: openBell(world),
      onSetAside: async () => undefined,
      onFailing: async () => undefined,
    },
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
