import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Fault, limits, type BundleSource, type HoldResolution } from '#model';
import { Link } from './link.ts';
import { testWorld } from './testing/world.ts';

const grantKey = generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
const bundle: BundleSource = { ref: { name: 'b', version: '1', digest: 'sha256:0' }, files: [], activatedAt: 0, signature: '' };
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'warder-link-'));
});
after(() => rm(folder, { recursive: true, force: true }));

interface Frame {
  readonly call?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly reply?: number;
  readonly result?: unknown;
  readonly fault?: { readonly code: string };
}

/** A control plane that answers `hello` and otherwise does what the test says. */
async function meet(name: string, answer: (frame: Frame, socket: Socket) => void = () => undefined) {
  const world = testWorld();
  const socketPath = join(folder, name);
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    let rest = '';
    socket.on('data', (chunk) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const frame = JSON.parse(line) as Frame;
        if (frame.method === 'hello')
          socket.write(
            `${JSON.stringify({ reply: frame.call, result: { control: 'c', grantKey, mirrored: 0, bundle, resources: [] } })}\n`,
          );
        else answer(frame, socket);
      }
    });
  });
  server.listen(socketPath);
  await once(server, 'listening');
  let hellos = 0;
  let downs = 0;
  let greeted = Promise.withResolvers<void>();
  const link = new Link({
    world,
    log: silent,
    socketPath,
    hello: () => ({ node: 'gateway-1', version: '0', secret: 's', ledger: { origin: 'o', vkey: 'v' } }),
    onHello: () => {
      hellos += 1;
      queueMicrotask(() => greeted.resolve());
    },
    onDown: () => {
      downs += 1;
      greeted = Promise.withResolvers<void>();
    },
    calls: {
      'evidence.open': ({ indexes }) => Promise.resolve({ texts: indexes.map((index) => ({ index, text: 't', parameters: [] })) }),
      'evidence.disclose': () => Promise.reject(new Fault('NOT_FOUND', 'no such entry')),
      'evidence.sealed': () => Promise.reject(new Fault('NOT_FOUND', 'no such session')),
      'ledger.prove': () => Promise.reject(new Fault('NOT_FOUND', 'no such entry')),
      'ledger.witness': () => Promise.reject(new Fault('NOT_FOUND', 'no witness')),
      'session.terminate': () => Promise.reject(new Fault('NOT_FOUND', 'no such session')),
      'resources.inForce': () => Promise.resolve({ names: [] }),
      'resource.test': () => Promise.reject(new Fault('NOT_FOUND', 'no such resource')),
      'resource.propose': () => Promise.reject(new Fault('NOT_FOUND', 'no such resource')),
    },
    notices: {
      'policy.offer': () => undefined,
      'rollouts.offer': () => undefined,
      'resources.offer': () => undefined,
      'tokens.revoked': () => undefined,
    },
  });
  link.start();
  await greeted.promise;
  const close = async (): Promise<void> => {
    link.close();
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  };
  return { world, link, sockets, close, greeted: () => greeted.promise, counts: () => ({ hellos, downs }) };
}

test('a call gets its own answer, whatever the order of the replies', async () => {
  const waiting: Frame[] = [];
  const { link, close } = await meet('order', (frame, socket) => {
    waiting.push(frame);
    if (waiting.length < 2) return;
    for (const { call, params } of waiting.reverse()) socket.write(`${JSON.stringify({ reply: call, result: { echo: params } })}\n`);
  });
  const [a, b] = await Promise.all([link.call('login.verifiers', { name: 'a' }), link.call('login.verifiers', { name: 'b' })]);
  assert.deepEqual([a, b], [{ echo: { name: 'a' } }, { echo: { name: 'b' } }]);
  await close();
});

test('a fault of the control plane keeps its code, and an unknown code becomes INTERNAL', async () => {
  const codes = ['FORBIDDEN', 'constructor'];
  const { link, close } = await meet('fault', ({ call }, socket) =>
    socket.write(`${JSON.stringify({ reply: call, fault: { code: codes.shift(), message: 'no' } })}\n`),
  );
  await assert.rejects(link.call('login.verifiers', { name: 'a' }), { code: 'FORBIDDEN' });
  await assert.rejects(link.call('login.verifiers', { name: 'a' }), { code: 'INTERNAL' });
  await close();
});

test('a call that nobody answers is given up in time', async () => {
  const { world, link, close } = await meet('slow');
  const call = link.call('login.verifiers', { name: 'a' });
  world.advance(limits.linkCallMs + 1);
  await assert.rejects(call, { code: 'CONTROL_UNREACHABLE' });
  await close();
});

test('when the link breaks, calls and holds under way fail, and the gateway dials again', async () => {
  const { world, link, sockets, close, greeted, counts } = await meet('break');
  const call = link.call('login.verifiers', { name: 'a' });
  const answers: (HoldResolution | Fault)[] = [];
  link.onResolved('req_1', (answer) => answers.push(answer));
  sockets[0]?.destroy();
  await assert.rejects(call, { code: 'CONTROL_UNREACHABLE' });
  assert.ok(answers[0] instanceof Fault);
  await assert.rejects(link.call('login.verifiers', { name: 'a' }), { code: 'CONTROL_UNREACHABLE' });
  world.advance(200);
  await greeted();
  assert.deepEqual(counts(), { hellos: 2, downs: 1 });
  await close();
});

for (const [name, bytes] of [
  ['garbage', 'not json\n'],
  ['a list', '[]\n'],
  ['a number', '1\n'],
  ['a frame that is none of the three', '{"hello":1}\n'],
] as const) {
  test(`${name} from the other side ends the link`, async () => {
    const { link, sockets, close, counts } = await meet(`garbage-${name.replaceAll(' ', '-')}`);
    sockets[0]?.write(bytes);
    await once(sockets[0] as Socket, 'close');
    assert.equal(link.up, false);
    assert.equal(counts().downs, 1);
    await close();
  });
}

test('the control plane can call too, and gets faults with their code', async () => {
  const answers: Frame[] = [];
  const heard = Promise.withResolvers<void>();
  const { sockets, close } = await meet('served', (frame) => {
    answers.push(frame);
    if (answers.length === 3) heard.resolve();
  });
  sockets[0]?.write(`${JSON.stringify({ call: 1, method: 'evidence.open', params: { session: 's', indexes: [7] } })}\n`);
  sockets[0]?.write(`${JSON.stringify({ call: 2, method: 'session.terminate', params: { session: 's', reason: 'r' } })}\n`);
  sockets[0]?.write(`${JSON.stringify({ call: 3, method: 'toString', params: {} })}\n`);
  await heard.promise;
  const byCall = new Map(answers.map((answer) => [answer.reply, answer]));
  assert.deepEqual(byCall.get(1)?.result, { texts: [{ index: 7, text: 't', parameters: [] }] });
  assert.equal(byCall.get(2)?.fault?.code, 'NOT_FOUND');
  assert.equal(byCall.get(3)?.fault?.code, 'NOT_FOUND');
  await close();
});

test('an answer that overtakes the reply to its question is not lost', async () => {
  const { link, sockets, close } = await meet('early', ({ call }, socket) => {
    socket.write(`${JSON.stringify({ notice: 'hold.resolved', params: { request: 'req_9', status: 'refused', by: [], grants: [] } })}\n`);
    socket.write(`${JSON.stringify({ reply: call, result: { request: 'req_9', expiresAt: 0 } })}\n`);
  });
  assert.equal(sockets.length, 1);
  await link.call('hold.used', { request: 'x', grant: 'y' });
  const answer = await new Promise((resolve) => link.onResolved('req_9', resolve));
  assert.equal((answer as HoldResolution).status, 'refused');
  await close();
});
