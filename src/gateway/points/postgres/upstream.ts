import { createHash } from 'node:crypto';
import { connect as connectTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { asFault, Fault, limits, type Upstream, type World } from '#model';
import { Body } from './body.ts';
import { Connection } from './connection.ts';
import { cancelRequest, passwordMessage, saslInitialResponse, saslResponse, sslRequest, startupMessage } from './encode.ts';
import { scramClient } from './scram-client.ts';
import { decodeDiagnostic, decodeParameterStatus, reply } from './target-messages.ts';
import { targetFramer } from './wire.ts';

/** A connection to a target that is logged in and idle. */
export interface Target {
  readonly connection: Connection;
  /** As the target announced them, in its order. */
  readonly parameters: ReadonlyMap<string, string>;
  /** The real cancel key: never shown to a client. */
  readonly key: { readonly pid: number; readonly secret: Buffer };
}

/**
 * Connects to a target and logs in with Warder's own credentials. `settings` are startup parameters. Throws UPSTREAM_UNREACHABLE or
 * UPSTREAM_REFUSED; the messages name nothing of the credentials.
 */
export async function connectTarget(
  upstream: Upstream,
  settings: Readonly<Record<string, string>>,
  options: { readonly world: World; readonly signal: AbortSignal },
): Promise<Target> {
  const { world, signal } = options;
  let socket: Socket | TLSSocket | undefined;
  const abort = new AbortController();
  const stop = (): void => {
    abort.abort();
    socket?.destroy();
  };
  const deadline = world.after(limits.upstreamConnectMs, stop);
  signal.addEventListener('abort', stop, { once: true });
  try {
    socket = await open(upstream, abort.signal);
    const connection = new Connection(socket, targetFramer());
    const startup = {
      user: upstream.user,
      database: upstream.database,
      ...settings,
      client_encoding: 'UTF8',
      standard_conforming_strings: 'on',
    };
    connection.write(startupMessage(startup));
    await authenticate(connection, upstream, world);
    const ready = await awaitReady(connection);
    return { connection, ...ready };
  } catch (thrown) {
    socket?.destroy();
    const fault = asFault(thrown);
    throw fault.code === 'UPSTREAM_REFUSED' || fault.code === 'UPSTREAM_UNREACHABLE' ? fault : unreachableTarget(fault);
  } finally {
    deadline.cancel();
    signal.removeEventListener('abort', stop);
  }
}

function unreachableTarget(cause: unknown): Fault {
  // A code such as ECONNREFUSED or CERT_HAS_EXPIRED says enough, and nothing of credentials.
  const why = cause instanceof Error && 'code' in cause ? { why: String(cause.code) } : {};
  const detail = cause instanceof Fault ? { ...cause.detail } : why;
  return new Fault('UPSTREAM_UNREACHABLE', 'the target database cannot be reached', { cause, detail });
}

/** Sends a cancel request over a connection of its own and waits until the target has taken it. Never throws: nobody waits for an answer. */
export async function cancelTarget(upstream: Upstream, key: Target['key'], world: World): Promise<void> {
  const abort = new AbortController();
  const deadline = world.after(limits.upstreamConnectMs, () => abort.abort());
  try {
    const socket = await open(upstream, abort.signal);
    await new Promise<void>((resolve) => {
      abort.signal.addEventListener('abort', () => socket.destroy(), { once: true });
      socket.on('error', () => resolve());
      socket.on('close', () => resolve());
      socket.resume();
      socket.write(cancelRequest(key.pid, key.secret));
    });
  } catch {
    // The target is away: then nothing runs there that could be cancelled.
  } finally {
    deadline.cancel();
  }
}

async function open(upstream: Upstream, signal: AbortSignal): Promise<Socket | TLSSocket> {
  const unix = upstream.host.startsWith('/');
  const address = unix ? { path: join(upstream.host, `.s.PGSQL.${upstream.port}`) } : { host: upstream.host, port: upstream.port };
  const socket = connectTcp({ ...address, noDelay: true, keepAlive: true });
  signal.addEventListener('abort', () => socket.destroy(), { once: true });
  await settled(socket, 'connect');
  if (unix || upstream.tls.mode === 'disable') return socket;
  socket.write(sslRequest);
  const answer = await firstChunk(socket);
  // INVARIANT: exactly one byte. More would be read as if it had come through TLS (CVE-2021-23222).
  if (answer.length !== 1 || answer[0] !== 0x53) {
    socket.destroy();
    throw new Fault('UPSTREAM_REFUSED', 'the target does not offer TLS, and the resource asks for it');
  }
  const secured = connectTls({
    socket,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['postgresql'],
    ...(/^[\d.]+$|:/.test(upstream.host) ? {} : { servername: upstream.host }),
    ...(upstream.tls.mode === 'verify-full'
      ? { rejectUnauthorized: true, host: upstream.host, ...(upstream.tls.ca === undefined ? {} : { ca: upstream.tls.ca }) }
      : { rejectUnauthorized: false }),
  });
  await settled(secured, 'secureConnect');
  return secured;
}

function settled(socket: Socket | TLSSocket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause?: unknown): void => reject(unreachableTarget(cause instanceof Error ? cause : undefined));
    socket.once(event, () => {
      socket.off('error', fail);
      socket.off('close', fail);
      resolve();
    });
    socket.on('error', fail);
    socket.on('close', fail);
  });
}

function firstChunk(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const fail = (): void => reject(unreachableTarget(undefined));
    socket.once('data', (chunk: Buffer) => {
      socket.pause();
      socket.off('close', fail);
      socket.off('error', fail);
      resolve(chunk);
    });
    socket.on('close', fail);
    socket.on('error', fail);
  });
}

async function frame(connection: Connection): Promise<{ readonly type: number; readonly body: Body; readonly raw: Buffer }> {
  if (!(await connection.next())) throw unreachableTarget(connection.error);
  const { type, source, start, end } = connection.framer;
  if (type === reply.error) {
    const code = decodeDiagnostic(source, start + 5, end).get('C') ?? 'none';
    // The target's own text may name the account Warder uses there: only the code leaves this function.
    const refused = !/^(53|57|08)/.test(code);
    throw new Fault(refused ? 'UPSTREAM_REFUSED' : 'UPSTREAM_UNREACHABLE', `the target refused the connection (SQLSTATE ${code})`, {
      detail: { sqlstate: code },
    });
  }
  return { type, body: new Body(source, start + 5, end), raw: source.subarray(start + 5, end) };
}

async function authenticate(connection: Connection, upstream: Upstream, world: World): Promise<void> {
  for (;;) {
    const { type, body } = await frame(connection);
    if (type === reply.negotiate || type === reply.notice) continue;
    if (type !== reply.authentication) throw new Fault('UPSTREAM_REFUSED', 'the target does not speak the protocol expected of it');
    const method = body.int32();
    if (method === 0) return;
    if (method === 3) {
      const secret = upstream.host.startsWith('/') || upstream.tls.mode !== 'disable';
      if (!secret) throw new Fault('UPSTREAM_REFUSED', 'the target asks for a password in the clear without TLS');
      connection.write(passwordMessage(upstream.password));
    } else if (method === 5) {
      connection.write(passwordMessage(md5Password(upstream, body.bytes(4))));
    } else if (method === 10) {
      await scram(connection, body, { upstream, world });
    } else {
      throw new Fault('UPSTREAM_REFUSED', `the target asks for authentication method ${method}, which is not supported`);
    }
  }
}

function md5Password(upstream: Upstream, salt: Buffer): string {
  const inner = createHash('md5')
    .update(upstream.password + upstream.user, 'utf8')
    .digest('hex');
  return `md5${createHash('md5').update(inner, 'latin1').update(salt).digest('hex')}`;
}

async function scram(connection: Connection, offer: Body, parts: { readonly upstream: Upstream; readonly world: World }): Promise<void> {
  const mechanisms: string[] = [];
  for (let name = offer.cstring(); name !== ''; name = offer.cstring()) mechanisms.push(name);
  if (!mechanisms.includes('SCRAM-SHA-256')) throw new Fault('UPSTREAM_REFUSED', 'the target offers no authentication that is supported');
  const client = scramClient(parts.upstream.password, Buffer.from(parts.world.randomBytes(18)).toString('base64'));
  connection.write(saslInitialResponse('SCRAM-SHA-256', client.first));
  connection.write(saslResponse(await client.answer(await saslData(connection, 11))));
  client.verify(await saslData(connection, 12));
}

async function saslData(connection: Connection, kind: 11 | 12): Promise<string> {
  const { type, body } = await frame(connection);
  if (type !== reply.authentication || body.int32() !== kind)
    throw new Fault('UPSTREAM_REFUSED', 'the target broke off the SCRAM exchange');
  return body.bytes(body.rest).toString('utf8');
}

async function awaitReady(connection: Connection): Promise<Pick<Target, 'parameters' | 'key'>> {
  const parameters = new Map<string, string>();
  let key: Target['key'] = { pid: 0, secret: Buffer.alloc(4) };
  for (;;) {
    const { type, body, raw } = await frame(connection);
    if (type === reply.parameterStatus) {
      const { name, value } = decodeParameterStatus(raw, 0, raw.length);
      parameters.set(name, value);
    } else if (type === reply.keyData) {
      key = { pid: body.int32(), secret: Buffer.from(body.bytes(body.rest)) };
    } else if (type === reply.readyForQuery) {
      return { parameters, key };
    } else if (type !== reply.notice) {
      throw new Fault('UPSTREAM_REFUSED', 'the target does not speak the protocol expected of it');
    }
  }
}
