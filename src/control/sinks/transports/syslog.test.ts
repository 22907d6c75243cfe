import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { test } from 'node:test';
import { until } from '#host';
import { privacyOf } from '../privacy.ts';
import { sampleFacts } from '../testing/facts.ts';
import { startRsyslog, withoutRsyslog, withoutTls } from '../testing/rsyslog.ts';
import { syslogTransport } from './syslog.ts';

const events = sampleFacts().map(privacyOf({}, new Uint8Array(32)));
const never = new AbortController().signal;

/** A receiver that does what it is told with each connection, and keeps the bytes. */
async function double(serve: (socket: Socket) => void): Promise<{ port: number; bytes: () => Buffer; stop(): Promise<void> }> {
  const parts: Buffer[] = [];
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on('error', () => undefined).on('data', (part) => parts.push(part));
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    // Reason: it listens on an address.
    port: (server.address() as AddressInfo).port,
    bytes: () => Buffer.concat(parts),
    stop: () =>
      new Promise((resolve) => {
        for (const socket of open) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

/** SPEC: RFC 6587 §3.4.1: MSG-LEN SP SYSLOG-MSG, and nothing between. */
function readFrames(bytes: Buffer): string[] {
  const frames: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const text = bytes.toString('latin1', at, space);
    assert.match(text, /^[1-9]\d*$/);
    const end = space + 1 + Number(text);
    assert.ok(end <= bytes.length);
    frames.push(bytes.toString('utf8', space + 1, end));
    at = end;
  }
  return frames;
}

/** SPEC: RFC 5424 §6, the whole grammar of a message with one element of structured data. */
const grammar =
  /^<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z) ([\x21-\x7e]{1,255}) ([\x21-\x7e]{1,48}) ([\x21-\x7e]{1,128}) ([\x21-\x7e]{1,32}) \[[^ =\]"]{1,32}(?: [^ =\]"]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*\] (.*)$/s;

test('each event is one framed message of the grammar, acknowledged by the end of the connection', async () => {
  const receiver = await double((socket) => socket.on('end', () => socket.end()));
  const sink = syslogTransport({ host: '127.0.0.1', port: receiver.port, format: 'ocsf', framing: 'octets' });
  assert.deepEqual(await sink.deliver(events, never), { kind: 'taken' });
  const frames = readFrames(receiver.bytes());
  assert.equal(frames.length, events.length);
  frames.forEach((frame, at) => {
    const parts = grammar.exec(frame);
    assert.ok(parts, frame);
    const priority = Number(parts[1]);
    assert.deepEqual([priority >> 3, parts[3], parts[4], parts[6]], [13, 'gateway-1', 'warder', events[at]?.kind.slice(0, 32)]);
    assert.equal(JSON.parse(parts[7] ?? '').metadata.uid, events[at]?.key);
  });
  await receiver.stop();
});

test('a receiver that ends early, breaks off or is not there has not acknowledged', async () => {
  const big = Array.from({ length: 400 }, () => events).flat();
  const early = await double((socket) => {
    socket.pause();
    socket.end();
  });
  const first = await syslogTransport({ host: '127.0.0.1', port: early.port, format: 'ocsf', framing: 'octets' }).deliver(big, never);
  assert.deepEqual([first.kind === 'failed' && first.arrived], ['unknown']);
  await early.stop();
  const breaks = await double((socket) => socket.once('data', () => socket.resetAndDestroy()));
  const second = await syslogTransport({ host: '127.0.0.1', port: breaks.port, format: 'ocsf', framing: 'octets' }).deliver(events, never);
  assert.deepEqual([second.kind === 'failed' && second.arrived], ['unknown']);
  await breaks.stop();
  const third = await syslogTransport({ host: '127.0.0.1', port: breaks.port, format: 'ocsf', framing: 'octets' }).deliver(events, never);
  assert.deepEqual([third.kind === 'failed' && third.arrived], ['nothing']);
});

test('a receiver that reads slowly or not at all is left when time is up', async () => {
  const late = new AbortController();
  const stuck = await double((socket) => {
    socket.pause();
    setImmediate(() => late.abort(new Error('time is up')));
  });
  const result = await syslogTransport({ host: '127.0.0.1', port: stuck.port, format: 'ocsf', framing: 'octets' }).deliver(
    events,
    late.signal,
  );
  assert.deepEqual(result, { kind: 'failed', why: 'time is up', arrived: 'unknown' });
  await stuck.stop();
});

for (const tls of [false, true]) {
  const left = tls ? withoutTls : withoutRsyslog;
  if (left !== undefined) process.stderr.write(`── LEFT OUT: a real rsyslog over ${tls ? 'TLS' : 'TCP'}: ${left}\n`);
  test(`rsyslog takes every event over ${tls ? 'TLS' : 'TCP'}, in order and whole`, { skip: left ?? false }, async () => {
    const rsyslog = await startRsyslog({ tls });
    try {
      const address = { host: '127.0.0.1', port: rsyslog.port, format: 'ocsf', framing: 'octets' } as const;
      const trusted = syslogTransport(tls ? { ...address, tls: { ca: readFileSync(rsyslog.ca, 'utf8') } } : address);
      const batch = Array.from({ length: 20 }, () => events).flat();
      assert.deepEqual(await trusted.deliver(batch, never), { kind: 'taken' });
      const lines = await until(() => (rsyslog.lines().length >= batch.length ? rsyslog.lines() : undefined), { deadlineMs: 5_000 });
      assert.equal(lines?.length, batch.length);
      lines?.forEach((line, at) => {
        const [kind, host, app, data, ...message] = line.split('|');
        assert.deepEqual([kind, host, app], [batch[at]?.kind, 'gateway-1', 'warder']);
        assert.ok(data?.includes(`key="${batch[at]?.key}"`));
        assert.equal(JSON.parse(message.join('|')).metadata.uid, batch[at]?.key);
      });
      if (tls) {
        const stranger = await syslogTransport({ ...address, tls: {} }).deliver(events, never);
        assert.deepEqual([stranger.kind === 'failed' && stranger.arrived], ['nothing'], 'a certificate of a stranger is not taken');
      }
    } finally {
      await rsyslog.stop();
    }
  });
}
