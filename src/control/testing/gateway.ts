import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { ControlConfig } from '#host';
import { canonicalJson } from '#model';
import type { ControlNotices, GatewayCalls, HoldRequest } from '#model';
import type { Loose } from './loose.ts';

/** A gateway as the control plane sees it: a socket that speaks frames, and a ledger made up of lines. */
export class TestGateway {
  readonly node: string;
  readonly origin: string;
  readonly notices: { notice: string; params: Loose }[] = [];
  readonly closed: Promise<void>;
  /** Answers to calls of the control plane, by method. */
  readonly answers: Record<string, (params: Loose) => unknown> = {};
  readonly #socket: Socket;
  readonly #replies = new Map<number, (frame: Loose) => void>();
  readonly #waiting = new Set<() => void>();
  #calls = 0;
  #rest = '';

  private constructor(socket: Socket, node: string) {
    this.node = node;
    this.origin = `ledger.local/${node}`;
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#read(text));
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => socket.on('close', () => resolve()));
  }

  static async connect(config: ControlConfig, node = 'gateway-1'): Promise<TestGateway> {
    const socket = connect(config.linkSocket);
    const gateway = new TestGateway(socket, node);
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return gateway;
  }

  /** Connects and says hello. */
  static async join(config: ControlConfig, node = 'gateway-1'): Promise<TestGateway & { hello: GatewayCalls['hello']['result'] }> {
    const gateway = await TestGateway.connect(config, node);
    const hello = await gateway.hello(readFileSync(config.linkSecretFile, 'utf8').trim());
    return Object.assign(gateway, { hello });
  }

  hello(secret: string, vkey = 'key-1'): Promise<GatewayCalls['hello']['result']> {
    return this.call('hello', { node: this.node, version: '0.1.0', ledger: { origin: this.origin, vkey }, secret });
  }

  /** Rejects with the code of the fault as message. */
  call<Method extends keyof GatewayCalls>(method: Method, params: GatewayCalls[Method]['params']): Promise<GatewayCalls[Method]['result']> {
    this.#calls += 1;
    const call = this.#calls;
    this.write(`${JSON.stringify({ call, method, params })}\n`);
    return new Promise((resolve, reject) => {
      this.#replies.set(call, (frame) => ('result' in frame ? resolve(frame.result) : reject(new Error(frame.fault.code))));
      void this.closed.then(() => reject(new Error('closed')));
    });
  }

  /** The next notice of this name that satisfies the condition, also one that came before. */
  async notice<Name extends keyof ControlNotices>(
    name: Name,
    condition: (params: ControlNotices[Name]) => boolean = () => true,
  ): Promise<ControlNotices[Name]> {
    for (;;) {
      const found = this.notices.find((one) => one.notice === name && condition(one.params));
      if (found !== undefined) return found.params;
      await new Promise<void>((resolve, reject) => {
        this.#waiting.add(resolve);
        void this.closed.then(() => reject(new Error('closed')));
      });
    }
  }

  write(text: string | Uint8Array): void {
    this.#socket.write(text);
  }

  async end(): Promise<void> {
    this.#socket.destroy();
    await this.closed;
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const frame = JSON.parse(line);
      if (frame.reply !== undefined) this.#replies.get(frame.reply)?.(frame);
      else if (frame.notice !== undefined) this.notices.push(frame);
      else this.#answer(frame);
    }
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  #answer({ call, method, params }: { call: number; method: string; params: unknown }): void {
    const answer = this.answers[method];
    const body = answer === undefined ? { fault: { code: 'NOT_FOUND', message: 'no answer' } } : { result: answer(params) };
    this.write(`${JSON.stringify({ reply: call, ...body })}\n`);
  }
}

/** Lines of a ledger that hang together. */
export function ledgerLines(
  drafts: readonly Record<string, unknown>[],
  from: { i: number; prev: string } = { i: 0, prev: '0'.repeat(64) },
): string[] {
  let { prev } = from;
  return drafts.map((draft, offset) => {
    const line = canonicalJson({ v: 1, i: from.i + offset, prev, t: 1_000 + offset, ...draft });
    prev = createHash('sha256')
      .update(Buffer.from([0]))
      .update(line)
      .digest('hex');
    return line;
  });
}

let operations = 0;

/** A hold with an operation of its own; a reviewer of the group dba must agree. */
export function testHold(changes: Partial<HoldRequest> = {}): HoldRequest {
  operations += 1;
  return {
    session: 'ses_1',
    operation: `op_${process.pid}_${operations}`,
    decision: 'dec_1',
    subject: { id: 'user:engineer', name: 'engineer', groups: ['engineering'] },
    resource: { id: 'pg:orders', name: 'orders', owner: 'team:shop' },
    source: '127.0.0.1:1',
    client: 'psql',
    verb: 'delete',
    text: "delete from orders where note = 'secret-literal'",
    parameters: ['p1', null],
    objects: ['public.orders'],
    bundle: `sha256:${'0'.repeat(64)}`,
    requirements: [
      {
        rule: 'writes/approve',
        reason: 'UNBOUNDED_WRITE',
        message: 'ask',
        bound: 'ab'.repeat(32),
        approval: {
          reviewers: [{ group: 'dba', min: 1 }],
          quorum: 1,
          excludeRequester: true,
          timeoutMs: 600_000,
          onTimeout: 'deny',
          grant: { uses: 1, ttlMs: 300_000 },
        },
      },
    ],
    timeoutMs: 600_000,
    ...changes,
  };
}
