import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { after, afterEach, before, describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { until } from '#host';
import { limits } from '#model';
import { password, refusal, startKit, type Kit } from './testing/kit.ts';
import { int32, query, saslInitialResponse, sslRequest, startupMessage } from './encode.ts';
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
  kit.reset();
  const raw = await RawClient.direct(kit.upstream);
  await raw.query('truncate log');
  raw.close();
});

const login = (parameters?: Record<string, string>): Promise<RawClient> => RawClient.login(kit.port, password, parameters);
const gssRequest = Buffer.concat([int32(8), int32(80_877_104)]);

/** What the server really has, asked without Warder. */
async function really(sql: string): Promise<string> {
  const raw = await RawClient.direct(kit.upstream);
  const replies = await raw.query(sql);
  raw.close();
  return replies
    .filter(({ type }) => type === 'D')
    .map((reply) => render([reply]).slice(2))
    .join(';');
}

/** Everything the point answers before it closes, without waiting for a login. */
async function refused(...bytes: readonly Buffer[]): Promise<string> {
  const raw = await RawClient.open(kit.port);
  raw.send(...bytes);
  return render(await raw.end());
}

async function upgraded(before: readonly Buffer[]): Promise<RawClient> {
  const plain = await RawClient.open(kit.port);
  plain.socket.removeAllListeners('data');
  for (const bytes of before) {
    plain.send(bytes);
    await new Promise((resolve) => plain.socket.once('data', resolve));
  }
  const socket = connectTls({ socket: plain.socket, rejectUnauthorized: false });
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.once('error', reject);
  });
  return new RawClient(socket);
}

describe('before the login', () => {
  test('PG-01 TLS and GSS may be asked for once each, in either order, and never inside TLS', async () => {
    for (const order of [[sslRequest], [gssRequest, sslRequest]]) {
      const raw = await upgraded(order);
      await raw.authenticate(password);
      assert.match(render(await raw.query('select 1')), /D 1/);
      raw.close();
    }
    for (const again of [sslRequest, gssRequest]) {
      const raw = await upgraded([sslRequest]);
      raw.send(again);
      assert.match(render(await raw.end()), /E S=FATAL; C=08P01/);
    }
    const twice = await RawClient.open(kit.port);
    twice.socket.removeAllListeners('data');
    twice.send(gssRequest);
    await new Promise((resolve) => twice.socket.once('data', resolve));
    twice.send(gssRequest);
    await twice.end();
    assert.equal(twice.closed, true);
  });

  test('PG-02 bytes sent along with the request for TLS are refused, never read as if they came through it (CVE-2021-3935)', async () => {
    assert.match(await refused(sslRequest, startupMessage({ user: 'engineer', database: 'demo' })), /C=08P01.*before TLS/);
    assert.match(await refused(Buffer.concat([sslRequest, query('select 1')])), /C=08P01/);
    assert.equal(kit.opened.length, 0);
  });

  test('PG-03 direct TLS works with the protocol named, and is refused without', async () => {
    const raw = await RawClient.openTls(kit.port);
    await raw.authenticate(password);
    assert.match(render(await raw.query('select 1')), /D 1/);
    raw.close();
    await assert.rejects(RawClient.openTls(kit.port, { alpn: ['http/1.1'] }));
    const none = await RawClient.openTls(kit.port, { alpn: [] }).catch(() => undefined);
    if (none) assert.deepEqual(await none.end(), []);
  });

  test('PG-04 a newer protocol version and unknown options are negotiated down to 3.0', async () => {
    const raw = await RawClient.open(kit.port);
    const bytes = Buffer.from(startupMessage({ user: 'engineer', database: 'demo', '_pq_.grease': 'x' }));
    bytes.writeUInt16BE(9_999, 6);
    raw.send(bytes);
    const [negotiation] = await raw.until(({ type }) => type === 'v');
    assert.equal(negotiation?.body.readUInt32BE(), 0x0003_0000);
    assert.match(negotiation?.body.toString('latin1') ?? '', /_pq_\.grease/);
    await raw.next(({ type }) => type === 'R');
    raw.close();
  });

  test('PG-05 from another machine TLS is asked for before any proof', async (t) => {
    const address = Object.values(networkInterfaces()).flat().find((one) => one && !one.internal && one.family === 'IPv4')?.address;
    if (address === undefined) return t.skip('this machine has no address but loopback');
    const elsewhere = await kit.listenAt(address);
    const raw = new RawClient((await import('node:net')).connect({ host: address, port: elsewhere.port, localAddress: address }));
    raw.send(startupMessage({ user: 'engineer', database: 'demo' }));
    assert.match(render(await raw.end()), /^E S=FATAL; C=28000/);
    assert.equal(kit.refusals[0]?.reason, 'TLS_REQUIRED');
    await elsewhere.close(0);
    return undefined;
  });

  test('PG-06 a wrong token, an expired token and an unknown name are refused alike, and recorded first', async () => {
    const answers = new Set<string>();
    for (const [user, secret] of [['engineer', 'wrong'], ['engineer', 'expired token'], ['stranger', password]] as const) {
      const raw = await RawClient.open(kit.port);
      await assert.rejects(raw.authenticate(secret, { user }), (error: Error) => {
        answers.add(error.message.replace(user, 'X'));
        return true;
      });
      raw.close();
    }
    assert.equal(answers.size, 1);
    assert.match([...answers][0] ?? '', /C=28P01/);
    assert.deepEqual(kit.refusals.map(({ claimed, reason }) => `${claimed} ${reason}`), ['engineer UNAUTHENTICATED', 'engineer UNAUTHENTICATED', 'stranger UNAUTHENTICATED']);
    assert.equal(kit.opened.length, 0);
  });

  test('PG-07 nothing but the next step of the login is taken during the login', async () => {
    const start = startupMessage({ user: 'engineer', database: 'demo' });
    const stray = [query('select 1'), x.sync, x.parse('', 'select 1'), saslInitialResponse('PLAIN', 'x'), x.raw('p', Buffer.from('md5\0'))];
    for (const message of stray) {
      const raw = await RawClient.open(kit.port);
      raw.send(start, message);
      assert.match(render(await raw.end()), /E S=FATAL; C=(08P01|0A000)/);
    }
    const raw = await login();
    raw.send(x.raw('p', Buffer.from('again\0')));
    assert.match(render(await raw.end()), /E S=FATAL; C=08P01/);
    const second = await login();
    second.send(start);
    await second.end();
    assert.equal(kit.admitted.length, 0);
  });

  test('PG-08 C-02 oversized, lying and empty startup packets end the connection', async () => {
    assert.match(await refused(Buffer.concat([int32(10_001), int32(0x0003_0000)])), /C=54000/);
    assert.match(await refused(Buffer.concat([int32(7), int32(0x0003_0000)])), /C=08P01/);
    assert.match(await refused(Buffer.concat([int32(-1), int32(0x0003_0000)])), /C=54000/);
    assert.match(await refused(startupMessage({ user: 'engineer', database: 'demo', options: '-c search_path=hidden' })), /C=0A000.*search_path/);
    assert.match(await refused(startupMessage({ user: 'engineer', database: 'demo', replication: 'database' })), /C=0A000/);
  });

  test('PG-09 names are compared exactly: no routing, no quoting, no folding', async () => {
    for (const database of ['Demo', 'demo ', '"demo"', 'demo@x', 'postgres', 'demo host=evil']) {
      const raw = await RawClient.open(kit.port);
      await assert.rejects(raw.authenticate(password, { database }), /C=3D000/, database);
      raw.close();
    }
    assert.equal(kit.opened.length, 0);
  });
});

const noDrop: NonNullable<Kit['script']['decide']> = ({ text }) => (/drop/i.test(text) ? refusal('NO_DROP', 'no drop') : undefined);
const one = (text: string): Buffer[] => [x.parse('', text), x.bind('', ''), x.execute()];

const connections = (): Promise<string> => really("select count(*) from pg_stat_activity where application_name like 'warder%'");

describe('peers that misbehave', () => {
  test('C-03 a connection that does not finish its login is cut at the deadline, wherever it stopped', async () => {
    const silent = await RawClient.open(kit.port);
    const halfPacket = await RawClient.open(kit.port);
    halfPacket.send(int32(100));
    const noHandshake = await RawClient.open(kit.port);
    noHandshake.send(sslRequest);
    const noProof = await RawClient.open(kit.port);
    noProof.send(startupMessage({ user: 'engineer', database: 'demo' }));
    await noProof.next(({ type }) => type === 'R');
    kit.expire(limits.loginMs);
    for (const raw of [silent, halfPacket, noHandshake, noProof]) {
      await raw.end();
      assert.equal(raw.closed, true);
    }
    const other = await login();
    assert.match(render(await other.query('select 1')), /D 1/);
    other.close();
  });

  test('C-03 resets and half messages in every stage harm nobody else', async () => {
    const bystander = await login();
    for (const bytes of [Buffer.alloc(0), sslRequest, int32(50), startupMessage({ user: 'engineer', database: 'demo' })]) {
      const raw = await RawClient.open(kit.port);
      raw.send(bytes);
      (raw.socket as Socket).resetAndDestroy();
    }
    for (const bytes of [Buffer.from('Q'), query('select pg_sleep(0.01)'), Buffer.concat([x.parse('', 'select 1'), x.bind('', '')]), Buffer.from([0x51, 0, 1, 0, 0])]) {
      const raw = await login();
      raw.send(bytes);
      (raw.socket as Socket).resetAndDestroy();
    }
    assert.match(render(await bystander.query('select 1')), /D 1/);
    // Only the bystander's connection to the target is left.
    assert.ok(await until(async () => ((await connections()) === '1' ? true : undefined), { deadlineMs: 8_000, everyMs: 50 }));
    bystander.close();
  });

  test('C-02 much that is sent before the login is done ends the connection', async () => {
    const raw = await RawClient.open(kit.port);
    raw.send(startupMessage({ user: 'engineer', database: 'demo' }));
    await raw.next(({ type }) => type === 'R');
    raw.send(Buffer.concat([x.raw('p', Buffer.alloc(5_000))]), Buffer.alloc(1 << 20));
    await raw.end();
    assert.equal(raw.closed, true);
  });

  test('C-09 a drained gateway lets a running statement finish and tells every session', async () => {
    const elsewhere = await kit.listenAt('127.0.0.1');
    const idle = await RawClient.login(elsewhere.port, password);
    const busy = await RawClient.login(elsewhere.port, password);
    busy.send(query('select pg_sleep(0.3), 1 done'));
    await until(() => (kit.admitted.length > 0 ? true : undefined), { deadlineMs: 5_000 });
    const closed = elsewhere.close(5_000);
    assert.match(render(await idle.end()), /^E S=FATAL; C=57P01/);
    assert.match(render(await busy.end()), /D  \| 1\nC SELECT 1\nZ I\nE S=FATAL; C=57P01/);
    await closed;
    await assert.rejects(RawClient.login(elsewhere.port, password));
  });
});

describe('batches', () => {
  test('PG-13 of a text with several statements nothing runs when one may not', async () => {
    kit.script.decide = noDrop;
    const raw = await login();
    for (const text of ["insert into log values ('a'); drop table customers; select 1", "begin; insert into log values ('a'); commit; drop table customers", "insert into log values ('a');;;/* */ drop table customers"]) {
      assert.match(render(await raw.query(text)), /^E S=ERROR; C=42501[^\n]*\nZ I$/);
    }
    assert.equal(await really('select count(*) from log'), '0');
    raw.close();
  });

  test('PG-15 of a pipeline nothing is sent when its k-th operation may not run, and exactly one ReadyForQuery follows each Sync', async () => {
    kit.script.decide = noDrop;
    const raw = await login();
    raw.send(...one("insert into log values ('a')"), ...one('drop table customers'), ...one("insert into log values ('b')"), x.sync, ...one("insert into log values ('c')"), x.sync);
    assert.match(render(await raw.ready()), /^E S=ERROR; C=42501[^\n]*\nZ I$/);
    assert.equal(render(await raw.ready()), '1\n2\nC INSERT 0 1\nZ I');
    assert.equal(await really('select string_agg(line, \',\') from log'), 'c');
    raw.close();
  });

  test('PG-15 after a Flush the refusal comes in order, aborts what was begun, and everything up to Sync is dropped', async () => {
    kit.script.decide = noDrop;
    const raw = await login();
    raw.send(...one("insert into log values ('a')"), x.flush, ...one('drop table customers'), x.flush, ...one("insert into log values ('b')"), x.flush, x.sync, query('select 7'));
    assert.match(render(await raw.ready()), /^1\n2\nC INSERT 0 1\nE S=ERROR; C=42501[^\n]*\nZ I$/);
    assert.match(render(await raw.ready()), /D 7/);
    assert.equal(await really('select count(*) from log'), '0');
    raw.close();
    await until(() => (kit.settled.length === 2 ? true : undefined), { deadlineMs: 5_000 });
    assert.equal(kit.settled.find(({ operation }) => operation.text.includes('log'))?.outcome.status, 'error');
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
    for (const [value, want] of [['1', /D n1/], ['2', /C=42501/], ['3', /D n3/]] as const) {
      raw.send(x.bind('', 's', [value]), x.execute(), x.sync);
      assert.match(render(await raw.ready()), want);
    }
    raw.close();
  });

  test('PG-16 parameters are seen in text, binary and NULL', async () => {
    const raw = await login();
    raw.send(x.parse('', 'select $1::text, $2::int, $3::text'), x.bind('', '', ['é', Buffer.from([0, 0, 0, 7]), null], { formats: [0, 1, 0] }), x.execute(), x.sync);
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
    for (const text of ['copy customers to stdout', 'copy log from stdin', 'copy (select email from customers) to stdout', "select 1; copy customers to stdout; insert into log values ('x')"]) {
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
    for (const text of ["set client_encoding = 'LATIN1'", 'set standard_conforming_strings = off', "select set_config('client_encoding', 'sjis', false)"]) {
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
