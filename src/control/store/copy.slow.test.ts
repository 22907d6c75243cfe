import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { sql } from 'kysely';
import { realWorld } from '#host';
import { collectingLog, startTestServer } from '../testing/installation.ts';
import type { TestServer } from '../testing/installation.ts';
import { copyRows } from './copy.ts';
import type { Cell } from './copy.ts';
import { openStore } from './database.ts';
import type { Store } from './database.ts';

let server: TestServer;
let store: Store;

before(async () => {
  server = await startTestServer();
  store = await openStore(await server.database(), { world: realWorld, log: collectingLog() });
  await sql`create table copied (at bigint primary key, text text)`.execute(store.db);
});

after(async () => {
  await store?.close();
  await server?.stop();
});

const copied = { table: 'copied', columns: ['at', 'text'] };

async function rows(): Promise<[number, Cell][]> {
  const found = await sql<{ at: number; text: Cell }>`select at, text from copied order by at`.execute(store.db);
  return found.rows.map(({ at, text }) => [at, text]);
}

test('whatever text is copied into a table comes out of it as it was', async () => {
  const sign = fc.constantFrom('\t', '\n', '\r', '\\', '\\N', '\\.', 'N', '.', '"', '\b', '\u2028', 'ä', '😀', ' ', '', '{', '\\\\t');
  const text = fc.oneof(
    fc.array(sign, { maxLength: 12 }).map((signs) => signs.join('')),
    fc.string({ unit: 'grapheme' }),
  );
  const value = fc.oneof(
    { weight: 1, arbitrary: fc.constant(null) },
    { weight: 9, arbitrary: text.map((one) => one.replaceAll('\0', '')) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(value, { maxLength: 30 }), async (values) => {
      await sql`truncate copied`.execute(store.db);
      const given = values.map((one, at): [number, Cell] => [at, one]);
      await store.transact((trx) => copyRows(trx, copied, given));
      assert.deepEqual(await rows(), given);
    }),
    { numRuns: 100 },
  );
});

test('rows that cannot be copied leave nothing behind, and the connection goes on', async () => {
  await sql`truncate copied`.execute(store.db);
  const wrong: readonly (readonly (readonly Cell[])[])[] = [
    [
      [1, 'a'],
      [1, 'again'],
    ],
    [[1, 'a'], [2]],
    [['no number', 'a']],
    [[1, 'NUL \0']],
  ];
  for (const given of wrong) {
    await assert.rejects(store.transact((trx) => copyRows(trx, copied, given)));
    assert.deepEqual(await rows(), []);
  }
  const many = Array.from({ length: 20_000 }, (_, at): [number, string] => [at, 'x'.repeat(at % 300)]);
  await assert.rejects(store.transact((trx) => copyRows(trx, copied, [...many, [0, 'again']])));
  await Promise.all(
    Array.from({ length: 12 }, (_, part) =>
      store.transact((trx) =>
        copyRows(
          trx,
          copied,
          many.filter(([at]) => at % 12 === part),
        ),
      ),
    ),
  );
  assert.deepEqual(await rows(), many);
});

test('a connection that is lost in the middle fails the copy and not the process', async () => {
  await sql`truncate copied`.execute(store.db);
  await assert.rejects(
    store.transact(async (trx) => {
      const { rows: own } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx);
      const copying = copyRows(
        trx,
        copied,
        Array.from({ length: 200_000 }, (_, at): [number, string] => [at, 'x'.repeat(300)]),
      );
      // It is looked at below; it may fail before that.
      copying.catch(() => undefined);
      await sql`select pg_terminate_backend(${own[0]?.pid})`.execute(store.db);
      await copying;
    }),
  );
  assert.deepEqual(await rows(), []);
});
