import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { Fault, limits } from '#model';
import { Breaker } from './breaker.ts';
import { guarded } from './engine.ts';
import { remoteOpa } from './remote-opa.ts';

const terms = { deadlineMs: 5_000, breaker: { failures: 3, pauseMs: 60_000 } };

async function withServer<T>(answer: RequestListener, use: (url: string) => Promise<T>): Promise<T> {
  const server = createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // Reason: a server that listens on TCP has an address of this form.
  const { port } = server.address() as AddressInfo;
  try {
    return await use(`http://127.0.0.1:${port}/v1/data/sql/authz`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function says(body: string, status = 200): RequestListener {
  return (_request, response) => response.writeHead(status, { 'content-type': 'application/json' }).end(body);
}

describe('an OPA that answers elsewhere', () => {
  test('is asked with the input, and its result is the answer', async () => {
    let asked = '';
    const answer = await withServer(
      (request, response) => {
        request.on('data', (part: Buffer) => (asked += part.toString()));
        request.on('end', () => response.end('{"decision_id":"1","result":{"allow":true}}'));
      },
      (url) => remoteOpa({ ...terms, url }).ask({ tables: ['a'], big: 1n }, 0),
    );
    assert.deepEqual(answer, { ok: true, result: { allow: true } });
    assert.deepEqual(JSON.parse(asked), { input: { tables: ['a'], big: 1 } });
  });

  test('leaves undefined what its policies leave undefined', async () => {
    assert.deepEqual(await withServer(says('{}'), (url) => remoteOpa({ ...terms, url }).ask({}, 0)), { ok: true });
  });

  test('gives no answer with an error, with something else than JSON, from another place, or without end', async () => {
    const why = async (answer: RequestListener): Promise<string> => {
      const said = await withServer(answer, (url) => remoteOpa({ ...terms, url }).ask({}, 0));
      return said.ok ? 'answered' : said.why;
    };
    assert.equal(await why(says('{"result":true}', 500)), 'it answered with status 500');
    assert.match(await why(says('<html>')), /JSON/);
    assert.equal(await why(says('[true]')), 'its answer is no JSON object');
    assert.match(await why((_request, response) => response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end()), /redirect/);
    assert.match(await why(says(`"${'x'.repeat(limits.foreignAnswerBytesMax)}"`)), /longer than/);
  });

  test('is not waited for longer than its deadline', async () => {
    const answer = await withServer(
      () => undefined,
      (url) => remoteOpa({ ...terms, deadlineMs: 50, url }).ask({}, 0),
    );
    assert.deepEqual(answer, { ok: false, because: 'late', why: 'no answer within 50 ms' });
  });

  test('is not asked in clear on another machine', () => {
    for (const url of ['http://opa.example.com/v1/data/x', 'ftp://127.0.0.1/x', 'https://user:secret@opa.example.com/', 'opa'])
      assert.throws(
        () => remoteOpa({ ...terms, url }),
        (error) => error instanceof Fault && error.code === 'CONFIG_INVALID',
      );
  });
});

describe('the breaker', () => {
  test('opens after failures in a row, lets one question through after the pause, and closes with its answer', () => {
    let now = 0;
    const breaker = new Breaker({ failures: 2, pauseMs: 100 }, () => now);
    const fail = (): void => {
      assert.equal(breaker.admits(), true);
      breaker.failed();
    };
    fail();
    breaker.succeeded();
    fail();
    fail();
    assert.equal(breaker.admits(), false);
    now = 99;
    assert.equal(breaker.admits(), false);
    now = 100;
    assert.equal(breaker.admits(), true);
    assert.equal(breaker.admits(), false, 'one question at a time while nobody knows');
    breaker.failed();
    now = 199;
    assert.equal(breaker.admits(), false);
    now = 200;
    assert.equal(breaker.admits(), true);
    breaker.succeeded();
    assert.equal(breaker.admits(), true);
    assert.equal(breaker.admits(), true);
  });
});

describe('a crowd of questions', () => {
  const crowd = () => {
    const releases: (() => void)[] = [];
    const ask = guarded(() => new Promise((resolve) => releases.push(() => resolve('done'))), terms);
    return { ask, releases };
  };

  test('waits for its turn, and beyond that many nobody may', async () => {
    const { ask, releases } = crowd();
    const asked = Array.from({ length: limits.foreignQuestionsMax + limits.foreignWaitingMax }, () => ask({}, 0));
    await new Promise<void>((resolve) => void setImmediate(resolve));
    assert.equal(releases.length, limits.foreignQuestionsMax);
    assert.deepEqual(await ask({}, 0), { ok: false, because: 'busy', why: `${limits.foreignWaitingMax} questions wait for it already` });
    for (let answered = 0; answered < asked.length; answered += 1) {
      releases.shift()?.();
      await new Promise<void>((resolve) => void setImmediate(resolve));
    }
    assert.ok((await Promise.all(asked)).every((answer) => answer.ok));
  });

  test('does not count against the engine while it only waited', async () => {
    const ends: (() => void)[] = [];
    const releases: (() => void)[] = [];
    const ask = guarded(
      () => new Promise((resolve) => releases.push(() => resolve('done'))),
      { deadlineMs: 20, breaker: { failures: 1, pauseMs: 60_000 } },
      {
        monotonicNs: () => 0n,
        after: (_ms, end) => {
          ends.push(end);
          return { cancel: () => undefined };
        },
      },
    );
    const asked = Array.from({ length: limits.foreignQuestionsMax }, () => ask({}, 0));
    const waiting = ask({}, 0);
    await new Promise<void>((resolve) => void setImmediate(resolve));
    ends.at(-1)?.();
    assert.deepEqual(await waiting, { ok: false, because: 'late', why: 'no answer within 20 ms' });
    for (const release of releases.splice(0)) release();
    assert.ok((await Promise.all(asked)).every((answer) => answer.ok));
    const next = ask({}, 0);
    await new Promise<void>((resolve) => void setImmediate(resolve));
    releases[0]?.();
    assert.deepEqual(await next, { ok: true, result: 'done' });
  });
});

test('a connection that was closed under a question is no failure when another one answers', async () => {
  let asked = 0;
  const answer = await withServer(
    (request, response) => {
      asked += 1;
      if (asked === 1) request.socket.destroy();
      else response.end('{"result":true}');
    },
    (url) => remoteOpa({ ...terms, url }).ask({}, 0),
  );
  assert.deepEqual([answer, asked], [{ ok: true, result: true }, 2]);
});
