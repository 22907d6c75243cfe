/** A hostile PostgreSQL client: logs in like a person and then sends whatever bytes a test wants. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { saslInitialResponse, saslResponse, startupMessage } from '../../src/gateway/points/postgres/encode.ts';
import { scramClient } from '../../src/gateway/points/postgres/scram-client.ts';
import { extended, RawClient, render, type Reply } from '../../src/gateway/points/postgres/testing/raw-client.ts';

export interface Door {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly parameters?: Readonly<Record<string, string>>;
}

export interface Intruder {
  readonly raw: RawClient;
  /** The cancel key it was given. */
  readonly key: { readonly pid: number; readonly secret: Buffer };
}

/** Logs in and keeps the cancel key. */
export async function intrude(door: Door): Promise<Intruder> {
  const raw = await RawClient.open(door.port);
  raw.send(startupMessage({ user: door.user, database: 'orders-demo', ...door.parameters }));
  const scram = scramClient(door.password, 'a-nonce-of-a-test');
  const data = async (): Promise<string> => {
    const reply = await raw.next(({ type }) => type === 'R' || type === 'E');
    if (reply.type === 'E') throw new Error(render([reply]));
    return reply.body.subarray(4).toString('utf8');
  };
  await data();
  raw.send(saslInitialResponse('SCRAM-SHA-256', scram.first));
  raw.send(saslResponse(await scram.answer(await data())));
  const greeting = await raw.until(({ type }) => type === 'Z' || type === 'E');
  const key = greeting.find(({ type }) => type === 'K')?.body;
  if (!key) throw new Error(render(greeting));
  return { raw, key: { pid: key.readInt32BE(), secret: key.subarray(4) } };
}

/** A Query message. */
export function query(text: string): Buffer {
  return extended.raw('Q', Buffer.from(`${text}\0`));
}

/** Sends a cancel request on a connection of its own; resolves when the gateway has closed it. */
export function cancel(port: number, key: Intruder['key']): Promise<void> {
  const packet = Buffer.alloc(12);
  packet.writeInt32BE(12 + key.secret.length, 0);
  packet.writeInt32BE(80_877_102, 4);
  packet.writeInt32BE(key.pid, 8);
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.concat([packet, key.secret])));
    socket.on('error', () => resolve());
    socket.on('close', () => resolve());
    socket.resume();
  });
}

/** A connection that has sent `bytes` and never reads. */
export async function deaf(port: number, bytes: Buffer): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  socket.pause();
  socket.write(bytes);
  return socket;
}

/** SQLSTATE and reason of the first error among replies. */
export function errorOf(replies: readonly Reply[]): string {
  const error = replies.find(({ type }) => type === 'E');
  if (!error) return 'no error';
  const fields = error.body.toString('utf8').split('\0');
  const code = fields.find((field) => field.startsWith('C'))?.slice(1) ?? '';
  const reason = /^Dreason ([A-Z_]+)/.exec(fields.find((field) => field.startsWith('D')) ?? '')?.[1] ?? '';
  return `${code} ${reason}`.trim();
}

/** Types of replies in order, data rows left out: `TCZ`. */
export function shapeOf(replies: readonly Reply[]): string {
  return replies.map(({ type }) => (type === 'D' ? '' : type)).join('');
}

/** Process id of the gateway below the process that `warder up` is. */
export function gatewayBelow(pid: number): number {
  const lines = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' }).split('\n');
  const processes = lines.map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line)).filter((match) => match !== null);
  const family = new Set([pid]);
  for (let grown = -1; grown !== family.size; ) {
    grown = family.size;
    for (const [, child, parent] of processes) if (family.has(Number(parent))) family.add(Number(child));
  }
  const gateway = processes.find(([, child, , args]) => family.has(Number(child)) && / gateway\b/.test(args ?? ''));
  if (!gateway)
    throw new Error(
      `no gateway among:\n${processes
        .filter(([, child]) => family.has(Number(child)))
        .map(([line]) => line)
        .join('\n')}`,
    );
  return Number(gateway[1]);
}

/** Resident memory of a process in MiB. */
export function memoryOf(pid: number): number {
  const kibibytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kibibytes) / 1024;
}
