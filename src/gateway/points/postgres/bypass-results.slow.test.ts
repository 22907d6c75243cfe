import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { maskColumns, password, startKit, type Kit } from './testing/kit.ts';
import { extended as x, RawClient, render } from './testing/raw-client.ts';

/** Ways to see what masking hides. A case that entered never leaves; see `bypass.test.ts` for those around the decision. */

const setup = `
  create table customers(id int primary key, name text, email text unique check (email <> 'bad'));
  insert into customers select i, 'n' || i, 'mail' || i || '@example.org' from generate_series(1, 20) i;
  create schema hidden;
  create table hidden.customers(id int, name text, email text);
  create view hidden.mails as select email from hidden.customers;
`;

let kit: Kit;
before(async () => {
  kit = await startKit(setup, { 'public.customers.email': ['pii.email'] });
});
after(() => kit.stop());
afterEach(() => kit.reset());

const login = (): Promise<RawClient> => RawClient.login(kit.port, password);

describe('what the target says', () => {
  test('PG-21 errors of statements on classified relations quote no values', async () => {
    const raw = await login();
    for (const text of [
      "insert into customers values (900, 'x', 'mail1@example.org')",
      "insert into customers values (901, 'secret-name', 'bad')",
      'select email::int from customers',
      "update customers set name = 'y', email = 'bad'",
      "do $$ begin raise exception '%', (select email from customers limit 1); end $$",
    ]) {
      const replies = render(await raw.query(text));
      assert.match(replies, /E S=ERROR/, text);
      assert.doesNotMatch(replies, /example\.org|secret-name|D=/, text);
    }
    raw.close();
  });

  test('PG-21 a notice raised by code is withheld where classified values may be in it', async () => {
    const raw = await login();
    const replies = render(await raw.query("do $$ begin raise notice '%', (select email from customers limit 1); end $$"));
    assert.match(replies, /^N /);
    assert.doesNotMatch(replies, /example\.org/);
    raw.close();
  });

  test('PG-18 columns of a classified table carry their labels to the guard, in every shape', async () => {
    kit.script.guard = (_admitted, columns) =>
      maskColumns(columns, ({ labels, lineage }) => (labels.includes('pii.email') || lineage === 'unknown' ? () => null : undefined));
    const raw = await login();
    for (const text of [
      'select email from customers',
      'select * from customers',
      'select upper(email) from customers',
      'select c from customers c',
      'select row_to_json(c) from customers c',
      'select to_jsonb(c) from customers c',
      'select (c).email from customers c',
      'select c.*::text from customers c',
      'select string_agg(email, $$,$$) from customers',
      'select x from (select email as x from customers) y',
      'with a as (select email m from customers) select m from a',
      'select email from customers union select null',
      'table customers',
      'update customers set name = name returning email',
      'select case when true then email end from customers',
      'begin; declare c cursor for select email from customers; fetch all from c; commit',
      'prepare p as select email from customers; execute p; deallocate p',
      "select query_to_xml('select email from customers', true, true, '')",
      'set search_path = hidden; select upper(email) from public.customers; set search_path = public',
    ]) {
      const replies = render(await raw.query(text));
      assert.match(replies, /\nC /, text);
      assert.doesNotMatch(replies, /example\.org/, text);
    }
    raw.close();
  });

  test('PG-18 a table that was renamed, or made, in this very transaction does not lose its labels', async () => {
    kit.script.guard = (_admitted, columns) =>
      maskColumns(columns, ({ labels, lineage }) => (labels.includes('pii.email') || lineage === 'unknown' ? () => null : undefined));
    const raw = await login();
    await raw.query('begin');
    await raw.query('alter table customers rename column email to harmless');
    await raw.query('alter table customers rename column name to email');
    for (const text of ['select harmless from customers', 'select upper(harmless) from customers', 'select c from customers c']) {
      assert.doesNotMatch(render(await raw.query(text)), /example\.org/, text);
    }
    await raw.query('alter table customers rename to others; create temp table t as select harmless h from others');
    for (const text of ['select upper(harmless) from others', 'select h from t', 'select upper(h) from t']) {
      assert.doesNotMatch(render(await raw.query(text)), /example\.org/, text);
    }
    await raw.query('rollback');
    await raw.query('alter table customers rename column email to harmless');
    for (const text of ['select harmless from customers', 'select upper(harmless) from customers']) {
      assert.doesNotMatch(render(await raw.query(text)), /example\.org/, text);
    }
    await raw.query('alter table customers rename column harmless to email');
    raw.close();
  });

  test('PG-18 while the catalog cannot be read, expressions have an unknown origin, columns keep their labels, and the transaction of the client goes on', async () => {
    const seen: string[] = [];
    kit.script.guard = (_admitted, columns) => {
      seen.push(...columns.map(({ lineage, labels }) => `${lineage} ${labels.join()}`));
      return maskColumns(columns, () => undefined);
    };
    const [locker, raw] = [await RawClient.direct(kit.upstream), await login()];
    await locker.query('begin; lock table hidden.customers');
    await raw.query('begin; create table another(n int)');
    assert.match(render(await raw.query('select upper(name) from customers')), /Z T$/);
    await raw.query('commit');
    assert.match(render(await raw.query('select upper(name), email from customers')), /Z I$/);
    assert.match(render(await raw.query('select upper(email) from customers')), /Z I$/);
    await locker.query('rollback');
    locker.close();
    await raw.query('drop table another');
    raw.close();
    assert.deepEqual(seen, ['unknown ', 'unknown ', 'exact pii.email', 'unknown pii.email']);
  });

  test('PG-18 a temporary table of one session does not change what another session sees', async () => {
    kit.script.guard = (_admitted, columns) =>
      maskColumns(columns, ({ labels }) => (labels.includes('pii.email') ? () => null : undefined));
    const [one, other] = [await login(), await login()];
    await one.query("create temp table customers as select 1 id, 'shown' email");
    const third = await login();
    for (const raw of [other, third]) assert.doesNotMatch(render(await raw.query('select upper(email) from customers')), /EXAMPLE/);
    for (const raw of [one, other, third]) raw.close();
  });

  test('PG-14 a DECLARE that failed does not describe the cursor that had the name', async () => {
    kit.script.guard = (_admitted, columns) =>
      maskColumns(columns, ({ labels, lineage }) => (labels.includes('pii.email') || lineage === 'unknown' ? () => null : undefined));
    const raw = await login();
    await raw.query('begin; declare c cursor with hold for select upper(email) from customers; commit');
    await raw.query('begin; savepoint s');
    await raw.query("declare c cursor for select 'harmless'");
    await raw.query('rollback to s');
    assert.match(render(await raw.query('fetch 1 from c')), /D NULL/);
    await raw.query('close c; commit');
    raw.close();
  });

  test('PG-17 a portal is judged by what its statement meant when it was bound', async () => {
    kit.script.guard = (_admitted, columns) =>
      maskColumns(columns, ({ labels }) => (labels.includes('pii.email') ? () => null : undefined));
    const raw = await login();
    await raw.query('begin');
    raw.send(x.parse('s', 'select upper(email) from customers'), x.bind('p', 's'), x.sync);
    await raw.ready();
    await raw.query('set local search_path = hidden');
    raw.send(x.execute('p', 1), x.sync);
    assert.match(render(await raw.ready()), /^D NULL\ns\nZ T$/);
    raw.close();
  });

  test('PG-17 what follows a change of the search path in the same batch is not taken as understood', async () => {
    const raw = await login();
    await raw.query('set search_path = hidden; select name from customers; set search_path = public');
    assert.equal(kit.admitted.at(-1)?.certainty, 'partial');
    raw.send(
      x.parse('', 'set search_path = hidden'),
      x.bind('', ''),
      x.execute(),
      x.parse('', 'select name from customers'),
      x.bind('', ''),
      x.execute(),
      x.sync,
    );
    await raw.ready();
    assert.deepEqual(
      kit.admitted.slice(-2).map(({ certainty }) => certainty),
      ['parsed', 'partial'],
    );
    raw.close();
  });

  test('PG-17 the search path and the role in force are part of what an approval is bound to', async () => {
    const raw = await login();
    await raw.query('select 1');
    await raw.query('set search_path = hidden');
    await raw.query('select 2');
    await raw.query('begin; set local search_path = public');
    await raw.query('select 3');
    await raw.query('rollback');
    await raw.query('select 4');
    const namespaces = kit.admitted
      .filter(({ text }) => /^select \d$/.test(text))
      .map(({ namespace }) => /search_path=([^;]*)/.exec(namespace)?.[1]);
    assert.deepEqual(namespaces, ['"$user", public', 'hidden', 'public', 'hidden']);
    raw.close();
  });
});
