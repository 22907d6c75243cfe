import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { asFault, Fault, limits } from '#model';
import type { Listener, LiveSession, PointContext } from '../../point.ts';
import { CancelKeys } from './cancel.ts';
import { Catalogs } from './catalogs.ts';
import { clientTypes } from './client-messages.ts';
import { hangUp, type Connection } from './connection.ts';
import { authentication, backendKeyData, negotiateProtocolVersion, parameterStatus, readyForQuery } from './encode.ts';
import { login } from './login.ts';
import { negotiate, serverTls, type ServerTls } from './negotiation.ts';
import { faultResponse } from './respond.ts';
import { PostgresSession } from './session.ts';
import type { Startup } from './startup.ts';
import { connectTarget, type Target } from './upstream.ts';

/** Connections that have not logged in yet; more are dropped, so that strangers cannot use up the gateway. */
const preAuthMax = 1_000;

/** What all connections of one listener share. */
interface Shared {
  readonly context: PointContext;
  readonly tls: ServerTls;
  readonly keys: CancelKeys;
  readonly catalogs: Catalogs;
  readonly sessions: Set<PostgresSession>;
  readonly arriving: Set<Socket>;
  draining: boolean;
}

/** Listens for PostgreSQL clients. Rejects with PORT_IN_USE and CONFIG_INVALID. */
export async function listen(context: PointContext, address: { readonly host: string; readonly port: number }): Promise<Listener> {
  const shared: Shared = {
    context,
    tls: serverTls(context.tls),
    keys: new CancelKeys(context.world),
    catalogs: new Catalogs(context.world),
    sessions: new Set(),
    arriving: new Set(),
    draining: false,
  };
  const server = createServer({ noDelay: true, keepAlive: true }, (socket) => {
    arrive(shared, socket).catch((thrown: unknown) => {
      context.log.error({ fault: asFault(thrown).message }, 'a connection failed');
      socket.destroy();
    });
  });
  await opened(server, address);
  const { port } = server.address() as AddressInfo; // A TCP server has an address of this form once it listens.
  return { host: address.host, port, close: (graceMs) => close(shared, server, graceMs) };
}

function opened(server: Server, address: { readonly host: string; readonly port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const code = cause.code === 'EADDRINUSE' ? 'PORT_IN_USE' : 'CONFIG_INVALID';
      reject(new Fault(code, `cannot listen on ${address.host}:${address.port} (${cause.code ?? 'unknown error'})`, { cause }));
    });
    server.listen(address.port, address.host, resolve);
  });
}

async function close(shared: Shared, server: Server, graceMs: number): Promise<void> {
  shared.draining = true;
  const stopped = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  for (const socket of shared.arriving) socket.destroy();
  for (const session of shared.sessions) session.drain();
  const grace = shared.context.world.after(graceMs, () => {
    for (const session of shared.sessions) session.end('shutdown', new Fault('SHUTTING_DOWN', 'Warder is stopping'));
  });
  await Promise.all([...shared.sessions].map(({ closed }) => closed));
  grace.cancel();
  await stopped;
}

/** One connection from its first byte to its end. Never throws for what a peer does. */
async function arrive(shared: Shared, socket: Socket): Promise<void> {
  const { context, arriving } = shared;
  // Whatever happens to one socket is that connection's own affair.
  socket.on('error', () => undefined);
  if (shared.draining || arriving.size >= preAuthMax) {
    socket.destroy();
    return;
  }
  arriving.add(socket);
  const gone = new AbortController();
  socket.once('close', () => {
    arriving.delete(socket);
    gone.abort();
  });
  const deadline = context.world.after(limits.loginMs, () => socket.destroy());
  let connection: Connection | undefined;
  try {
    const session = await welcome(shared, socket, { gone: gone.signal, track: (current) => (connection = current) });
    if (!session) socket.end();
  } catch (thrown) {
    const fault = asFault(thrown);
    if (fault.code === 'INTERNAL') context.log.error({ fault: fault.message }, 'a login failed');
    if (connection && !connection.gone) hangUp(connection, context.world, faultResponse(fault, 'FATAL'));
    else socket.destroy();
  } finally {
    deadline.cancel();
    arriving.delete(socket);
  }
}

async function welcome(
  shared: Shared,
  socket: Socket,
  parts: { readonly gone: AbortSignal; readonly track: (connection: Connection) => void },
): Promise<PostgresSession | undefined> {
  const { context, tls, keys } = shared;
  const source = sourceOf(socket);
  const negotiated = await negotiate(socket, tls, parts.track);
  if (!negotiated) return undefined;
  const { connection, packet, encrypted } = negotiated;
  if (packet.kind === 'cancel') {
    keys.request(packet, socket.remoteAddress ?? 'unknown');
    return undefined;
  }
  if (packet.negotiate) connection.write(negotiateProtocolVersion(packet.negotiate.options));
  const live = await login(connection, packet, { context, source, encrypted, endPoint: tls.endPoint });
  if (!live) return undefined;
  return begin(shared, { live, connection, startup: packet, gone: parts.gone });
}

/** `address:port`; IPv4 addresses as such, even on a socket that speaks both. */
function sourceOf({ remoteAddress = 'unknown', remotePort = 0 }: Socket): string {
  const address = remoteAddress.replace(/^::ffff:/, '');
  return address.includes(':') ? `[${address}]:${remotePort}` : `${address}:${remotePort}`;
}

async function begin(
  shared: Shared,
  parts: { readonly live: LiveSession; readonly connection: Connection; readonly startup: Startup; readonly gone: AbortSignal },
): Promise<PostgresSession | undefined> {
  const { context, keys, catalogs, sessions } = shared;
  const { live, connection, startup, gone } = parts;
  let target: Target;
  try {
    const settings = { ...startup.settings, application_name: `warder ${startup.application}`.slice(0, 63).trim() };
    target = await connectTarget(live.config.upstream, settings, { world: context.world, signal: AbortSignal.any([gone, live.ended]) });
  } catch (thrown) {
    const fault = asFault(thrown);
    context.log.warn({ session: live.session.id, fault: fault.code, ...fault.detail }, 'the target could not be reached');
    await live.close({ reason: fault.code, bytesUp: connection.bytesIn, bytesDown: connection.bytesOut });
    throw live.ended.aborted ? asFault(live.ended.reason) : fault;
  }
  const session = new PostgresSession({ context, live, client: connection, target, catalogs });
  sessions.add(session);
  // Until the session reads the client itself, a deadline or a lost client ends it from here.
  gone.addEventListener('abort', () => session.end('client-gone'), { once: true });
  const key = keys.issue(() => session.cancel());
  void session.closed.finally(() => {
    key.release();
    sessions.delete(session);
  });
  await session.prepare();
  connection.framer.limit = limits.clientMessageBytesMax;
  connection.framer.types = clientTypes;
  const greeting = [authentication(0)];
  for (const [name, value] of target.parameters) {
    greeting.push(parameterStatus(name, name === 'application_name' ? startup.application : value));
  }
  greeting.push(backendKeyData(key.pid, key.secret), readyForQuery('I'));
  connection.write(Buffer.concat(greeting));
  session.start();
  if (shared.draining) session.drain();
  return session;
}
