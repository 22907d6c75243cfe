import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { realWorld } from '#host';
import { openMirror } from '../evidence/mirror.ts';
import type { Mirror } from '../evidence/mirror.ts';
import type { Store } from '../store/database.ts';
import { openStore } from '../store/database.ts';
import { migrate } from '../store/migrate.ts';
import { ledgerLines } from '../testing/gateway.ts';
import type { TestServer } from '../testing/installation.ts';
import { collectingLog, startTestServer } from '../testing/installation.ts';
import { openCursors } from './cursors.ts';

let server: TestServer;
let store: Store;
let mirror: Mirror;
const lines = ledgerLines([{ kind: 'log.opened' }, { kind: 'log.heartbeat' }, { kind: 'log.heartbeat' }]);

before(async () => {
  server = await startTestServer();
  store = await openStore(await server.database(), { world: realWorld, log: collectingLog() });
  await migrate(store);
  mirror = openMirror(store);
  await mirror.attach({ origin: 'l/a', vkey: 'k' });
  await mirror.take({ origin: 'l/a', first: 0, entries: lines });
});

after(async () => {
  await store?.close();
  await server?.stop();
});

const places = async (sink: string, from: 'beginning' | 'now') =>
  (await openCursors(store).load(sink, from)).map(({ origin, next, sent, entries }) => [origin, next, sent, entries]);

test('a new sink begins at the beginning, or now when it was asked to; a ledger that comes later is taken whole', async () => {
  assert.deepEqual(await places('whole', 'beginning'), [['l/a', 0, 0, 3]]);
  assert.deepEqual(await places('fresh', 'now'), [['l/a', 3, 3, 3]]);
  await mirror.attach({ origin: 'l/b', vkey: 'k' });
  await mirror.take({ origin: 'l/b', first: 0, entries: lines });
  assert.deepEqual(await places('fresh', 'now'), [
    ['l/a', 3, 3, 3],
    ['l/b', 0, 0, 3],
  ]);
});

test('who is late cannot move a cursor', async () => {
  const cursors = openCursors(store);
  const [cursor] = await cursors.load('contended', 'beginning');
  assert.ok(cursor);
  const intended = await cursors.intend({ sink: 'contended', cursor, to: 2 });
  assert.equal(intended.sent, 2);
  await assert.rejects(cursors.intend({ sink: 'contended', cursor, to: 3 }), { code: 'CONFLICT' });
  await cursors.advance({ sink: 'contended', cursor: intended, to: 2, delivered: 2, marked: 1, at: 5 });
  await assert.rejects(cursors.advance({ sink: 'contended', cursor: intended, to: 2, delivered: 2, marked: 0, at: 5 }), {
    code: 'CONFLICT',
  });
  const [now] = await cursors.load('contended', 'beginning');
  assert.deepEqual([now?.next, now?.sent], [2, 2]);
});

test('taking an intention back leaves what an earlier attempt may have delivered', async () => {
  const cursors = openCursors(store);
  const [first] = await cursors.load('careful', 'beginning');
  assert.ok(first);
  const lost = await cursors.intend({ sink: 'careful', cursor: first, to: 2 });
  const larger = await cursors.intend({ sink: 'careful', cursor: lost, to: 3 });
  await cursors.withdraw({ sink: 'careful', cursor: larger, before: lost, to: 3 });
  const [now] = await cursors.load('careful', 'beginning');
  assert.deepEqual([now?.next, now?.sent], [0, 2]);
});
