import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { until } from '#host';
import { Fault } from '#model';
import { password, maskColumns, refusal, startKit, type Kit } from './testing/kit.ts';
import { extended as x, RawClient, render, type Reply } from './testing/raw-client.ts';

const run = promisify(execFile);
const setup = `
  create table customers(id int primary key, name text, email text unique, born date, data jsonb);
  insert into customers select i, 'n' || i, 'mail' || i || '@example.org', date '2000-01-01' + i, jsonb_build_object('k', i) from generate_series(1, 1000) i;
  create table wide(body text);
`;

let kit: Kit;
before(async () => {
  kit = await startKit(setup);
});
after(() => kit.stop());
afterEach(() => kit.reset());

async function client(): Promise<Client> {
  const connected = new Client({ host: '127.0.0.1', port: kit.port, user: 'engineer', password, database: 'demo' });
  await connected.connect();
  return connected;
}

async function settledCount(count: number): Promise<void> {
  await until(() => (kit.settled.length >= count ? true : undefined), { deadlineMs: 5_000 });
  assert.equal(kit.settled.length, count);
}

const stars = (): Buffer => Buffer.from('***');
const maskEmail: NonNullable<Kit['script']['guard']> = (_admitted, columns) =>
  maskColumns(columns, ({ name }) => (name === 'email' ? stars : undefined));

const conninfo = (more: string): string => `host=localhost hostaddr=127.0.0.1 port=${kit.port} user=engineer dbname=demo ${more}`;

const psql = async (more: string, ...args: string[]): Promise<string> => {
  const { stdout } = await run('psql', ['-XAtq', conninfo(more), ...args], { env: { ...process.env, PGPASSWORD: password } });
  return stdout;
};

describe('clients of the PostgreSQL point', () => {
  test('psql works in the clear on this machine, over TLS, and with channel binding against the real certificate', async () => {
    const ca = join(kit.direct.host, '..', 'ca.pem');
    writeFileSync(ca, kit.cert);
    assert.equal(await psql('sslmode=disable', '-c', 'select 1'), '1\n');
    assert.equal(await psql('sslmode=require channel_binding=require', '-c', 'select 2; select 3'), '2\n3\n');
    assert.equal(
      await psql(`sslmode=verify-full sslrootcert=${ca}`, '-c', '\\d customers').then((out) => out.includes('email|text')),
      true,
    );
    assert.deepEqual(
      kit.opened.map(({ authentication }) => authentication),
      ['scram-sha-256', 'scram-sha-256+tls', 'scram-sha-256+tls'],
    );
  });

  test('psql sees a refusal as an error with reason, decision and hint, and goes on', async () => {
    kit.script.decide = ({ verb }) => (verb === 'drop' ? refusal('DESTRUCTIVE_DDL', 'nobody drops tables here') : undefined);
    const { stdout, stderr } = await run(
      'psql',
      ['-XAt', conninfo(''), '-c', 'drop table customers', '-c', 'select count(*) from customers'],
      {
        env: { ...process.env, PGPASSWORD: password },
      },
    );
    assert.equal(stdout, '1000\n');
    assert.match(stderr, /ERROR:  warder: nobody drops tables here\nDETAIL:  reason DESTRUCTIVE_DDL, decision dec_test\nHINT:  \S/);
  });

  test('pg reads, writes, prepares and gets errors and notices', async () => {
    const pg = await client();
    for (const id of [1, 2, 3]) {
      const { rows } = await pg.query({ name: 'one', text: 'select name, born from customers where id = $1', values: [id] });
      assert.equal(rows[0].name, `n${id}`);
    }
    assert.equal((await pg.query('insert into wide values ($1)', ['é'.repeat(70_000)])).rowCount, 1);
    assert.equal((await pg.query('select body from wide')).rows[0].body.length, 70_000);
    await assert.rejects(pg.query('select 1 from nowhere'), { code: '42P01' });
    await pg.query('truncate wide');
    await pg.end();
    assert.ok(
      kit.settled.every(({ operation, outcome }) =>
        operation.text.includes('nowhere') ? outcome.code === '42P01' : outcome.status === 'done',
      ),
    );
  });

  test('the client is told the settings of the target, but never its key or account password', async () => {
    const pg = await client();
    const { rows } = await pg.query('select pg_backend_pid() pid');
    // `processID` is set by pg from BackendKeyData.
    assert.notEqual((pg as unknown as { processID: number }).processID, rows[0].pid);
    await pg.end();
  });
});

describe('the point is transparent when everything is allowed', () => {
  const session: readonly (readonly [string, Buffer])[] = [
    ['simple', query('select 1 a, null b; select id, name from customers where id < 4; begin; select 2; commit')],
    ['empty', query(' -- nothing')],
    ['error', query('select 1; select 1/0; select 3')],
    [
      'parse',
      Buffer.concat([x.parse('s1', 'select id, born, data from customers where id <= $1 order by id'), x.describe('S', 's1'), x.sync]),
    ],
    ['execute', Buffer.concat([x.bind('', 's1', ['3']), x.describe('P', ''), x.execute(), x.sync])],
    [
      'binary',
      Buffer.concat([
        x.bind('', 's1', ['3'], { resultFormat: 1 }),
        x.describe('P', ''),
        x.execute('', 2),
        x.execute('', 2),
        x.execute('', 2),
        x.sync,
      ]),
    ],
    ['close', Buffer.concat([x.close('S', 's1'), x.close('S', 'never'), x.sync])],
    [
      'pipeline',
      Buffer.concat([
        ...pipelined('insert into wide values (1)'),
        ...pipelined('select * from wide'),
        x.sync,
        x.sync,
        ...pipelined('delete from wide'),
        x.sync,
      ]),
    ],
    [
      'error in a pipeline',
      Buffer.concat([
        ...pipelined('insert into wide values (1)'),
        ...pipelined('select 1/0'),
        ...pipelined('select 1'),
        x.sync,
        query('select count(*) from wide'),
      ]),
    ],
    ['no rows', Buffer.concat([...pipelined('select * from wide'), x.sync])],
    ['no columns', query('select from customers where id < 3')],
    ['many columns', query(`select ${Array.from({ length: 1_600 }, (_, i) => `${i} c`).join(',')}`)],
    ['savepoints', query('begin; savepoint a; select 1; rollback to a; commit')],
    ['failed transaction', Buffer.concat([query('begin'), query('select 1/0'), query('select 1'), query('rollback')])],
  ];
  const readies: Readonly<Record<string, number>> = { pipeline: 3, 'error in a pipeline': 2, 'failed transaction': 4 };

  for (const size of [1, 7, 65_536]) {
    test(`C-01 replies are those of the server itself when bytes come ${size} at a time`, async () => {
      const direct = await RawClient.direct(kit.upstream);
      const through = await RawClient.login(kit.port, password);
      const skip = size === 1 ? ['many columns'] : [];
      for (const [name, bytes] of session) {
        if (skip.includes(name)) continue;
        // One after the other: both use the same tables, and leave them as they were.
        direct.send(bytes);
        const count = readies[name] ?? 1;
        const wanted: (readonly Reply[])[] = [];
        for (let i = 0; i < count; i += 1) wanted.push(await direct.ready());
        await through.sendChunked(bytes, size);
        for (const want of wanted) assert.deepEqual(await through.ready(), want, `${name}\n${render(want)}`);
      }
      direct.close();
      through.close();
    });
  }
});

function query(text: string): Buffer {
  return x.raw('Q', Buffer.from(`${text}\0`));
}

function pipelined(text: string): Buffer[] {
  return [x.parse('', text), x.bind('', ''), x.describe('P', ''), x.execute()];
}

describe('masking', () => {
  test('PG-18 holds in text and in binary format, for simple and prepared statements', async () => {
    kit.script.guard = maskEmail;
    const raw = await RawClient.login(kit.port, password);
    const simple = await raw.query('select id, email from customers where id = 1');
    assert.match(render(simple), /D 1 \| \*\*\*\n/);
    raw.send(x.parse('', 'select id, email from customers where id = 1'), x.bind('', '', [], { resultFormat: 1 }), x.execute(), x.sync);
    assert.match(render(await raw.ready()), /D \\x00000001 \| \*\*\*\n/);
    raw.close();
    await settledCount(2);
    assert.deepEqual(
      kit.settled.map(({ outcome }) => outcome.masked),
      [{ none: 1 }, { none: 1 }],
    );
    assert.deepEqual(kit.settled[0]?.outcome.rules, ['test/mask']);
  });

  test('PG-14 holds over every fetch of a portal, and the operation is settled once, when the portal ends', async () => {
    kit.script.guard = maskEmail;
    const raw = await RawClient.login(kit.port, password);
    await raw.query('begin');
    raw.send(x.parse('', 'select email from customers order by id limit 5'), x.bind('p', ''), x.execute('p', 2), x.sync);
    assert.match(render(await raw.ready()), /^1\n2\nD \*\*\*\nD \*\*\*\ns\nZ T$/);
    raw.send(x.execute('p', 2), x.sync);
    assert.match(render(await raw.ready()), /^D \*\*\*\nD \*\*\*\ns\nZ T$/);
    assert.equal(kit.settled.filter(({ operation }) => operation.verb === 'select').length, 0);
    raw.send(x.execute('p', 2), x.sync);
    assert.match(render(await raw.ready()), /^D \*\*\*\nC SELECT 1\nZ T$/);
    await raw.query('commit');
    raw.close();
    const selects = kit.settled.filter(({ operation }) => operation.verb === 'select');
    assert.equal(selects.length, 1);
    assert.equal(selects[0]?.outcome.rows, 5);
    assert.equal(kit.admitted.filter(({ verb }) => verb === 'select').length, 1);
  });

  test('a row limit withholds further rows, and the tag counts those that were shown', async () => {
    kit.script.guard = (_admitted, columns) => maskColumns(columns, () => undefined, 3);
    const raw = await RawClient.login(kit.port, password);
    assert.match(render(await raw.query('select id from customers order by id')), /^T id\nD 1\nD 2\nD 3\nC SELECT 3\nZ I$/);
    assert.match(
      render(await raw.query("insert into wide select 'x' from generate_series(1, 5) returning body")),
      /D x\nD x\nD x\nC INSERT 0 5\n/,
    );
    await raw.query('truncate wide');
    raw.close();
    await settledCount(3);
    assert.equal(kit.settled[0]?.outcome.rowsWithheld, 997);
    assert.equal(kit.settled[0]?.outcome.rows, 3);
  });

  test('the outcome says how many rows were written, whichever statement wrote them', async () => {
    const raw = await RawClient.login(kit.port, password);
    await raw.query("insert into wide select 'x' from generate_series(1, 7)");
    await raw.query("update wide set body = 'y'; delete from wide where ctid in (select ctid from wide limit 3)");
    raw.send(...pipelined("insert into wide values ('z') returning body"), x.sync);
    await raw.ready();
    await raw.query('select body from wide limit 2');
    await raw.query('create temporary table copied as select * from wide');
    await raw.query('truncate wide');
    raw.close();
    await settledCount(6);
    assert.deepEqual(
      kit.settled.map(({ outcome: { rows, rowsChanged } }) => [rows, rowsChanged]),
      [
        [0, 7],
        [0, 10],
        [1, 1],
        [2, undefined],
        [0, 5],
        [0, undefined],
      ],
    );
  });

  test('a guard that refuses shows nothing of the result, and the session goes on', async () => {
    kit.script.guard = ({ operation }) =>
      operation.text.includes('customers') ? refusal('NO_ROWS', 'not these') : maskColumns([], () => undefined);
    const raw = await RawClient.login(kit.port, password);
    assert.match(render(await raw.query('select email from customers')), /^E S=ERROR; C=42501; M=warder: not these[^\n]*\nZ I$/);
    raw.send(...pipelined('select email from customers'), ...pipelined('delete from wide'), x.sync);
    assert.match(render(await raw.ready()), /^1\n2\nT email\nE S=ERROR; C=42501[^\n]*\nZ I$/);
    raw.close();
    await settledCount(3);
    assert.deepEqual(
      kit.settled.map(({ outcome }) => outcome.status),
      ['cut', 'cut', 'done'],
    );
  });

  test('PG-18 values of many megabytes pass whole, masked or not', async () => {
    const raw = await RawClient.login(kit.port, password);
    const text = "select 1, repeat('é', 3000000), 2 union all select 3, 'x', 4";
    const direct = await RawClient.direct(kit.upstream);
    assert.deepEqual(await raw.query(text), await direct.query(text));
    kit.script.guard = (_admitted, columns) => maskColumns(columns, (_column) => (cell) => cell);
    assert.deepEqual(await raw.query(text), await direct.query(text));
    raw.close();
    direct.close();
  });

  test('a cursor gives the columns it was declared with', async () => {
    const seen: string[] = [];
    kit.script.guard = (_admitted, columns) => {
      seen.push(...columns.map(({ lineage }) => lineage));
      return maskColumns(columns, () => undefined);
    };
    const raw = await RawClient.login(kit.port, password);
    await raw.query('begin; declare c cursor for select upper(name) from customers');
    await raw.query('fetch 1 from c');
    await raw.query('rollback');
    raw.close();
    assert.deepEqual(seen, ['derived']);
  });

  test('C-04 a client that does not read stops the target, and memory stays flat', { timeout: 30_000 }, async () => {
    kit.script.guard = (_admitted, columns) => maskColumns(columns, () => (cell) => Buffer.from(cell).reverse());
    const raw = await RawClient.login(kit.port, password);
    raw.socket.pause();
    raw.send(query("select repeat('x', 1000) email from generate_series(1, 300000)"));
    await until(() => (kit.admitted.length > 0 ? true : undefined), { deadlineMs: 5_000 });
    let last = -1;
    // Wait until nothing flows any more.
    await until(
      () => {
        const flowed = process.memoryUsage().arrayBuffers;
        const still = Math.abs(flowed - last) < 4_096;
        last = flowed;
        return still ? true : undefined;
      },
      { deadlineMs: 10_000, everyMs: 100 },
    );
    // The result has 300 MB; what earlier tests left behind may not be collected yet.
    assert.ok(process.memoryUsage().arrayBuffers < 128 * 1024 * 1024, String(process.memoryUsage().arrayBuffers));
    raw.close();
    await settledCount(1);
    assert.equal(kit.settled[0]?.outcome.status, 'cancelled');
  });
});

/** Holds until the waiting ends, then says so. */
const hold: NonNullable<Kit['script']['decide']> = (_operation, waiting) => {
  waiting.onHold({ request: 'req_1', message: 'needs a second pair of eyes', reviewers: ['dba'], expiresAt: 0 });
  return new Promise((resolve) => {
    waiting.signal.addEventListener('abort', () =>
      resolve({ code: 'APPROVAL_WITHDRAWN', reason: 'APPROVAL_WITHDRAWN', message: 'withdrawn' }),
    );
  });
};

describe('holding an operation', () => {
  test('the person is told, and a cancel from the client withdraws the request', async () => {
    kit.script.decide = hold;
    const pg = await client();
    const notices: string[] = [];
    pg.on('notice', ({ message }) => notices.push(message ?? ''));
    const answer = assert.rejects(pg.query('select 1'), { code: '57014' });
    await until(() => (notices.length > 0 ? true : undefined), { deadlineMs: 5_000 });
    assert.match(notices[0] ?? '', /waiting for approval req_1; a reviewer \(dba\) can run: warder approve req_1/);
    const { processID, secretKey } = pg as unknown as { processID: number; secretKey: number };
    await cancel(processID, secretKey);
    await answer;
    kit.script.decide = () => undefined;
    assert.equal((await pg.query('select 1 a')).rows[0].a, 1);
    await pg.end();
  });

  test('AP-01 an approved statement is not run when the database changed under it so that it means something else', async () => {
    let approve: (value?: undefined) => void = assert.fail;
    kit.script.decide = ({ verb }, waiting) => {
      if (verb !== 'select') return undefined;
      waiting.onHold({ request: 'req_2', message: '', reviewers: [], expiresAt: 0 });
      return new Promise((resolve) => {
        approve = resolve;
      });
    };
    const [raw, other] = [await RawClient.login(kit.port, password), await RawClient.login(kit.port, password)];
    raw.send(query('select n from moving'));
    await raw.next(({ type }) => type === 'N');
    await other.query('create table moving(n int)');
    approve();
    assert.match(render(await raw.ready()), /^E S=ERROR; C=57014[^\n]*means something else now/);
    raw.send(query('select n from moving'));
    await raw.next(({ type }) => type === 'N');
    approve();
    assert.match(render(await raw.ready()), /C SELECT 0/);
    await other.query('drop table moving');
    raw.close();
    other.close();
  });

  test('a client that goes away withdraws the request', async () => {
    let withdrawn = false;
    kit.script.decide = (operation, waiting) => {
      waiting.signal.addEventListener('abort', () => {
        withdrawn = true;
      });
      return hold(operation, waiting);
    };
    const raw = await RawClient.login(kit.port, password);
    raw.send(query('select 1'));
    await raw.next(({ type }) => type === 'N');
    raw.close();
    assert.ok(await until(() => (withdrawn && kit.closed.length > 0 ? true : undefined), { deadlineMs: 5_000 }));
  });
});

async function cancel(pid: number, secret: number): Promise<void> {
  const raw = await RawClient.open(kit.port);
  const bytes = Buffer.alloc(16);
  bytes.writeInt32BE(16, 0);
  bytes.writeInt32BE(80_877_102, 4);
  bytes.writeInt32BE(pid, 8);
  bytes.writeInt32BE(secret, 12);
  raw.send(bytes);
  assert.deepEqual(await raw.end(), []);
}

describe('cancelling and ending', () => {
  test('PG-11 a cancel request stops the statement that runs, with the key the point gave', async () => {
    const pg = await client();
    const answer = assert.rejects(pg.query('select pg_sleep(20)'), { code: '57014' });
    await until(() => (kit.admitted.length > 0 ? true : undefined), { deadlineMs: 5_000 });
    const { processID, secretKey } = pg as unknown as { processID: number; secretKey: number };
    await cancel(processID, secretKey ^ 1);
    await until(() => isRunning('pg_sleep(20)'), { deadlineMs: 5_000 });
    await cancel(processID, secretKey);
    await answer;
    assert.equal((await pg.query('select 1 a')).rows[0].a, 1);
    await pg.end();
    assert.equal(kit.settled[0]?.outcome.status, 'cancelled');
  });

  test('PG-12 a cancel request for a session that is idle does nothing', async () => {
    const pg = await client();
    const { processID, secretKey } = pg as unknown as { processID: number; secretKey: number };
    await cancel(processID, secretKey);
    assert.equal((await pg.query('select pg_sleep(0.05), 1 a')).rows[0].a, 1);
    await pg.end();
  });

  test('C-06 a session that is revoked while a statement runs ends with the reason, and the statement is stopped', async () => {
    const raw = await RawClient.login(kit.port, password);
    raw.send(query('select pg_sleep(21)'));
    await until(() => isRunning('pg_sleep(21)'), { deadlineMs: 5_000 });
    kit.terminate(new Fault('UNAUTHENTICATED', 'the token of this session was revoked'));
    assert.match(render(await raw.end()), /^E S=FATAL; C=28P01; M=warder: the token of this session was revoked/);
    await settledCount(1);
    assert.equal(kit.settled[0]?.outcome.status, 'cancelled');
    assert.equal(await until(() => isRunning('pg_sleep(21)').then((running) => (running ? undefined : true)), { deadlineMs: 5_000 }), true);
    assert.equal(kit.closed[0]?.reason, 'ended');
  });

  test('a client that goes away while a statement runs stops it, and the outcome is known', async () => {
    const raw = await RawClient.login(kit.port, password);
    raw.send(query('select pg_sleep(22)'));
    await until(() => isRunning('pg_sleep(22)'), { deadlineMs: 5_000 });
    raw.socket.resetAndDestroy();
    await settledCount(1);
    assert.equal(kit.settled[0]?.outcome.status, 'cancelled');
  });

  test('a target that goes away in the middle leaves the operation in doubt, or with its last error', async () => {
    const raw = await RawClient.login(kit.port, password);
    raw.send(query('select pg_sleep(23)'));
    await until(() => isRunning('pg_sleep(23)'), { deadlineMs: 5_000 });
    await onServer("select pg_terminate_backend(pid) from pg_stat_activity where query = 'select pg_sleep(23)'");
    assert.match(render(await raw.end()), /E S=FATAL; C=57P01/);
    await settledCount(1);
    assert.equal(kit.settled[0]?.outcome.status, 'error');
    assert.equal(kit.settled[0]?.outcome.code, '57P01');
  });
});

async function onServer(sql: string): Promise<readonly Record<string, unknown>[]> {
  const { host, port, user } = kit.upstream;
  const pg = new Client({ host, port, user, password: kit.upstream.password, database: 'postgres' });
  await pg.connect();
  try {
    return (await pg.query(sql)).rows;
  } finally {
    await pg.end();
  }
}

async function isRunning(text: string): Promise<true | undefined> {
  const rows = await onServer(
    `select 1 from pg_stat_activity where state = 'active' and query like 'select ${text}%' and pid <> pg_backend_pid()`,
  );
  return rows.length > 0 ? true : undefined;
}
