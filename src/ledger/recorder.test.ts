import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault, limits } from '#model';
import type { Answer, Order } from './desk.ts';
import { Recorder } from './recorder.ts';
import { spendPermit } from './permit.ts';
import { decided, sessionOpened, settled } from './testing/drafts.ts';
import { HandWorld } from './testing/world.ts';

/** A recorder whose writer answers when the test says so. */
function desk() {
  const world = new HandWorld();
  const orders: Order[] = [];
  const fatal: Fault[] = [];
  const transport = { send: (order: Order) => void orders.push(order), end: () => Promise.resolve() };
  const opened: Extract<Answer, { kind: 'opened' }> = { kind: 'opened', vkey: 'v', size: 1, recovery: { torn: 0, inDoubt: [] } };
  const recorder = new Recorder({ origin: 'ledger.test/one', world, onFatal: (fault) => fatal.push(fault) }, transport, opened);
  const appends = () => orders.flatMap((order) => (order.kind === 'append' ? order.items : []));
  let answered = 0;
  let size = 1;
  /** Makes the next items durable. */
  const land = (count = Number.POSITIVE_INFINITY): void => {
    const items = appends().slice(answered, answered + count);
    answered += items.length;
    const first = size;
    size += items.length;
    recorder.receive({ kind: 'appended', first, ids: items.map(({ id }) => id), leaves: '00'.repeat(32 * items.length), refused: [] });
  };
  return { world, orders, fatal, recorder, appends, land };
}

const turn = (): Promise<void> => new Promise(setImmediate);

test('appends of one turn travel together and resolve when they are durable', async () => {
  const { recorder, orders, land } = desk();
  const both = Promise.all([recorder.append(sessionOpened('a')), recorder.append(sessionOpened('b'))]);
  await turn();
  assert.equal(orders.length, 1);
  land();
  assert.deepEqual(
    (await both).map(({ index }) => index),
    [1, 2],
  );
  assert.equal(recorder.size, 3);
});

test('only an allow decision gives a permit, and only once it is durable', async () => {
  const { recorder, land } = desk();
  await assert.rejects(recorder.decide(decided('s', 1, { verdict: 'deny' })), /whose verdict is deny/);
  await assert.rejects(recorder.decide(decided('s', 1, { verdict: 'pending' })), /whose verdict is pending/);
  let permitted = false;
  const permit = recorder.decide(decided('s', 1)).finally(() => {
    permitted = true;
  });
  await turn();
  assert.equal(permitted, false);
  land();
  spendPermit(await permit, 'op_s_1');
});

test('recorded output lets decisions go first, and keeps its order', async () => {
  const { recorder, land, appends } = desk();
  const kept: number[] = [];
  const chunk = (session: string, n: number, into: number): void => {
    const draft = { kind: 'recording.chunk', session, chunk: n, from: 0, to: 0, in: into, out: 1 } as const;
    void recorder.keepChunk(draft, Buffer.alloc(64 * 1024)).then(() => kept.push(n));
  };
  for (let n = 1; n <= 64; n += 1) chunk('s', n, 0);
  // What the client sends in the same session stays behind its output; what another sends does not.
  chunk('s', 65, 1);
  chunk('other', 0, 1);
  const permit = recorder.decide(decided('s', 1));
  await turn();
  const sent = (): readonly string[] => appends().map(({ draft }) => JSON.parse(draft).kind);
  const before = sent();
  assert.ok(before.includes('operation.decided') && before.length <= limits.ledgerPatientBytesMax / (64 * 1024) + 3, String(before.length));
  assert.ok(appends().some(({ draft }) => JSON.parse(draft).session === 'other'));
  land();
  await permit;
  while (kept.length < 65) {
    await turn();
    land();
  }
  await turn();
  assert.deepEqual(
    kept.filter((n) => n > 0),
    Array.from({ length: 65 }, (_, k) => k + 1),
  );
});

test('a chunk of output waits for a slow disk however long it takes; one with input is refused in time', async () => {
  const { recorder, land, world } = desk();
  const chunk = (into: number): Promise<unknown> =>
    recorder.keepChunk({ kind: 'recording.chunk', session: `s${into}`, chunk: 1, from: 0, to: 0, in: into, out: 1 }, Buffer.alloc(10));
  const output = chunk(0);
  const refused = assert.rejects(chunk(1), { code: 'LEDGER_SLOW' });
  await world.pass(limits.ledgerWaitMs + 500);
  await refused;
  land();
  await output;
});

test('what is not durable in time is refused, and if it becomes durable later it is recorded as refused', async () => {
  const { recorder, world, land, appends } = desk();
  const permit = recorder.decide(decided('s', 1));
  const outcome = recorder.append(settled('s', 9, 3));
  const refused = assert.rejects(permit, { code: 'LEDGER_SLOW' });
  await world.pass(limits.ledgerWaitMs + 500);
  await refused;
  land(2);
  // The outcome did not time out; it is recorded however long it takes.
  assert.equal((await outcome).index, 2);
  await turn();
  const last = JSON.parse(appends().at(-1)?.draft ?? '{}');
  assert.deepEqual([last.kind, last.for, last.outcome.status, last.operation], ['operation.settled', 1, 'refused', 'op_s_1']);
});

test('no more than the queue holds is handed to the writer; the rest waits and moves up', async () => {
  const { recorder, appends, land } = desk();
  const all = Promise.all(Array.from({ length: limits.ledgerQueueEntriesMax + 10 }, (_, k) => recorder.append(sessionOpened(`s${k}`))));
  await turn();
  assert.equal(appends().length, limits.ledgerQueueEntriesMax);
  land(100);
  await turn();
  assert.equal(appends().length, limits.ledgerQueueEntriesMax + 10);
  land();
  assert.equal((await all).length, limits.ledgerQueueEntriesMax + 10);
});

test('after a fatal fault nothing is recorded and nothing permitted', async () => {
  const { recorder, fatal, orders } = desk();
  const flying = assert.rejects(recorder.decide(decided('s', 1)), { code: 'LEDGER_FAILED' });
  await turn();
  recorder.receive({ kind: 'fatal', fault: { code: 'LEDGER_FAILED', message: 'EIO' } });
  await flying;
  const sent = orders.length;
  await assert.rejects(recorder.decide(decided('s', 2)), { code: 'LEDGER_FAILED' });
  await assert.rejects(recorder.read(0, 1), { code: 'LEDGER_FAILED' });
  assert.deepEqual([orders.length, fatal.length, fatal[0]?.exit], [sent, 1, 75]);
  await recorder.close();
});

test('a record that cannot be written is refused before it travels', async () => {
  const { recorder, orders } = desk();
  const fraction = { ...settled('s', 1, 2), n: 1.5 };
  await assert.rejects(recorder.append(fraction), { code: 'INVALID_INPUT' });
  await turn();
  assert.equal(orders.length, 0);
});

test('the writer is told to seal every second; a silent minute and a stepped clock are recorded', async () => {
  const { world, orders, appends, land } = desk();
  await world.pass(5_000);
  assert.equal(orders.filter(({ kind }) => kind === 'tick').length, 5);
  world.wall += 3_600_000;
  await world.pass(1_000);
  assert.deepEqual(JSON.parse(appends()[0]?.draft ?? '{}'), { kind: 'clock.stepped', byMs: 3_600_000 });
  land();
  await world.pass(61_000);
  assert.deepEqual(JSON.parse(appends()[1]?.draft ?? '{}'), { kind: 'log.heartbeat' });
});

test('listeners hear of growth until they leave', async () => {
  const { recorder, land } = desk();
  const heard: number[] = [];
  const leave = recorder.onGrow((size) => heard.push(size));
  const first = recorder.append(sessionOpened('a'));
  await turn();
  land();
  await first;
  leave();
  const second = recorder.append(sessionOpened('b'));
  await turn();
  land();
  await second;
  assert.deepEqual(heard, [2]);
});

test('a rule that says buffered lets operations run ahead, but only so many, only so long, and never before the log says so', async () => {
  const { world, recorder, appends, land } = desk();
  const ask = (n: number, session = 's') => recorder.decide(decided(session, n), { level: 'buffered' });
  const isReady = async (permit: Promise<unknown>): Promise<boolean> => {
    const state = { ready: false };
    void permit.then(() => (state.ready = true)).catch(() => undefined);
    await turn();
    return state.ready;
  };
  const first = ask(1);
  assert.equal(await isReady(first), false, 'the first of a session is durable');
  land();
  spendPermit(await first, 'op_s_1');
  assert.deepEqual(JSON.parse(appends()[0]?.draft ?? '{}').ahead, {
    operations: limits.ledgerAheadOperationsMax,
    ms: limits.ledgerAheadMs,
  });
  const ahead = await Promise.all(Array.from({ length: limits.ledgerAheadOperationsMax }, (_, k) => ask(k + 2)));
  assert.throws(() => ahead[0]?.receipt, /not durable yet/);
  const tooMany = ask(100);
  assert.equal(await isReady(tooMany), false, 'one more has to wait');
  await world.pass(limits.ledgerOutcomeLingerMs);
  land();
  assert.equal((await tooMany).receipt.index > 1, true);
  assert.equal((await ahead[0]?.recorded)?.index, 2);
  assert.equal(ahead[0]?.receipt.index, 2);

  assert.equal(await isReady(ask(101)), true);
  await world.pass(limits.ledgerAheadMs);
  const tooLate = ask(102);
  assert.equal(await isReady(tooLate), false, 'the oldest is not durable for too long');
  const approved = { ...decided('s', 103), approval: { grant: 'g', request: 'r' } };
  const granted = recorder.decide(approved, { level: 'buffered' });
  await turn();
  land();
  await tooLate;
  await granted;
  const another = recorder.decide({ ...approved, operation: 'op_s_104' }, { level: 'buffered' });
  assert.equal(await isReady(another), false, 'what a person approved is recorded first');
  assert.equal(await isReady(ask(1, 't')), false, 'another session has not said it yet');
  land();
  await another;
  const closing = recorder.append({ kind: 'session.closed', session: 's', reason: 'x', operations: 104, bytesUp: 0, bytesDown: 0 });
  await turn();
  land();
  await closing;
  assert.equal(await isReady(ask(200)), false, 'what is closed is forgotten');
  land();
});

test('an operation that ran ahead and cannot be recorded ends the process', async () => {
  const { recorder, orders, fatal, land, appends, world } = desk();
  const first = recorder.decide(decided('s', 1), { level: 'buffered' });
  await turn();
  land();
  await first;
  const permit = await recorder.decide(decided('s', 2), { level: 'buffered' });
  await world.pass(limits.ledgerOutcomeLingerMs);
  const items = appends();
  assert.deepEqual(
    items.map((item) => item.urgent),
    [undefined, true],
    'it may use the reserve',
  );
  const refused = [{ id: items[1]?.id ?? -1, fault: { code: 'LEDGER_FULL', message: 'full' } as const }];
  recorder.receive({ kind: 'appended', first: 2, ids: [], leaves: '', refused });
  await assert.rejects(permit.recorded, { code: 'LEDGER_FULL' });
  await turn();
  assert.deepEqual(
    fatal.map(({ code, exit }) => [code, exit]),
    [['LEDGER_FAILED', 75]],
  );
  assert.ok(orders.length > 0);
});

test('on a full disk nothing runs ahead', async () => {
  const { recorder, land } = desk();
  const first = recorder.decide(decided('s', 1), { level: 'buffered' });
  await turn();
  land();
  await first;
  recorder.receive({ kind: 'appended', first: 2, ids: [], leaves: '', refused: [], full: true });
  const state = { ready: false };
  const waiting = recorder.decide(decided('s', 2), { level: 'buffered' }).then(() => {
    state.ready = true;
  });
  await turn();
  assert.equal(state.ready, false);
  land();
  await waiting;
});
