import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { after, afterEach, before, describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { until } from '#host';
import { limits } from '#model';
import { int32, query, saslInitialResponse, sslRequest, startupMessage } from './encode.ts';
import { password, startKit, type Kit } from './testing/kit.ts';
import { extended as x, RawClient, render } from './testing/raw-client.ts';

/** Ways around the login, and peers that misbehave. A case that entered never leaves; IDs are those of the test plan. */

let kit: Kit;
before(async () => {
  kit = await startKit('select 1');
});
after(() => kit.stop());
afterEach(() => kit.reset());

const login = (): Promise<RawClient> => RawClient.login(kit.port, password);
const gssRequest = Buffer.concat([int32(8), int32(80_877_104)]);

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
    const address = Object.values(networkInterfaces())
      .flat()
      .find((one) => one && !one.internal && one.family === 'IPv4')?.address;
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
    for (const [user, secret] of [
      ['engineer', 'wrong'],
      ['engineer', 'expired token'],
      ['stranger', password],
    ] as const) {
      const raw = await RawClient.open(kit.port);
      await assert.rejects(raw.authenticate(secret, { user }), (error: Error) => {
        answers.add(error.message.replace(user, 'X'));
        return true;
      });
      raw.close();
    }
    assert.equal(answers.size, 1);
    assert.match([...answers][0] ?? '', /C=28P01/);
    assert.deepEqual(
      kit.refusals.map(({ claimed, reason }) => `${claimed} ${reason}`),
      ['engineer UNAUTHENTICATED', 'engineer UNAUTHENTICATED', 'stranger UNAUTHENTICATED'],
    );
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
    assert.match(
      await refused(startupMessage({ user: 'engineer', database: 'demo', options: '-c search_path=hidden' })),
      /C=0A000.*search_path/,
    );
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

const connections = (): Promise<string> =>
  RawClient.ask(kit.upstream, "select count(*) from pg_stat_activity where application_name like 'warder%'");

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
      raw.socket.resetAndDestroy();
    }
    for (const bytes of [
      Buffer.from('Q'),
      query('select pg_sleep(0.01)'),
      Buffer.concat([x.parse('', 'select 1'), x.bind('', '')]),
      Buffer.from([0x51, 0, 1, 0, 0]),
    ]) {
      const raw = await login();
      raw.send(bytes);
      raw.socket.resetAndDestroy();
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
