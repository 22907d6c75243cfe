/** A hostile client with a valid token in front of a real installation: statements and batches. Each test is a way in that must stay closed. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { extended as x, render } from '../../src/gateway/points/postgres/testing/raw-client.ts';
import { errorOf, query, shapeOf } from './attacker.ts';
import { besiege, ended, enter, scalar, site, unharmed } from './siege.ts';

besiege();

describe('texts', () => {
  const hidden: readonly string[] = [
    'SELECT 1; DROP TABLE payments',
    'SELECT 1 /* ; */ ; /* */ DROP TABLE payments -- x',
    "SELECT '/*'; DROP TABLE payments; SELECT '*/'",
    "SELECT 'a\\'; DROP TABLE payments; --'",
    "SELECT E'a\\'; SELECT '; DROP TABLE payments; --'",
    'SELECT $$;$$; DROP TABLE payments; SELECT $$;$$',
    'SELECT $a$ $b$ $a$; DROP TABLE payments; --$b$',
    '/* /* */ ; */ DROP TABLE payments',
    "DO $x$ BEGIN EXECUTE 'DROP TABLE payments'; END $x$",
    'BEGIN; SAVEPOINT a; DROP TABLE payments; ROLLBACK TO a; COMMIT',
    'EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1',
    '\ufeffDROP TABLE payments',
    'DROP TABLE U&"\\0070ayments"',
    'DROP TABLE U&"!0070ayments" UESCAPE \'!\'',
    'WITH x AS (DELETE FROM payments RETURNING *) SELECT 1; DROP TABLE payments',
    'PREPARE p AS DELETE FROM payments; EXECUTE p',
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'drop table payments; select 1'; SELECT f()",
    "SELECT 'a' -- \n 'b'; DROP TABLE payments",
    'SELECT 1;\r\nDROP\u000bTABLE\u000cpayments',
    'ALTER TABLE payments RENAME TO p2',
    'CREATE TEMP TABLE payments (x int); DROP TABLE payments',
  ];
  for (const text of hidden) {
    test(`PG-13 PG-24 what is hidden in ${JSON.stringify(text)} does not run`, async () => {
      const { raw } = await enter();
      for (const messages of [[query(text)], [x.parse('', text), x.bind('', ''), x.execute(''), x.sync]]) {
        raw.send(...messages);
        const replies = await raw.ready();
        assert.match(errorOf(replies), /^42501 /, render(replies));
        assert.match(render(replies), /Z I$/);
      }
      assert.ok(Number(await scalar('SELECT count(*) FROM payments')) > 1_000);
    });
  }

  test('PG-24 bytes that are not UTF-8 and NUL end the session before anything runs', async () => {
    const bodies = [
      Buffer.from([0x53, 0xff, 0xfe, 0]),
      Buffer.concat([Buffer.from("SELECT '"), Buffer.from([0xc0, 0xaf]), Buffer.from("'\0")]),
      Buffer.from('SELECT 1\0\0'),
    ];
    for (const body of bodies) {
      const { raw } = await enter();
      raw.send(x.raw('Q', body));
      assert.match(render(await ended(raw)), /C=08P01/);
    }
  });

  test('PG-24 a text nested ten thousand deep, or a megabyte long, is answered and does not stop the gateway', async () => {
    const { raw } = await enter();
    const deep = `SELECT ${'('.repeat(10_000)}1${')'.repeat(10_000)}`;
    assert.equal(errorOf(await raw.query(deep)), '42501 SQL_NOT_UNDERSTOOD');
    const long = `SELECT '${'x'.repeat(1_000_000)}' = 'y' AS same`;
    assert.match(render(await raw.query(long)), /D f/);
    const wide = `SELECT ${Array.from({ length: 1_600 }, (_, i) => String(i)).join(', ')}`;
    assert.match(render(await raw.query(wide)), /C SELECT 1/);
    await unharmed();
  });
});

describe('the extended protocol', () => {
  test('PG-14 a portal keeps the statement it was bound to, whatever is parsed under the name afterwards', async () => {
    const { raw } = await enter();
    const laundered = 'SELECT reverse(email) FROM customers WHERE id < 4';
    const harmless = 'SELECT lower(status) FROM orders WHERE id < 4';
    const tricks: readonly (readonly Buffer[])[] = [
      [x.parse('', laundered), x.bind('', ''), x.parse('', harmless), x.describe('P', ''), x.execute('')],
      [x.parse('a', harmless), x.close('S', 'a'), x.parse('a', laundered), x.bind('', 'a'), x.execute(''), x.close('S', 'a')],
      [
        x.parse('a', laundered),
        x.bind('p', 'a'),
        x.close('S', 'a'),
        x.parse('a', harmless),
        x.describe('S', 'a'),
        x.execute('p'),
        x.close('S', 'a'),
      ],
      [
        x.parse('a', harmless),
        x.bind('p', 'a'),
        x.close('P', 'p'),
        x.parse('b', laundered),
        x.bind('p', 'b'),
        x.execute('p', 1),
        x.execute('p'),
        x.close('S', 'a'),
        x.close('S', 'b'),
      ],
      [x.parse('', laundered), x.bind('', '', [], { resultFormat: 1 }), x.execute('', 1), x.describe('P', ''), x.execute('')],
    ];
    for (const trick of bothWays(tricks)) {
      raw.send(...trick, x.sync);
      assert.doesNotMatch(render(await raw.ready()), /moc\.|@/);
    }
  });

  test('PG-14 a portal that was described in one batch and run in the next is masked like any other', async () => {
    const { raw } = await enter();
    await raw.query('BEGIN');
    raw.send(x.parse('', 'SELECT email FROM customers WHERE id < 4'), x.bind('p', ''), x.describe('P', 'p'), x.sync);
    assert.equal(shapeOf(await raw.ready()), '12TZ');
    for (const end of ['s', 's', 'C']) {
      raw.send(x.execute('p', end === 's' ? 1 : 0), x.sync);
      const replies = await raw.ready();
      assert.equal(shapeOf(replies), `${end}Z`);
      assert.match(render(replies), /^D \*+@/);
    }
  });

  test('PG-14 FETCH from a portal of the protocol is masked, also under the name of a cursor that was harmless', async () => {
    const { raw } = await enter();
    const portal = [x.parse('', 'SELECT lower(email) FROM customers WHERE id < 4'), x.bind('c', '')];
    await raw.query('BEGIN');
    await raw.query('DECLARE c CURSOR FOR SELECT lower(status) FROM orders');
    raw.send(x.close('P', 'c'), ...portal, x.sync);
    await raw.ready();
    assert.match(render(await raw.query('FETCH ALL FROM c')), /D NULL/);
    await raw.query('ROLLBACK');
    await raw.query('BEGIN; DECLARE c CURSOR FOR SELECT lower(status) FROM orders; CLOSE c');
    raw.send(...portal, x.parse('f', 'FETCH ALL FROM c'), x.bind('', 'f'), x.execute(''), x.sync);
    assert.match(render(await raw.ready()), /D NULL/);
    await raw.query('ROLLBACK');
  });

  test('PG-14 a portal does not outlive its transaction, and a name taken by SQL is not run for it', async () => {
    const { raw } = await enter();
    raw.send(x.parse('s', 'SELECT status FROM orders WHERE id < 9'), x.bind('p', 's'), x.execute('p', 1), x.sync);
    await raw.ready();
    raw.send(x.execute('p'), x.sync);
    assert.equal(errorOf(await raw.ready()), '34000');
    await raw.query('BEGIN');
    raw.send(x.bind('p', 's'), x.execute('p', 1), x.sync);
    await raw.ready();
    await raw.query('CLOSE p; DECLARE p CURSOR FOR SELECT lower(email) FROM customers');
    raw.send(x.execute('p'), x.sync);
    assert.equal(errorOf(await raw.ready()), '34000');
    await raw.query('ROLLBACK');
    await raw.query('DEALLOCATE s');
    raw.send(x.bind('', 's'), x.execute('', 1), x.sync);
    assert.match(render(await raw.ready()), /D \w+/);
  });

  test('PG-25 questions of the gateway between two batches neither take the unnamed statement away nor end what is not synced', async () => {
    const [{ raw }, { raw: reviewer }] = [await enter(), await enter('reviewer')];
    const before = Number(await scalar('SELECT items FROM orders WHERE id = 79'));
    raw.send(x.parse('', 'SELECT 40 + $1::int'), x.describe('S', ''), x.sync);
    await raw.ready();
    // A change of the catalog by anybody makes every session ask for it anew.
    assert.match(render(await reviewer.query('CREATE TABLE asked_once (n int)')), /C CREATE TABLE/);
    raw.send(x.bind('', '', ['2']), x.execute(''), x.sync);
    assert.match(render(await raw.ready()), /D 42/);
    raw.send(x.parse('', `UPDATE orders SET items = items + 1 WHERE id = 79`), x.bind('', ''), x.execute(''), x.flush);
    await raw.until(({ type }) => type === 'C');
    await reviewer.query('CREATE TABLE asked_twice (n int)');
    raw.send(x.parse('', 'SELECT 1'), x.bind('', ''), x.execute(''), x.sync);
    await raw.ready();
    assert.equal(Number(await scalar('SELECT items FROM orders WHERE id = 79')), before + 1);
  });

  test('PG-15 a refusal in the middle of a pipeline is answered once, in its place, and what follows its Sync goes on', async () => {
    const { raw } = await enter();
    const run = (text: string): Buffer[] => [x.parse('', text), x.bind('', ''), x.execute('')];
    raw.send(
      ...run('SELECT 1'),
      x.sync,
      ...run('SELECT 2'),
      ...run('DROP TABLE payments'),
      ...run('SELECT 3'),
      x.sync,
      ...run('SELECT 4'),
      x.sync,
    );
    assert.equal(shapeOf(await raw.ready()), '12CZ');
    assert.equal(shapeOf(await raw.ready()), 'EZ');
    assert.equal(shapeOf(await raw.ready()), '12CZ');
    raw.send(
      ...run('UPDATE orders SET items = 777 WHERE id = 78'),
      x.flush,
      ...run('DROP TABLE payments'),
      x.flush,
      ...run('SELECT 5'),
      x.sync,
    );
    assert.equal(shapeOf(await raw.ready()), '12CEZ');
    assert.notEqual(await scalar('SELECT items FROM orders WHERE id = 78'), '777');
  });

  test('PG-17 what a statement means is not changed before it by settings, whatever form they take', async () => {
    const { raw } = await enter();
    const settings = [
      'SET search_path TO pg_temp, public',
      'SET LOCAL search_path = other',
      "SELECT set_config('search_path', 'other', true)",
      "SET SCHEMA 'other'",
      'SET ROLE postgres',
      'SET SESSION AUTHORIZATION postgres',
      'SET LOCAL ROLE postgres',
      'RESET ROLE',
      'RESET ALL',
      'DISCARD ALL',
      "SELECT set_config('ro' || 'le', 'postgres', false)",
      'SET standard_conforming_strings = off',
      "SET NAMES 'LATIN1'",
      'SET backslash_quote = on',
      "UPDATE pg_settings SET setting = 'x' WHERE name = 'search_path'",
      'SET row_security = off',
      "SET my.x = 'y'",
      'ALTER ROLE CURRENT_USER SET search_path = other',
      'ALTER DATABASE "orders-demo" SET search_path = other',
      'ALTER SYSTEM SET search_path = other',
      'CREATE TEMP TABLE customers (email text)',
      'CREATE TEMP VIEW customers AS SELECT 1',
      'SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; SET search_path = x',
    ];
    for (const setting of settings) {
      for (const messages of [
        [query(setting)],
        [query(`${setting}; SELECT lower(email) FROM customers`)],
        [
          x.parse('', setting),
          x.bind('', ''),
          x.execute(''),
          x.parse('', 'SELECT lower(email) FROM customers'),
          x.bind('', ''),
          x.execute(''),
          x.sync,
        ],
      ]) {
        raw.send(...messages);
        const replies = await raw.ready();
        assert.match(errorOf(replies), /^42501 /, `${setting}: ${render(replies)}`);
      }
    }
  });
});

describe('ways around', () => {
  const refused: readonly string[] = [
    'COPY customers TO STDOUT',
    'COPY (SELECT email FROM customers) TO STDOUT',
    'COPY customers FROM STDIN',
    "COPY customers TO '/tmp/x'",
    "COPY customers FROM PROGRAM 'id'",
    'COPY customers TO STDOUT (FORMAT binary)',
    'SELECT 1; COPY customers TO STDOUT; SELECT 2',
    'COPY (DELETE FROM payments RETURNING *) TO STDOUT',
    'COPY binary customers TO STDOUT',
    'EXECUTE p',
    'PREPARE p AS SELECT email FROM customers',
    "SELECT pg_notify('c', email) FROM customers",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT dblink('x', 'select 1')",
    "SELECT query_to_xml('select email from customers', true, true, '')",
    'SELECT * FROM pg_stats',
    'SELECT query FROM pg_stat_activity',
    "SELECT ts_stat('select to_tsvector(email) from customers')",
    'SELECT pg_advisory_lock(salary) FROM staff',
    'SELECT setseed(salary / 1000000.0) FROM staff',
    'SELECT pg_sleep(salary / 1e6) FROM staff',
    'SELECT generate_series(1, salary) FROM staff',
    'SELECT pg_terminate_backend(1)',
    'SELECT pg_reload_conf()',
    'CREATE EXTENSION dblink',
    'IDENTIFY_SYSTEM',
    'START_REPLICATION SLOT x LOGICAL 0/0',
    'CREATE TABLE mine AS SELECT email FROM customers',
    'CREATE VIEW mine AS SELECT email FROM customers',
    'INSERT INTO orders SELECT id, 1, email FROM customers',
    'SELECT email INTO mine FROM customers',
    'GRANT SELECT ON customers TO PUBLIC',
    'LOCK TABLE customers',
    'UPDATE customers SET notes = email WHERE id = 1',
    'SELECT email FROM customers ORDER BY email',
    "SELECT 1 FROM customers WHERE email LIKE 'a%'",
  ];
  for (const text of refused) {
    test(`PG-19 PG-22 refused: ${text}`, async () => {
      const { raw } = await enter();
      assert.match(errorOf(await raw.query(text)), /^42501 /);
      raw.send(x.parse('', text), x.describe('S', ''), x.bind('', ''), x.describe('P', ''), x.execute(''), x.sync);
      const replies = await raw.ready();
      assert.match(errorOf(replies), /^42501 /);
      assert.equal(shapeOf(replies), 'EZ');
    });
  }

  test('PG-22 PG-23 copy data without a COPY is dropped, and the function call protocol is refused', async () => {
    const { raw } = await enter();
    raw.send(x.raw('d', Buffer.from('1\tx\n')), x.raw('c'), x.raw('f', Buffer.from('no\0')), query('SELECT 1'));
    assert.equal(shapeOf(await raw.ready()), 'TCZ');
    const body = Buffer.alloc(14);
    body.writeInt32BE(2089, 0);
    raw.send(x.raw('F', body));
    const replies = await raw.ready();
    assert.equal(shapeOf(replies), 'EZ');
    assert.match(errorOf(replies), /PROTOCOL_UNSUPPORTED/);
  });

  test('PG-21 errors about rows quote none of their values', async () => {
    const { raw } = await enter();
    for (const sql of [
      'email::regclass',
      "split_part(email, '@', 1)::regrole",
      'current_setting(email)',
      'email::int',
      'email::jsonb',
      "('a ' || email)::tsquery",
      'to_date(email, email)',
    ]) {
      const replies = await raw.query(`SELECT ${sql} FROM customers WHERE id = 1`);
      const error = render(replies.filter(({ type }) => type === 'E'));
      assert.match(error, /the text was withheld/, sql);
      assert.doesNotMatch(error, /@|example|D=|H=/, sql);
    }
    assert.match(render(await raw.query('SELECT emial FROM customers')), /column "emial" does not exist/);
  });

  test('PG-18 the index of an array shows as little as its elements', async () => {
    const { raw } = await enter();
    const chosen = '(SELECT array_agg(g ORDER BY g) FROM generate_series(1, 300000) g)[salary]';
    const replies = await raw.query(`SELECT ${chosen}, (ARRAY['a','b','c'])[1 + length(email) % 3] FROM staff LIMIT 3`);
    assert.equal(render(replies.filter(({ type }) => type === 'D')), 'D NULL | ***\nD NULL | ***\nD NULL | ***');
  });
});

/** Each trick in one batch, and with each of its messages flushed. */
function* bothWays(tricks: readonly (readonly Buffer[])[]): Generator<readonly Buffer[]> {
  for (const trick of tricks) {
    yield trick;
    yield trick.flatMap((message) => [message, x.flush]);
  }
}

test('after all attacks the ledger verifies and nothing is missing', async () => {
  await unharmed();
  const { status, stdout, stderr } = await site().installation.warder(['ledger', 'verify']);
  assert.equal(status, 0, stdout + stderr);
});
