import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Client } from 'pg';
import { adminOf } from '../database.ts';
import { type RunningPostgres, startPostgres } from '../embedded-postgres/start.ts';
import { cardNumber, iban } from './numbers.ts';
import { ensureOrdersDemo, ordersDemo } from './orders-demo.ts';
import { customer } from './people.ts';
import { Random } from './random.ts';

test('the same seed gives the same people', () => {
  assert.deepEqual(customer(new Random(1), 3), customer(new Random(1), 3));
  assert.notDeepEqual(customer(new Random(1), 3), customer(new Random(2), 3));
});

test('every card passes the Luhn check and every IBAN its check digits', () => {
  const random = new Random(11);
  for (let i = 0; i < 500; i += 1) {
    const card = cardNumber(random);
    assert.match(card, /^\d{16}$/);
    const sum = [...card].reverse().reduce((total, digit, at) => {
      const value = Number(digit) * (at % 2 === 1 ? 2 : 1);
      return total + (value > 9 ? value - 9 : value);
    }, 0);
    assert.equal(sum % 10, 0, card);
    const account = iban(random, random.pick(['DE', 'FR', 'ES', 'NL', 'GB', 'US']));
    const digits = [...(account.slice(4) + account.slice(0, 4))].map((character) => Number.parseInt(character, 36)).join('');
    assert.equal(BigInt(digits) % 97n, 1n, account);
  }
});

describe('the orders-demo target', () => {
  let folder: string;
  let server: RunningPostgres;
  let app: Client;
  const progress: string[] = [];

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'warder-test-'));
    chmodSync(folder, 0o711);
    server = await startPostgres({ directory: join(folder, 'orders'), superuser: 'owner', password: 'one' });
    await ensureOrdersDemo({ host: server.host, port: server.port, user: 'owner', password: 'one' }, 'two', (line) => progress.push(line));
    const { upstream } = ordersDemo(server, 'two');
    app = await adminOf(upstream, upstream.database);
  });
  after(async () => {
    await app.end();
    await server.stop('immediate');
    rmSync(folder, { recursive: true, force: true });
  });

  test('has the promised amount of people, orders and payments', async () => {
    const { rows } = await app.query(
      'select (select count(*)::int from customers) c, (select count(*)::int from orders) o, (select count(*)::int from payments) p, (select count(*)::int from staff) s',
    );
    assert.ok(rows[0].c >= 10_000 && rows[0].o >= 100_000 && rows[0].p >= 80_000 && rows[0].s > 20, JSON.stringify(rows[0]));
  });

  test('about a tenth of the notes hold personal data', async () => {
    const { rows } = await app.query(
      `select count(*) filter (where notes ~ '@|[0-9]{4}|\\+[0-9]{2}|[0-9]{3}-[0-9]{2}-')::float / count(*) as share from customers`,
    );
    assert.ok(rows[0].share > 0.08 && rows[0].share < 0.12, String(rows[0].share));
  });

  test('the application role owns its tables, and is no superuser', async () => {
    const { rows } = await app.query('select rolsuper, rolcreaterole, rolcreatedb from pg_roles where rolname = current_user');
    assert.deepEqual(rows, [{ rolsuper: false, rolcreaterole: false, rolcreatedb: false }]);
    await app.query('begin; drop table public.payments; rollback');
  });

  test('a second start changes nothing', async () => {
    const before = progress.length;
    await app.query("update customers set notes = 'changed' where id = 1");
    await ensureOrdersDemo({ host: server.host, port: server.port, user: 'owner', password: 'one' }, 'two', (line) => progress.push(line));
    const { rows } = await app.query('select notes from customers where id = 1');
    assert.deepEqual(rows, [{ notes: 'changed' }]);
    assert.equal(progress.length, before);
  });
});
