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
