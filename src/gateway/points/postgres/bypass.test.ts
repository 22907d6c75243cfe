import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { until } from '#host';
import { password, refusal, startKit, type Kit } from './testing/kit.ts';
import { int32, query } from './encode.ts';
import { extended as x, RawClient, render } from './testing/raw-client.ts';

/** Ways around the point that were thought of, tried or read of. A case that entered never leaves. IDs are those of the test plan. */

const setup = `
  create table customers(id int primary key, name text, email text unique check (email <> 'bad'));
  insert into customers select i, 'n' || i, 'mail' || i || '@example.org' from generate_series(1, 20) i;
  create table log(line text);
  create schema hidden;
  create table hidden.customers(id int, name text, email text);
  insert into hidden.customers values (1, 'h', 'hidden@example.org');
`;

let kit: Kit;
before(async () => {
  kit = await startKit(setup, { 'public.customers.email': ['pii.email'] });
});
after(() => kit.stop());
afterEach(async () => {
  await kit.reset();
  const raw = await RawClient.direct(kit.upstream);
  await raw.query('truncate log');
  raw.close();
});

const login = (parameters?: Record<string, string>): Promise<RawClient> => RawClient.login(kit.port, password, parameters);
const really = (sql: string): Promise<string> => RawClient.ask(kit.upstream, sql);

const noDrop: NonNullable<Kit['script']['decide']> = ({ text }) => (/drop/i.test(text) ? refusal('NO_DROP', 'no drop') : undefined);
const one = (text: string): Buffer[] => [x.parse('', text), x.bind('', ''), x.execute()];

describe('batches', () => {
  test('PG-13 of a text with several statements nothing runs when one may not', async () => {
    kit.script.decide = noDrop;
    const raw = await login();
    for (const text of [
      "insert into log values ('a'); drop table customers; select 1",
      "begin; insert into log values ('a'); commit; drop table customers",
      "insert into log values ('a');;;/* */ drop table customers",
    ]) {
      assert.match(render(await raw.query(text)), /^E S=ERROR; C=42501[^\n]*\nZ I$/);
    }
    assert.equal(await really('select count(*) from log'), '0');
    raw.close();
  });

  test('PG-15 of a pipeline nothing is sent when its k-th operation may not run, and exactly one ReadyForQuery follows each Sync', async () => {
    kit.script.decide = noDrop;
    const raw = await login();
    raw.send(
      ...one("insert into log values ('a')"),
      ...one('drop table customers'),
      ...one("insert into log values ('b')"),
      x.sync,
      ...one("insert into log values ('c')"),
      x.sync,
    );
    assert.match(render(await raw.ready()), /^E S=ERROR; C=42501[^\n]*\nZ I$/);
    assert.equal(render(await raw.ready()), '1\n2\nC INSERT 0 1\nZ I');
    assert.equal(await really("select string_agg(line, ',') from log"), 'c');
    raw.close();
  });

  test('PG-15 after a Flush the refusal comes in order, aborts what was begun, and everything up to Sync is dropped', async () => {
    kit.script.decide = noDrop;
    const raw = await login();
    raw.send(
      ...one("insert into log values ('a')"),
      x.flush,
      ...one('drop table customers'),
      x.flush,
      ...one("insert into log values ('b')"),
      x.flush,
      x.sync,
      query('select 7'),
    );
    assert.match(render(await raw.ready()), /^1\n2\nC INSERT 0 1\nE S=ERROR; C=42501[^\n]*\nZ I$/);
    assert.match(render(await raw.ready()), /D 7/);
    assert.equal(await really('select count(*) from log'), '0');
    raw.close();
    await until(() => (kit.settled.length === 2 ? true : undefined), { deadlineMs: 5_000 });
    assert.equal(kit.settled.find(({ operation }) => operation.text.includes('log'))?.outcome.status, 'error');
  });

  test('PG-15 between a Flush and its Sync no question of our own ends the open transaction, and what may have changed is not taken as understood', async () => {
    const raw = await login();
    raw.send(...one("insert into log values ('a')"), ...one('create table fresh(n int)'), ...one('set search_path = hidden'), x.flush);
    for (let i = 0; i < 3; i += 1) await raw.next(({ type }) => type === 'C');
    raw.send(...one('select name from customers'), x.flush);
    await raw.next(({ type }) => type === 'C');
    assert.equal(kit.admitted.at(-1)?.certainty, 'partial');
    raw.send(...one('select 1/0'), x.sync);
    assert.match(render(await raw.ready()), /C=22012/);
    assert.equal(await really("select count(*) from log union all select count(*) from pg_class where relname = 'fresh'"), '0;0');
    raw.close();
  });

  test('PG-25 a refusal inside a transaction aborts it, and COMMIT rolls back', async () => {
    kit.script.decide = noDrop;
    const raw = await login();
    await raw.query('begin');
    await raw.query("insert into log values ('a')");
    assert.match(render(await raw.query('drop table customers')), /^E S=ERROR; C=42501[^\n]*\nZ E$/);
    assert.match(render(await raw.query('select 1')), /C=25P02/);
    assert.match(render(await raw.query('commit')), /C ROLLBACK\nZ I/);
    assert.equal(await really('select count(*) from log'), '0');
    raw.close();
  });

  test('preparing is never a way around: Parse and Describe alone are decided too', async () => {
    kit.script.decide = noDrop;
    const raw = await login();
    raw.send(x.parse('s', 'drop table customers'), x.sync);
    assert.match(render(await raw.ready()), /^E S=ERROR; C=42501[^\n]*\nZ I$/);
    assert.equal(kit.admitted.at(-1)?.verb, 'prepare');
    raw.send(x.bind('', 's'), x.execute(), x.sync);
    assert.match(render(await raw.ready()), /^E S=ERROR; C=26000[^\n]*\nZ I$/);
    raw.close();
  });

  test('PG-14 every Execute of a statement that was prepared long ago is decided again, with its parameters', async () => {
    const raw = await login();
    raw.send(x.parse('s', 'select name from customers where id = $1', [23]), x.sync);
    await raw.ready();
    kit.script.decide = ({ parameters }) => (parameters[0] === '2' ? refusal('NOT_TWO', 'not two') : undefined);
    for (const [value, want] of [
      ['1', /D n1/],
      ['2', /C=42501/],
      ['3', /D n3/],
    ] as const) {
      raw.send(x.bind('', 's', [value]), x.execute(), x.sync);
      assert.match(render(await raw.ready()), want);
    }
    raw.close();
  });

  test('PG-16 parameters are seen in text, binary and NULL', async () => {
    const raw = await login();
    raw.send(
      x.parse('', 'select $1::text, $2::int, $3::text'),
      x.bind('', '', ['é', Buffer.from([0, 0, 0, 7]), null], { formats: [0, 1, 0] }),
      x.execute(),
      x.sync,
    );
    assert.match(render(await raw.ready()), /D \\xc3a9 \| 7 \| NULL/);
    assert.deepEqual(kit.admitted[0]?.parameters, ['é', '\\x00000007', null]);
    raw.close();
  });

  test('PG-16 bodies that lie about their number of parameters end the session', async () => {
    const lying = [
      x.raw('B', Buffer.from('\0\0\0\0\xff\xff', 'latin1')),
      x.raw('B', Buffer.concat([Buffer.from('\0\0\0\0\0\x01', 'latin1'), int32(1_000_000)])),
      x.raw('B', Buffer.concat([Buffer.from('\0\0\0\0\0\x01', 'latin1'), int32(-5), Buffer.alloc(2)])),
      x.raw('P', Buffer.from('no end', 'latin1')),
      x.raw('E', Buffer.from('\0', 'latin1')),
      x.raw('D', Buffer.from('X\0', 'latin1')),
      x.raw('Q', Buffer.from('select 1\0 and more\0', 'latin1')),
      x.raw('Q', Buffer.from('select \xff\0', 'latin1')),
      x.raw('?', Buffer.from('x')),
    ];
    for (const message of lying) {
      const raw = await login();
      raw.send(message, x.sync);
      assert.match(render(await raw.end()), /E S=FATAL; C=08P01/);
    }
    assert.equal(kit.admitted.length, 0);
  });

  test('a batch without end is refused as a whole, and the session goes on', async () => {
    const raw = await login();
    const many = Array.from({ length: 4_200 }, () => x.close('S', 'x'));
    raw.send(...many, x.sync);
    assert.match(render(await raw.ready()), /^E S=ERROR; C=54000[^\n]*\nZ I$/);
    assert.match(render(await raw.query('select 1')), /D 1/);
    raw.close();
  });
});

describe('names that two layers might read differently', () => {
  test('PG-14 a statement made with SQL PREPARE cannot be run by the protocol, nor a cursor be read by it', async () => {
    const raw = await login();
    await raw.query('prepare sneaky as select email from customers');
    raw.send(x.bind('', 'sneaky'), x.execute(), x.sync);
    assert.match(render(await raw.ready()), /^E S=ERROR; C=26000[^\n]*\nZ I$/);
    raw.send(x.describe('S', 'sneaky'), x.sync);
    assert.match(render(await raw.ready()), /^E S=ERROR; C=26000[^\n]*\nZ I$/);
    await raw.query('begin; declare c cursor for select email from customers');
    raw.send(x.execute('c'), x.sync);
    assert.match(render(await raw.ready()), /^E S=ERROR; C=34000[^\n]*\nZ E$/);
    raw.close();
  });

  test('PG-14 a statement that SQL replaced under its name is made anew from the text that was decided', async () => {
    const raw = await login();
    raw.send(x.parse('s', "select 'honest'"), x.sync);
    await raw.ready();
    await raw.query('deallocate s');
    await raw.query("prepare s as select 'swapped'");
    raw.send(x.bind('', 's'), x.execute(), x.sync);
    assert.equal(render(await raw.ready()), '2\nD honest\nC SELECT 1\nZ I');
    raw.close();
  });

  test('PG-14 after DEALLOCATE or DISCARD a name may be made again, as drivers and poolers do', async () => {
    const raw = await login();
    for (const forget of ['deallocate s', 'deallocate all', 'discard all', 'select 1']) {
      raw.send(x.parse('s', `select '${forget}'`), x.sync);
      assert.match(render(await raw.ready()), /^1\nZ I$/, forget);
      await raw.query(forget);
    }
    raw.send(x.parse('s', 'select 2'), x.sync);
    assert.match(render(await raw.ready()), /C=42P05/);
    raw.close();
  });

  test('PG-14 a statement that is replaced in a batch without Sync is made anew too', async () => {
    const raw = await login();
    raw.send(
      x.parse('s', "select 'honest'"),
      ...one("do $$ begin execute 'deallocate s'; execute 'prepare s as select ''swapped'''; end $$"),
      x.flush,
    );
    await raw.until(({ type }) => type === 'C');
    raw.send(x.bind('', 's'), x.execute(), x.sync);
    assert.match(render(await raw.ready()), /D honest/);
    raw.close();
  });

  test('PG-14 names that the target would cut to the same one are refused', async () => {
    const raw = await login();
    const long = 'n'.repeat(63);
    raw.send(x.parse(long, "select 'a'"), x.sync);
    assert.match(render(await raw.ready()), /^1\nZ I$/);
    for (const message of [x.parse(`${long}x`, "select 'b'"), x.close('S', `${long}x`), x.bind(`${long}x`, long), x.bind('', `${long}x`)]) {
      raw.send(message, x.sync);
      assert.match(render(await raw.ready()), /^E S=ERROR; C=(42622|26000)[^\n]*\nZ I$/);
    }
    raw.send(x.bind('', long), x.execute(), x.sync);
    assert.match(render(await raw.ready()), /D a/);
    raw.close();
  });

  test('PG-14 a simple Query forgets the unnamed statement', async () => {
    const raw = await login();
    raw.send(x.parse('', 'select 1'), x.sync);
    await raw.ready();
    await raw.query('select 2');
    raw.send(x.bind('', ''), x.execute(), x.sync);
    assert.match(render(await raw.ready()), /^E S=ERROR; C=26000/);
    raw.close();
  });
});

describe('messages that are not forwarded', () => {
  test('PG-22 COPY to and from the client is refused before the target hears of it, and the session goes on', async () => {
    const raw = await login();
    for (const text of [
      'copy customers to stdout',
      'copy log from stdin',
      'copy (select email from customers) to stdout',
      "select 1; copy customers to stdout; insert into log values ('x')",
    ]) {
      assert.match(render(await raw.query(text)), /^E S=ERROR; C=0A000[^\n]*\nZ I$/, text);
    }
    raw.send(x.raw('d', Buffer.from('stray')), x.raw('c'), x.raw('f', Buffer.from('\0')), query('select 5'));
    assert.match(render(await raw.ready()), /D 5/);
    assert.equal(await really('select count(*) from log'), '0');
    raw.close();
    assert.ok(kit.settled.slice(0, 4).every(({ outcome }) => outcome.status === 'refused'));
  });

  test('PG-23 fast-path function calls are refused, and the session goes on', async () => {
    const raw = await login();
    raw.send(x.raw('F', Buffer.alloc(10)));
    assert.match(render(await raw.ready()), /^E S=ERROR; C=0A000[^\n]*\nZ I$/);
    assert.match(render(await raw.query('select 1')), /D 1/);
    raw.close();
  });

  test('PG-24 a change of encoding or of string quoting ends the session', async () => {
    for (const text of [
      "set client_encoding = 'LATIN1'",
      'set standard_conforming_strings = off',
      "select set_config('client_encoding', 'sjis', false)",
    ]) {
      const raw = await login();
      raw.send(query(text));
      assert.match(render(await raw.end()), /E S=FATAL; C=0A000[^\n]*cannot be inspected/, text);
    }
    const raw = await login();
    assert.match(render(await raw.query("set client_encoding = 'UTF8'; set standard_conforming_strings = on")), /Z I/);
    raw.close();
  });

  test('PG-24 notifications reach only a session that was allowed to listen', async () => {
    const raw = await login();
    await raw.query('listen news');
    await really("notify news, 'hello'");
    assert.match((await raw.next(({ type }) => type === 'A')).body.toString('latin1'), /news\0hello/);
    raw.close();
  });

  test('PG-11 the real cancel key is not shown, and wrong keys are ignored without an answer', async () => {
    for (const key of [Buffer.alloc(4), Buffer.alloc(256, 1), Buffer.alloc(5)]) {
      const raw = await RawClient.open(kit.port);
      raw.send(Buffer.concat([int32(12 + key.length), int32(80_877_102), int32(1), key]));
      assert.deepEqual(await raw.end(), []);
    }
  });
});
