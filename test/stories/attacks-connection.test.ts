/** A hostile client with a valid token in front of a real installation: frames, logins, cancel requests, silence. Each test is a way in that must stay closed. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startupMessage } from '../../src/gateway/points/postgres/encode.ts';
import { extended as x, render } from '../../src/gateway/points/postgres/testing/raw-client.ts';
import { cancel, errorOf, memoryOf, query, shapeOf } from './attacker.ts';
import { waitFor } from './installation.ts';
import { besiege, ended, enter, knock, open, scalar, site, unharmed } from './siege.ts';

besiege();

function lengthIs(type: string, length: number, body = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(5);
  header.write(type, 0, 'latin1');
  header.writeInt32BE(length | 0, 1);
  return Buffer.concat([header, body]);
}

describe('frames', () => {
  test('C-01 PG-13 a batch means the same however its bytes are split, and nothing of a refused one runs', async () => {
    const { raw } = await enter();
    const before = await scalar('SELECT items FROM orders WHERE id = 77');
    const bytes = Buffer.concat([
      x.parse('', 'UPDATE orders SET items = 777 WHERE id = 77'),
      x.bind('', ''),
      x.execute(''),
      x.parse('', 'DROP TABLE payments'),
      x.bind('', ''),
      x.execute(''),
      x.sync,
    ]);
    for (const size of [bytes.length, 1, 7]) {
      await raw.sendChunked(bytes, size);
      const replies = await raw.ready();
      assert.equal(shapeOf(replies), 'EZ');
      assert.equal(errorOf(replies), '42501 DESTRUCTIVE_DDL');
    }
    const simple = query('UPDATE orders SET items = 777 WHERE id = 77; DROP TABLE payments');
    for (const size of [simple.length, 1]) {
      await raw.sendChunked(simple, size);
      assert.equal(errorOf(await raw.ready()), '42501 DESTRUCTIVE_DDL');
    }
    assert.equal(await scalar('SELECT items FROM orders WHERE id = 77'), before);
    await unharmed();
  });

  test('C-02 a length that cannot be ends the session at once, and only that session', async () => {
    const lies: readonly Buffer[] = [
      lengthIs('Q', 0),
      lengthIs('Q', 3),
      lengthIs('Q', -1),
      lengthIs('Q', 0x8000_0000),
      lengthIs('Q', 0x7fff_ffff),
      lengthIs('Q', 100 * 1024 * 1024),
      lengthIs('P', 5, Buffer.from('x')),
      lengthIs('B', 9, Buffer.from([0, 0, 0, 0, 0])),
      lengthIs('D', 5, Buffer.from('X')),
      lengthIs('S', 5, Buffer.from('x')),
      lengthIs('\u0000', 4),
      lengthIs('W', 4),
      lengthIs('z', 4),
      x.raw('B', Buffer.from([0, 0, 0, 0, 0xff, 0xff])),
      x.raw('E', Buffer.from([0, 0])),
      x.raw('Q', Buffer.from('SELECT 1\0; DROP TABLE payments\0')),
      x.raw('Q', Buffer.from('SELECT 1')),
      x.raw('P', Buffer.from('a\0SELECT 1\0\0\u0002', 'latin1')),
    ];
    for (const lie of lies) {
      const { raw } = await enter();
      raw.send(lie);
      const replies = await ended(raw);
      assert.match(render(replies), /S=FATAL; C=(08P01|54000)/, lie.toString('latin1').slice(0, 40));
    }
    await unharmed();
  });

  test('C-02 a message that announces much costs no memory until it comes, and a body that stops costs only its session', async () => {
    const before = memoryOf(site().gateway);
    const all = await Promise.all(Array.from({ length: 20 }, () => enter()));
    for (const { raw } of all) raw.send(lengthIs('Q', 16 * 1024 * 1024 - 10, Buffer.from('SELECT 1')));
    await unharmed();
    assert.ok(memoryOf(site().gateway) - before < 100, `${before} → ${memoryOf(site().gateway)} MiB`);
    for (const { raw } of all) raw.socket.end();
    for (const { raw } of all) await ended(raw);
    await unharmed();
  });
});

describe('logins', () => {
  const parameters: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
    [{ options: '-c session_authorization=postgres' }, /session_authorization/],
    [{ options: '-csearch_path=pg_temp,public' }, /search_path/],
    [{ options: '--role=postgres' }, /role/],
    [{ options: '-c search\\_path=pg_temp' }, /search_path/],
    [{ options: '-c Search-Path=pg_temp' }, /search_path/],
    [{ options: '-r /tmp/x' }, /refused/],
    [{ options: '-c' }, /form name=value/],
    [{ options: '-c standard_conforming_strings=off' }, /standard_conforming_strings/],
    [{ search_path: 'pg_temp' }, /search_path/],
    [{ Role: 'postgres' }, /role/],
    [{ replication: 'database' }, /replication/],
    [{ replication: 'TRUE' }, /replication/],
    [{ replication: '1' }, /replication/],
    [{ client_encoding: 'SJIS' }, /client_encoding/],
    [{ row_security: 'off' }, /row_security/],
    [{ session_replication_role: 'replica' }, /session_replication_role/],
    [{ default_table_access_method: 'x' }, /default_table_access_method/],
    [{ user: 'engineer', USER: 'reviewer' }, /twice/],
    [{ 'my.setting': 'x' }, /my\.setting/],
  ];
  for (const [given, says] of parameters) {
    test(`PG-08 the startup parameter ${JSON.stringify(given)} is refused`, async () => {
      const raw = await knock();
      raw.send(startupMessage({ user: 'engineer', database: 'orders-demo', ...given }));
      const said = render(await ended(raw));
      assert.match(said, /S=FATAL/);
      assert.match(said, says);
      assert.doesNotMatch(said, /^R/m);
    });
  }

  test('PG-07 steps of a login out of their order end the connection, and none of them is taken for a login', async () => {
    const startup = startupMessage({ user: 'engineer', database: 'orders-demo' });
    const password = x.raw('p', Buffer.from(`${site().installation.ready.subjects.engineer.token}\0`));
    const orders: readonly (readonly Buffer[])[] = [
      [startup, query('SELECT 1')],
      [startup, startup],
      [startup, x.sync],
      [startup, password],
      [startup, x.raw('p', Buffer.from('n,,n=,r=x'))],
      [startup, x.raw('p', Buffer.concat([Buffer.from('SCRAM-SHA-256\0'), Buffer.from([0x7f, 0xff, 0xff, 0xff])]))],
      [startup, x.raw('p', Buffer.concat([Buffer.from('PLAIN\0'), Buffer.from([0, 0, 0, 0])]))],
      [startup, lengthIs('p', 1_000_000)],
      [query('SELECT 1')],
      [password],
      [x.sync],
    ];
    for (const order of orders) {
      const raw = await knock();
      for (const bytes of order) raw.send(bytes);
      const replies = await ended(raw);
      const said = render(replies);
      assert.ok(!replies.some(({ type, body }) => type === 'Z' || (type === 'R' && body.readInt32BE() === 0)), said);
    }
  });

  test('PG-07 a password or a startup packet after the login ends the session', async () => {
    for (const bytes of [x.raw('p', Buffer.from('x\0')), startupMessage({ user: 'reviewer', database: 'orders-demo' })]) {
      const { raw } = await enter();
      raw.send(bytes, query('SELECT 1'));
      const replies = await ended(raw);
      assert.match(render(replies), /C=08P01/);
      assert.ok(!replies.some(({ type }) => type === 'D'));
    }
  });

  test('C-13 three hundred connections at once: some are refused with a reason, and other people are served meanwhile', async () => {
    const refused: string[] = [];
    let entered = 0;
    for (let i = 0; i < 300; i += 1) {
      enter().then(
        () => (entered += 1),
        (reason: unknown) => refused.push(String(reason)),
      );
    }
    // Refusals are slowed down, so the last ones are still to come.
    await waitFor('most of them to be answered', () => entered + refused.length >= 130, 60_000);
    assert.ok(entered >= 20 && entered <= 100, `${entered} entered`);
    for (const reason of refused) assert.match(reason, /S=FATAL; C=53300/);
    const { raw } = await enter('reviewer');
    assert.match(render(await raw.query('SELECT 42')), /D 42/);
    for (const one of open) one.close();
    await waitFor('room again', () =>
      enter()
        .then(({ raw: again }) => again.query('SELECT 1'))
        .catch(() => undefined),
    );
  });
});

describe('cancel', () => {
  test('PG-11 wrong keys cancel nothing, the key of one session does not reach another, and none is answered', async () => {
    const [one, other] = [await enter(), await enter()];
    const running = one.raw.query('SELECT pg_sleep(1.5)');
    const wrong = Buffer.from(one.key.secret.map((byte) => byte ^ 1));
    await Promise.all([
      cancel(site().port, other.key),
      cancel(site().port, { pid: one.key.pid, secret: wrong }),
      cancel(site().port, { pid: one.key.pid + 1, secret: one.key.secret }),
      cancel(site().port, { pid: one.key.pid, secret: Buffer.concat([one.key.secret, one.key.secret]) }),
      cancel(site().port, { pid: 0, secret: Buffer.alloc(4) }),
      ...Array.from({ length: 200 }, (_, i) => cancel(site().port, { pid: i, secret: Buffer.alloc(4, i) })),
    ]);
    assert.match(render(await running), /C SELECT 1/);
  });

  test('PG-12 a cancel request that comes late hits neither the next statement nor a question of the gateway', async () => {
    const { raw, key } = await enter('reviewer');
    for (let round = 0; round < 12; round += 1) {
      const first = raw.query('BEGIN; SELECT 1; COMMIT');
      const late = cancel(site().port, key);
      await first;
      const next = await raw.query('SELECT count(email) IS NULL FROM customers');
      assert.equal(errorOf(next), '42501 PERSONAL_DATA_PROBE');
      await late;
    }
  });
});

describe('clients that do not read', () => {
  test('C-04 a result of a gigabyte that nobody reads does not fill the gateway, and others are served', async () => {
    const before = memoryOf(site().gateway);
    const { raw } = await enter();
    raw.socket.pause();
    raw.send(query("SELECT repeat('x', 100000) FROM generate_series(1, 10000)"));
    let most = 0;
    for (let round = 0; round < 10; round += 1) {
      await unharmed();
      most = Math.max(most, memoryOf(site().gateway));
    }
    assert.ok(most - before < 150, `${before} → ${most} MiB`);
  });
});

test('after all attacks the ledger verifies and nothing is missing', async () => {
  await unharmed();
  const { status, stdout, stderr } = await site().installation.warder(['ledger', 'verify']);
  assert.equal(status, 0, stdout + stderr);
});
