import { createHash, X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { createSecureContext, TLSSocket, type SecureContext } from 'node:tls';
import { Fault } from '#model';
import { Connection } from './connection.ts';
import { decodeFirstPacket, type FirstPacket } from './startup.ts';
import { clientFramer } from './wire.ts';

/** What the point shows to clients that ask for TLS. */
export interface ServerTls {
  readonly context: SecureContext;
  /** Hash of the certificate for channel binding; undefined when its signature algorithm has no defined one. */
  readonly endPoint: Buffer | undefined;
}

/** Builds the TLS side once for all connections. Throws CONFIG_INVALID when key and certificate do not fit. */
export function serverTls(pem: { readonly key: string; readonly cert: string }): ServerTls {
  try {
    const context = createSecureContext({ key: pem.key, cert: pem.cert, minVersion: 'TLSv1.2' });
    return { context, endPoint: endPointOf(pem.cert) };
  } catch (cause) {
    throw new Fault('CONFIG_INVALID', 'the TLS key and certificate of the PostgreSQL point cannot be used', { cause });
  }
}

/** SPEC: RFC 5929 §4.1 — the certificate hashed with its signature's hash, with SHA-256 in place of MD5 and SHA-1. */
function endPointOf(pem: string): Buffer | undefined {
  const certificate = new X509Certificate(pem);
  const signature = (certificate.signatureAlgorithm ?? '').toLowerCase();
  const hash = /sha(224|256|384|512)/.exec(signature)?.[1];
  if (hash === undefined && !/sha1|md5/.test(signature)) return undefined;
  return createHash(`sha${hash ?? '256'}`)
    .update(certificate.raw)
    .digest();
}

/** A connection that has said what it wants, with the TLS it runs over, if any. */
export interface Negotiated {
  readonly connection: Connection;
  readonly packet: Extract<FirstPacket, { kind: 'startup' | 'cancel' }>;
  readonly encrypted: boolean;
}

const alpn = 'postgresql';

/**
 * Brings a new connection to its startup packet: SSLRequest, GSSENCRequest (each at most once) and direct TLS. Undefined when the client
 * left. Throws a Fault when what came is not allowed; `connection` of the error's last state must then be closed by the caller.
 *
 * INVARIANT: no byte that came before TLS is read as if it had come through it (CVE-2021-3935, CVE-2021-23214).
 */
export async function negotiate(socket: Socket, tls: ServerTls, track: (connection: Connection) => void): Promise<Negotiated | undefined> {
  let connection = new Connection(socket, clientFramer());
  track(connection);
  let encrypted = false;
  const asked = new Set<string>();
  if ((await connection.peek()) === 0x16) {
    connection = await secure(connection, tls, 'direct');
    track(connection);
    encrypted = true;
  }
  for (;;) {
    if (!(await connection.next())) return undefined;
    const { source, start, end } = connection.framer;
    const packet = decodeFirstPacket(source.subarray(start, end));
    if (packet.kind === 'startup' || packet.kind === 'cancel') {
      connection.framer.shape = 'typed';
      return { connection, packet, encrypted };
    }
    if (asked.has(packet.kind) || encrypted) throw new Fault('PROTOCOL_VIOLATION', `a second ${packet.kind} request is not allowed`);
    asked.add(packet.kind);
    if (packet.kind === 'gss') {
      connection.write(Buffer.from('N'));
      continue;
    }
    if (connection.framer.pending > 0) throw new Fault('PROTOCOL_VIOLATION', 'bytes were sent before TLS was agreed');
    connection.write(Buffer.from('S'));
    connection = await secure(connection, tls, 'requested');
    track(connection);
    encrypted = true;
  }
}

async function secure(plain: Connection, tls: ServerTls, how: 'direct' | 'requested'): Promise<Connection> {
  plain.release();
  // With direct TLS its first bytes were read already; they go back to where TLS will take them.
  if (how === 'direct') plain.socket.unshift(plain.framer.takeRest());
  const socket = new TLSSocket(plain.socket, {
    isServer: true,
    secureContext: tls.context,
    ALPNProtocols: [alpn],
  });
  await new Promise<void>((resolve, reject) => {
    const fail = (cause?: Error): void => reject(new Fault('PROTOCOL_VIOLATION', 'the TLS handshake failed', { cause }));
    socket.once('secure', () => {
      socket.off('error', fail);
      socket.off('close', fail);
      resolve();
    });
    socket.on('error', fail);
    socket.on('close', fail);
  });
  if (how === 'direct' && socket.alpnProtocol !== alpn) {
    socket.destroy();
    throw new Fault('PROTOCOL_VIOLATION', 'direct TLS must name the protocol "postgresql" (ALPN)');
  }
  return new Connection(socket, clientFramer());
}
