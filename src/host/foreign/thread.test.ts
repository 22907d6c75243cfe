import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EngineThread } from './thread.ts';

const script = (body: string): URL =>
  new URL(`data:text/javascript,${encodeURIComponent(`import { parentPort } from 'node:worker_threads'; ${body}`)}`);
/** Echoes; spins for ever when it is told to. */
const echo = script(`parentPort.postMessage({ id: 0 });
  parentPort.on('message', ({ id, input }) => { while (input === '"spin"'); parentPort.postMessage({ id, ok: true, result: JSON.parse(input) }); });`);
const never = (): AbortSignal => new AbortController().signal;

describe('the thread of an engine', () => {
  test('asks one question after the other, and ends with the one that nobody waits for any more', async () => {
    const thread = new EngineThread(echo, undefined);
    try {
      await thread.ready();
      const patience = new AbortController();
      const slow = thread.ask('"spin"', 0, patience.signal);
      const behind = [1, 2, 3].map((n) => thread.ask(String(n), 0, never()));
      patience.abort();
      await assert.rejects(slow, /nobody waits/);
      assert.deepEqual(await Promise.all(behind), [{ result: 1 }, { result: 2 }, { result: 3 }]);
    } finally {
      await thread.close();
    }
  });

  test('forgets a question that nobody waits for before it was asked', async () => {
    const thread = new EngineThread(echo, undefined);
    try {
      const patience = new AbortController();
      const first = thread.ask('1', 0, never());
      const second = thread.ask('"spin"', 0, patience.signal);
      const third = thread.ask('3', 0, never());
      patience.abort();
      await assert.rejects(second, /nobody waits/);
      assert.deepEqual(await Promise.all([first, third]), [{ result: 1 }, { result: 3 }]);
    } finally {
      await thread.close();
    }
  });

  test('that breaks down says so to the one it was answering, and a new one answers the next', async () => {
    const frail = script(`parentPort.postMessage({ id: 0 });
      parentPort.on('message', ({ id, input }) => { if (input === '"break"') throw new Error('broken'); parentPort.postMessage({ id, ok: true, result: 1 }); });`);
    const thread = new EngineThread(frail, undefined);
    try {
      const asked = [thread.ask('"break"', 0, never()), thread.ask('1', 0, never())] as const;
      await assert.rejects(asked[0], /broken/);
      assert.deepEqual(await asked[1], { result: 1 });
    } finally {
      await thread.close();
    }
  });

  test('that cannot start is not tried again and again for those who wait', async () => {
    const thread = new EngineThread(script(`throw new Error('no engine');`), undefined);
    try {
      await assert.rejects(thread.ask('1', 0, never()), /no engine/);
      await thread.ready();
    } finally {
      await thread.close();
    }
  });

  test('that answers something else than it was asked answers nobody', async () => {
    const liar = script(
      `parentPort.postMessage({ id: 0 }); parentPort.on('message', () => parentPort.postMessage({ id: 99, ok: true, result: 1 }));`,
    );
    const thread = new EngineThread(liar, undefined);
    try {
      const patience = new AbortController();
      const asked = thread.ask('1', 0, patience.signal);
      await thread.ready();
      patience.abort();
      await assert.rejects(asked, /nobody waits/);
    } finally {
      await thread.close();
    }
  });
});
