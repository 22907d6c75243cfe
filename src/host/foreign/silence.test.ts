import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { limits, type EngineAnswer, type World } from '#model';
import { guarded, questionText } from './engine.ts';
import { remoteOpa } from './remote-opa.ts';

const deep = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;

/** What a server may do to a question. Only the first is an answer that allows. */
const behaviours = {
  yes: (response) => response.end('{"result":{"allow":true}}'),
  no: (response) => response.end('{"result":{"allow":false}}'),
  undefined: (response) => response.end('{}'),
  never: () => undefined,
  trickles: (response) => void response.write('{"result":{"allow"'),
  early: (response) => {
    response.writeHead(200, { 'content-length': '1000' });
    response.write('{"result":{"allow":true}}');
    setImmediate(() => response.destroy());
  },
  destroyed: (response) => response.destroy(),
  status: (response) => response.writeHead(500).end('{"result":{"allow":true}}'),
  moved: (response) => response.writeHead(302, { location: '/yes' }).end(),
  garbage: (response) => response.end('{"result":{"allow":tru'),
  list: (response) => response.end('[{"result":{"allow":true}}]'),
  huge: (response) => response.end(`{"result":{"allow":true,"x":"${'x'.repeat(limits.foreignAnswerBytesMax)}"}}`),
  deep: (response) => response.end(`{"result":{"allow":true,"x":${deep(limits.foreignAnswerDepthMax)}}}`),
  abyss: (response) => response.end(`{"result":${deep(200_000)}}`),
  many: (response) => response.end(`{"result":{"allow":true,"x":[${'1,'.repeat(limits.foreignAnswerValuesMax)}1]}}`),
} as const satisfies Readonly<Record<string, (response: ServerResponse) => unknown>>;
type Behaviour = keyof typeof behaviours;

let behaviour: Behaviour = 'yes';
const serve = (request: IncomingMessage, response: ServerResponse): void => {
  request.resume().on('end', () => void behaviours[request.url === '/yes' ? 'yes' : behaviour](response));
};
const server = createServer(serve);
let url = '';

before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // Reason: a server that listens on TCP has an address of this form.
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/data/x`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

function allows(answer: EngineAnswer): boolean {
  const { result } = answer.ok ? answer : { result: undefined };
  return typeof result === 'object' && result !== null && 'allow' in result && result.allow === true;
}

describe('an OPA of which anything may be expected', () => {
  test('allows nothing but what it says in time, in whole and in bounds, however it changes between questions', async () => {
    const plans = fc.array(fc.constantFrom(...(Object.keys(behaviours) as Behaviour[])), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(plans, async (plan) => {
        const opa = remoteOpa({ url, deadlineMs: 60, breaker: { failures: 1000, pauseMs: 1 } });
        for (const one of plan) {
          behaviour = one;
          const answer = await opa.ask({}, 0);
          // A busy machine may be late with a yes; nothing else may ever become one.
          if (allows(answer)) assert.equal(one, 'yes');
          else if (one === 'yes') assert.ok(!answer.ok && answer.because === 'late', JSON.stringify(answer));
          server.closeIdleConnections();
        }
      }),
      { numRuns: 15 },
    );
  });

  test('says which kind of silence it is', async () => {
    const opa = remoteOpa({ url, deadlineMs: 100, breaker: { failures: 1000, pauseMs: 1 } });
    const why = async (one: Behaviour): Promise<string> => {
      behaviour = one;
      const answer = await opa.ask({}, 0);
      return answer.ok ? 'answered' : `${answer.because}: ${answer.why}`;
    };
    assert.equal(await why('never'), 'late: no answer within 100 ms');
    assert.equal(await why('trickles'), 'late: no answer within 100 ms');
    assert.match(await why('deep'), /^failed: its answer is nested deeper than/);
    assert.match(await why('many'), /^failed: its answer has more than/);
    assert.equal(await why('garbage'), 'failed: its answer is no JSON');
  });
});

test('a token is sent as it is now, and a missing one is a silence that names the place and not the secret', async () => {
  const seen: (string | undefined)[] = [];
  const listen = (request: IncomingMessage): void => void seen.push(request.headers.authorization);
  server.on('request', listen);
  behaviour = 'yes';
  try {
    const opa = remoteOpa({ url, token: 'env:WARDER_TEST_OPA_TOKEN', deadlineMs: 5_000, breaker: { failures: 10, pauseMs: 1 } });
    const missing = await opa.ask({}, 0);
    assert.ok(!missing.ok && missing.why.includes('env:WARDER_TEST_OPA_TOKEN'));
    for (const token of ['one', 'two']) {
      process.env['WARDER_TEST_OPA_TOKEN'] = token;
      assert.ok((await opa.ask({}, 0)).ok);
    }
    assert.deepEqual(seen, ['Bearer one', 'Bearer two']);
  } finally {
    delete process.env['WARDER_TEST_OPA_TOKEN'];
    server.off('request', listen);
  }
});

test('a question that is too long is not asked', async () => {
  assert.throws(() => questionText('x'.repeat(limits.foreignQuestionCharsMax)), /the question is longer than/);
  assert.equal(questionText({ big: 10n ** 20n, small: 5n }), '{"big":"100000000000000000000","small":5}');
});

test('the breaker and the deadline go by the clock that they are given', async () => {
  let nowNs = 0n;
  let due: (() => void) | undefined;
  const world: Pick<World, 'monotonicNs' | 'after'> = {
    monotonicNs: () => nowNs,
    after: (_ms, callback) => {
      due = callback;
      return { cancel: () => (due = undefined) };
    },
  };
  let asked = 0;
  const ask = guarded(
    () => {
      asked += 1;
      return new Promise(() => undefined);
    },
    { deadlineMs: 10, breaker: { failures: 2, pauseMs: 1000 } },
    world,
  );
  const late = async (): Promise<EngineAnswer> => {
    const answer = ask({}, 0);
    due?.();
    return answer;
  };
  for (let i = 0; i < 2; i += 1) assert.deepEqual(await late(), { ok: false, because: 'late', why: 'no answer within 10 ms' });
  const resting = await ask({}, 0);
  assert.ok(!resting.ok && resting.because === 'resting');
  nowNs = 1_000_000_000n;
  assert.deepEqual(await late(), { ok: false, because: 'late', why: 'no answer within 10 ms' });
  assert.equal(asked, 3);
});
