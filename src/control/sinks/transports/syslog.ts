import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Format } from '../mapping/format.ts';
import { formatted } from '../mapping/format.ts';
import { syslogOf } from '../mapping/syslog.ts';
import { failed, taken } from '../sink.ts';
import type { Delivery, Transport } from '../sink.ts';

export interface SyslogOptions {
  readonly host: string;
  readonly port: number;
  /** Without it in clear. */
  readonly tls?: {
    readonly ca?: string | undefined;
    readonly serverName?: string | undefined;
    readonly cert?: string | undefined;
    readonly key?: string | undefined;
  };
  readonly format: Format;
  /** `octets`: each message with its length before it; `lines`: each ended by a line feed, for old receivers. */
  readonly framing: 'octets' | 'lines';
}

/**
 * RFC 5424 messages over TCP or TLS. Syslog has no acknowledgement, so the end of the connection serves as one: each batch has a connection
 * of its own, is followed by the end of our side, and counts as delivered when the receiver, having read to that end, closes its side too.
 *
 * SPEC: RFC 6587 §3.4.1 (octet counting) and §3.4.2 (line feeds), RFC 5425 (TLS).
 */
export function syslogTransport(options: SyslogOptions): Transport {
  return {
    deliver(events, signal) {
      const frames = events.map((event) => {
        const message = syslogOf(event, formatted(event, options.format));
        return options.framing === 'octets' ? `${Buffer.byteLength(message)} ${message}` : `${message}\n`;
      });
      return send(options, Buffer.from(frames.join(''), 'utf8'), signal);
    },
    close: async () => undefined,
  };
}

function send(options: SyslogOptions, bytes: Uint8Array, signal: AbortSignal): Promise<Delivery> {
  return new Promise((resolve) => {
    const state = { connected: false, finished: false, ended: false };
    const socket = open(options);
    const settle = (delivery: Delivery): void => {
      signal.removeEventListener('abort', abort);
      socket.destroy();
      resolve(delivery);
    };
    const broken = (why: string): void => settle(failed(why, state.connected ? 'unknown' : 'nothing'));
    const abort = (): void => broken(signal.reason instanceof Error ? signal.reason.message : 'given up');
    const acknowledged = (): void => {
      if (state.finished && state.ended) settle(taken);
    };
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    socket.on('error', (error) => broken(error.message));
    socket.once(options.tls === undefined ? 'connect' : 'secureConnect', () => {
      state.connected = true;
      // The callback runs when all of it, and our end, were handed to the system.
      socket.end(bytes, () => {
        state.finished = true;
        acknowledged();
      });
    });
    // Nothing is expected from the other side but its end; what it says is read away so that the end can come.
    socket.resume();
    socket.on('end', () => {
      if (!state.finished) return broken('the receiver ended the connection before it had everything');
      state.ended = true;
      acknowledged();
    });
    socket.on('close', () => broken('the connection was closed without an acknowledgement'));
  });
}

function open({ host, port, tls }: SyslogOptions): Socket {
  if (tls === undefined) return connectTcp({ host, port, allowHalfOpen: true });
  const { ca, cert, key, serverName } = tls;
  return connectTls({
    host,
    port,
    minVersion: 'TLSv1.2',
    ...(serverName === undefined ? {} : { servername: serverName }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  });
}
