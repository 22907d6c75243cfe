import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sql } from 'kysely';
import { realWorld, until } from '#host';
import type { Store } from '../store/database.ts';
import { openStore } from '../store/database.ts';
import type { TestServer } from '../testing/installation.ts';
import { collectingLog, startTestServer } from '../testing/installation.ts';
import { openLeadership } from './leadership.ts';

let server: TestServer;
let stores: Store[];

before(async () => {
  server = await startTestServer();
  const database = await server.database();
  stores = await Promise.all([1, 2].map(() => openStore(database, { world: realWorld, log: collectingLog() })));
});

after(async () => {
  await Promise.all((stores ?? []).map((store) => store.close()));
  await server?.stop();
});

test('of several replicas one leads; when it stops or loses its connection, another one does', async () => {
  const leading = new Set<number>();
  let terms = 0;
  const replicas = stores.map((store, at) =>
    openLeadership(store, {
      world: realWorld,
      log: collectingLog(),
      lead: (signal) =>
        new Promise((resolve) => {
          leading.add(at);
          terms += 1;
          signal.addEventListener('abort', () => {
            leading.delete(at);
            resolve();
          });
        }),
    }),
  );
  const led = async (wanted: () => boolean): Promise<void> =>
    assert.ok(await until(() => (wanted() ? true : undefined), { deadlineMs: 10_000 }));
  await led(() => terms === 1);
  const [store] = stores as [Store];
  await sql`
    select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted and pid <> pg_backend_pid()`.execute(store.db);
  await led(() => terms === 2 && leading.size === 1);
  const [leader] = [...leading];
  assert.ok(leader !== undefined);
  await replicas[leader]?.stop();
  await led(() => terms >= 3 && leading.size === 1 && !leading.has(leader));
  await Promise.all(replicas.map((replica) => replica.stop()));
  assert.equal(leading.size, 0);
  const { rows } = await sql<{ held: number }>`select count(*) as held from pg_locks where locktype = 'advisory'`.execute(store.db);
  assert.equal(rows[0]?.held, 0);
});

test('work that fails is begun again', async () => {
  const [store] = stores as [Store];
  const log = collectingLog();
  let tries = 0;
  const replica = openLeadership(store, {
    world: realWorld,
    log,
    lead: (signal) => {
      tries += 1;
      if (tries < 2) return Promise.reject(new Error('no luck'));
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
    },
  });
  assert.ok(await until(() => (tries >= 2 ? true : undefined), { deadlineMs: 10_000 }));
  await replica.stop();
  assert.ok(log.lines.some((line) => line.includes('no luck')));
});
