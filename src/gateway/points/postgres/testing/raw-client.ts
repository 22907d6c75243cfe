import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { int16, int32, saslInitialResponse, saslResponse, startupMessage, query, sync, flush } from '../encode.ts';
import { scramClient } from '../scram-client.ts';
import { Framer } from '../wire.ts';

export interface Reply {
  /** The type byte as a letter. */
  readonly type: string;
  /** The body, header left out. */
  readonly body: Buffer;
}

/** A PostgreSQL client that sends exactly the bytes a test wants and keeps every reply. */
export class RawClient {
  readonly socket: Socket | TLSSocket;
  readonly replies: Reply[] = [];
  closed = false;
  readonly #framer = new Framer('typed', 1 << 30);
  #wake: (() => void) | undefined;

  constructor(socket: Socket | TLSSocket) {
    this.socket = socket;
    const rouse = (): void => this.#wake?.();
    socket.on('data', (chunk: Buffer) => {
      this.#framer.push(chunk);
      while (this.#framer.advance()) {
        const { type, source, start, end } = this.#framer;
        this.replies.push({ type: String.fromCharCode(type), body: Buffer.from(source.subarray(start + 5, end)) });
      }
      rouse();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
      rouse();
    });
  }

  static async open(port: number): Promise<RawClient> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new RawClient(socket);
  }

  /** Straight to a server on a unix socket, as the oracle of what a client would get without Warder. */
  static async direct(upstream: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly password: string;
    readonly database: string;
  }): Promise<RawClient> {
    const socket = connect(`${upstream.host}/.s.PGSQL.${upstream.port}`);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    const client = new RawClient(socket);
    await client.authenticate(upstream.password, { user: upstream.user, database: upstream.database });
    return client;
  }

  /** What the server really has, asked without Warder: cells and rows joined by `;`. */
  static async ask(upstream: Parameters<typeof RawClient.direct>[0], sql: string): Promise<string> {
    const raw = await RawClient.direct(upstream);
    const replies = await raw.query(sql);
    raw.close();
    const rows = replies.filter(({ type }) => type === 'D');
    return rows.map((row) => render([row]).slice(2)).join(';');
  }

  static async openTls(port: number, options: { readonly alpn?: readonly string[] } = {}): Promise<RawClient> {
    const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: [...(options.alpn ?? ['postgresql'])] });
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve);
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('closed')));
    });
    return new RawClient(socket);
  }

  /** Opens a connection to the point and logs in. */
  static async login(port: number, password: string, parameters: Readonly<Record<string, string>> = {}): Promise<RawClient> {
    const client = await RawClient.open(port);
    await client.authenticate(password, parameters);
    return client;
  }

  async authenticate(password: string, parameters: Readonly<Record<string, string>> = {}): Promise<void> {
    this.send(startupMessage({ user: 'engineer', database: 'demo', ...parameters }));
    const scram = scramClient(password, 'a-nonce-of-a-test');
    const data = async (kind: number): Promise<string> => {
      const reply = await this.next((candidate) => candidate.type === 'R' || candidate.type === 'E');
      if (reply.type === 'E' || reply.body.readInt32BE() !== kind) throw new Error(`login: ${render([reply])}`);
      return reply.body.subarray(4).toString('utf8');
    };
    await data(10);
    this.send(saslInitialResponse('SCRAM-SHA-256', scram.first));
    this.send(saslResponse(await scram.answer(await data(11))));
    scram.verify(await data(12));
    const ready = await this.next((candidate) => candidate.type === 'Z' || candidate.type === 'E');
    if (ready.type === 'E') throw new Error(`login: ${render([ready])}`);
  }

  send(...messages: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(messages));
  }

  /** Sends in pieces of `size` bytes, each in a write of its own. */
  async sendChunked(bytes: Buffer, size: number): Promise<void> {
    for (let at = 0; at < bytes.length; at += size) {
      await new Promise<void>((resolve) => {
        this.socket.write(bytes.subarray(at, at + size), () => resolve());
      });
    }
  }

  /** The first reply that fits, and everything before it, are taken out of `replies`. Fails when the connection ends before. */
  async next(fits: (reply: Reply) => boolean): Promise<Reply> {
    const taken = await this.until(fits);
    const last = taken.at(-1);
    if (!last) throw new Error('no reply');
    return last;
  }

  /** Everything up to and with the first reply that fits. */
  async until(fits: (reply: Reply) => boolean): Promise<readonly Reply[]> {
    for (;;) {
      const at = this.replies.findIndex(fits);
      if (at >= 0) return this.replies.splice(0, at + 1);
      if (this.closed) throw new Error(`the connection ended; replies: ${render(this.replies)}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Everything up to the next ReadyForQuery. */
  ready(): Promise<readonly Reply[]> {
    return this.until(({ type }) => type === 'Z');
  }

  /** Everything until the other side closes. */
  async end(): Promise<readonly Reply[]> {
    while (!this.closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.replies.splice(0);
  }

  query(text: string): Promise<readonly Reply[]> {
    this.send(query(text));
    return this.ready();
  }

  close(): void {
    this.socket.destroy();
  }
}

function message(type: string, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(type, 'latin1'), int32(body.length + 4), body]);
}

const z = (text: string): Buffer => Buffer.from(`${text}\0`, 'utf8');

/** Messages of the extended protocol. */
export const extended = {
  parse: (name: string, text: string, types: readonly number[] = []) =>
    message('P', z(name), z(text), int16(types.length), ...types.map(int32)),
  bind: (
    portal: string,
    statement: string,
    values: readonly (string | Buffer | null)[] = [],
    options: { resultFormat?: 0 | 1; formats?: readonly number[] } = {},
  ) =>
    message(
      'B',
      z(portal),
      z(statement),
      int16(options.formats?.length ?? 0),
      ...(options.formats ?? []).map(int16),
      int16(values.length),
      ...values.flatMap((value) => {
        if (value === null) return [int32(-1)];
        const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
        return [int32(bytes.length), bytes];
      }),
      ...(options.resultFormat === undefined ? [int16(0)] : [int16(1), int16(options.resultFormat)]),
    ),
  describe: (of: 'S' | 'P', name: string) => message('D', Buffer.from(of, 'latin1'), z(name)),
  execute: (portal = '', rowsMax = 0) => message('E', z(portal), int32(rowsMax)),
  close: (of: 'S' | 'P', name: string) => message('C', Buffer.from(of, 'latin1'), z(name)),
  sync,
  flush,
  raw: message,
};

/** Replies as readable lines: the letter, and what matters of the body. */
export function render(replies: readonly Reply[]): string {
  return replies.map(({ type, body }) => `${type}${detail(type, body)}`).join('\n');
}

function detail(type: string, body: Buffer): string {
  switch (type) {
    case 'D': {
      const cells: string[] = [];
      let at = 2;
      for (let i = 0; i < body.readUInt16BE(); i += 1) {
        const length = body.readInt32BE(at);
        cells.push(length < 0 ? 'NULL' : printable(body.subarray(at + 4, at + 4 + length)));
        at += 4 + Math.max(0, length);
      }
      return ` ${cells.join(' | ')}`;
    }
    case 'E':
    case 'N': {
      const fields = body
        .toString('utf8')
        .split('\0')
        .filter((field) => /^[SCMDHW]/.test(field));
      return ` ${fields.map((field) => `${field.charAt(0)}=${field.slice(1)}`).join('; ')}`;
    }
    case 'Z':
      return ` ${body.toString('latin1')}`;
    case 'C':
      return ` ${body.toString('utf8', 0, body.length - 1)}`;
    case 'T': {
      const names: string[] = [];
      let at = 2;
      for (let i = 0; i < body.readUInt16BE(); i += 1) {
        const nul = body.indexOf(0, at);
        names.push(body.toString('utf8', at, nul));
        at = nul + 19;
      }
      return ` ${names.join(' | ')}`;
    }
    default:
      return '';
  }
}

function printable(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  return /^[\x20-\x7e]*$/.test(text) ? text : `\\x${bytes.toString('hex')}`;
}
