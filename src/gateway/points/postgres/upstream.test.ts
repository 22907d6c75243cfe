import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { TLSSocket, createSecureContext } from 'node:tls';
import { after, before, describe, test } from 'node:test';
import { realWorld } from '#host';
import type { Upstream, UpstreamTls } from '#model';
import { authentication, backendKeyData, errorResponse, int32, parameterStatus, readyForQuery } from './encode.ts';
import { testCertificate } from './testing/certificate.ts';
import { startKit, type Kit } from './testing/kit.ts';
import { cancelTarget, connectTarget, type Target } from './upstream.ts';

let kit: Kit;
let pem: { readonly key: string; readonly cert: string };
const servers: Server[] = [];

before(async () => {
  kit = await startKit('select 1');
  pem = await testCertificate();
});
after(async () => {
  for (const server of servers) server.close();
  await kit.stop();
});

async function serve(answer: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    answer(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** A real PostgreSQL behind TLS. `first` is what answers the request for TLS. */
function behindTls(first: string): Promise<number> {
  return serve((socket) => {
    socket.once('data', () => {
      socket.write(first);
      socket.pause();
      const secured = new TLSSocket(socket, { isServer: true, secureContext: createSecureContext(pem) });
      const inner = connect(`${kit.direct.host}/.s.PGSQL.${kit.direct.port}`);
      for (const one of [secured, inner]) one.on('error', () => socket.destroy());
      secured.pipe(inner).pipe(secured);
    });
  });
}

/** A target that answers each message with the next of these. */
function scripted(...answers: readonly Buffer[]): Promise<number> {
  return serve((socket) => {
    let at = 0;
    socket.on('data', () => {
      const answer = answers[at];
      at += 1;
      if (answer) socket.write(answer);
      else socket.end();
    });
  });
}

function login(port: number, tls: UpstreamTls, more: Partial<Upstream> = {}): Promise<Target> {
  const upstream = { ...kit.upstream, host: 'localhost', port, tls, ...more };
  return connectTarget(upstream, { application_name: 'test' }, { world: realWorld, signal: new AbortController().signal });
}

const greeting = Buffer.concat([
  authentication(0),
  parameterStatus('server_version', '9'),
  backendKeyData(7, int32(9)),
  readyForQuery('I'),
]);

describe('connecting to a target', () => {
  test('works over a unix socket, and over TLS with and without a check of the certificate', async () => {
    const port = await behindTls('S');
    for (const connecting of [
      login(kit.upstream.port, { mode: 'disable' }, { host: kit.upstream.host }),
      login(port, { mode: 'require' }),
      login(port, { mode: 'verify-full', ca: pem.cert }),
    ]) {
      const target = await connecting;
      assert.equal(target.parameters.get('client_encoding'), 'UTF8');
      assert.equal(target.parameters.get('standard_conforming_strings'), 'on');
      assert.equal(target.key.secret.length, 4);
      target.connection.socket.destroy();
    }
  });

  test('fails when the certificate is not trusted or is for another name', async () => {
    const port = await behindTls('S');
    const other = await testCertificate();
    await assert.rejects(login(port, { mode: 'verify-full', ca: other.cert }), { code: 'UPSTREAM_UNREACHABLE' });
    await assert.rejects(login(port, { mode: 'verify-full' }), { code: 'UPSTREAM_UNREACHABLE' });
    await assert.rejects(login(port, { mode: 'verify-full', ca: pem.cert }, { host: '127.0.0.1' }), { code: 'UPSTREAM_UNREACHABLE' });
  });

  test('PG-02 bytes that follow the agreement to TLS are refused (CVE-2021-23222), and so is a target without TLS', async () => {
    await assert.rejects(login(await behindTls('SE'), { mode: 'require' }), { code: 'UPSTREAM_REFUSED' });
    await assert.rejects(login(await scripted(Buffer.from('N')), { mode: 'require' }), { code: 'UPSTREAM_REFUSED' });
  });

  test('a password is sent in the clear only where nobody can read it on the way', async () => {
    const port = await scripted(Buffer.concat([Buffer.from('R'), int32(8), int32(3)]), greeting);
    await assert.rejects(login(port, { mode: 'disable' }), /in the clear without TLS/);
  });

  test('md5 and trust are spoken', async () => {
    let answer = '';
    const salt = Buffer.from('salt');
    const port = await serve((socket) => {
      socket.once('data', () => {
        socket.write(Buffer.concat([Buffer.from('R'), int32(12), int32(5), salt]));
        socket.once('data', (chunk: Buffer) => {
          answer = chunk.toString('latin1', 5, chunk.length - 1);
          socket.write(greeting);
        });
      });
    });
    (await login(port, { mode: 'disable' })).connection.socket.destroy();
    const inner = createHash('md5').update('owner secretowner').digest('hex');
    assert.equal(
      answer,
      `md5${createHash('md5')
        .update(inner + 'salt')
        .digest('hex')}`,
    );
    (await login(await scripted(greeting), { mode: 'disable' })).connection.socket.destroy();
  });

  test('what the target says about the account is not passed on', async () => {
    const port = await scripted(
      errorResponse([
        ['S', 'FATAL'],
        ['C', '28P01'],
        ['M', 'password authentication failed for user "owner"'],
      ]),
    );
    await assert.rejects(login(port, { mode: 'disable' }), (fault: Error & { code?: string }) => {
      assert.equal(fault.code, 'UPSTREAM_REFUSED');
      assert.doesNotMatch(JSON.stringify([fault.message, fault]), /owner/);
      return true;
    });
    await assert.rejects(login(kit.upstream.port, { mode: 'disable' }, { host: kit.upstream.host, password: 'wrong' }), {
      code: 'UPSTREAM_REFUSED',
    });
  });

  test('a target that is away, hangs up, or talks nonsense is unreachable or refused, never more', async () => {
    await assert.rejects(login(1, { mode: 'disable' }), { code: 'UPSTREAM_UNREACHABLE' });
    await assert.rejects(login(await serve((socket) => socket.end()), { mode: 'disable' }), { code: 'UPSTREAM_UNREACHABLE' });
    await assert.rejects(login(await scripted(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')), { mode: 'disable' }));
    await assert.rejects(login(await scripted(readyForQuery('I')), { mode: 'disable' }), { code: 'UPSTREAM_REFUSED' });
    await cancelTarget({ ...kit.upstream, host: 'localhost', port: 1 }, { pid: 1, secret: Buffer.alloc(4) }, realWorld);
  });
});
