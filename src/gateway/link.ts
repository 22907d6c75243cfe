import { connect, type Socket } from 'node:net';
import type { KeyObject } from 'node:crypto';
import {
  asFault,
  Fault,
  faultTable,
  limits,
  type ControlCalls,
  type ControlNotices,
  type FaultCode,
  type GatewayCalls,
  type HoldEscalation,
  type HoldResolution,
  type Timer,
  type World,
} from '#model';
import { publicKeyFrom } from './control-key.ts';
import type { HoldLink } from './hold.ts';
import type { Log } from './log.ts';

const retryFirstMs = 100;
const retryLastMs = 5_000;

type Calls = { readonly [M in keyof ControlCalls]: (params: ControlCalls[M]['params']) => Promise<ControlCalls[M]['result']> };
type Notices = { readonly [N in Exclude<keyof ControlNotices, 'hold.resolved' | 'hold.escalated'>]: (params: ControlNotices[N]) => void };

export interface LinkOptions {
  readonly world: World;
  readonly log: Log;
  readonly socketPath: string;
  readonly hello: () => GatewayCalls['hello']['params'];
  /** Called after every successful `hello`; the link counts as up when it returns. */
  readonly onHello: (result: GatewayCalls['hello']['result'], controlKey: KeyObject) => void;
  readonly onDown: () => void;
  readonly calls: Calls;
  readonly notices: Notices;
}

interface Listener {
  readonly resolved: (answer: HoldResolution | Fault) => void;
  readonly escalated: (escalation: HoldEscalation) => void;
}

interface PendingCall {
  resolve(result: unknown): void;
  reject(fault: Fault): void;
  readonly timer: Timer;
}

/**
 * The gateway's end of the link: dials, says hello, redials for ever. What was under way when the link breaks is rejected with
 * CONTROL_UNREACHABLE; nothing is queued for later except the ledger, which has its own cursor.
 */
export class Link implements HoldLink {
  readonly #options: LinkOptions;
  readonly #pending = new Map<number, PendingCall>();
  readonly #holds = new Map<string, Listener>();
  /** Answers that overtook the reply of `hold.open`. */
  readonly #early = new Map<string, HoldResolution>();
  #socket: Socket | undefined;
  #up = false;
  #controlKey: KeyObject | undefined;
  #nextCall = 1;
  #retryMs = retryFirstMs;
  #retry: Timer | undefined;
  #closed = false;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  get up(): boolean {
    return this.#up;
  }

  start(): void {
    this.#dial();
  }

  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#socket?.destroy();
    this.#lost(new Fault('SHUTTING_DOWN', 'the gateway is stopping'));
  }

  /** Calls the control plane. Rejects with CONTROL_UNREACHABLE or the fault that it answers. */
  async call<M extends keyof GatewayCalls>(method: M, params: GatewayCalls[M]['params']): Promise<GatewayCalls[M]['result']> {
    if (!this.#up && method !== 'hello') throw new Fault('CONTROL_UNREACHABLE', 'the control plane does not answer');
    // The frame was produced by the peer's implementation of the same method table.
    return (await this.#send(method, params)) as GatewayCalls[M]['result'];
  }

  open(request: GatewayCalls['hold.open']['params']): Promise<GatewayCalls['hold.open']['result']> {
    return this.call('hold.open', request);
  }

  withdraw(request: string, reason: string): void {
    this.call('hold.withdraw', { request, reason }).catch((thrown: unknown) =>
      this.#options.log.warn(
        { request, fault: asFault(thrown).code },
        'a request could not be withdrawn; the control plane will expire it',
      ),
    );
  }

  used(request: string, grant: string): void {
    this.call('hold.used', { request, grant }).catch((thrown: unknown) =>
      this.#options.log.warn({ request, fault: asFault(thrown).code }, 'the use of a grant was not reported; the ledger has it'),
    );
  }

  onResolved(request: string, listener: Listener['resolved'], onEscalated: Listener['escalated'] = () => undefined): () => void {
    const early = this.#early.get(request);
    if (early) {
      this.#early.delete(request);
      queueMicrotask(() => listener(early));
      return () => undefined;
    }
    this.#holds.set(request, { resolved: listener, escalated: onEscalated });
    return () => this.#holds.delete(request);
  }

  controlKey(): KeyObject {
    if (!this.#controlKey) throw new Fault('CONTROL_UNREACHABLE', 'the control plane has not been heard yet');
    return this.#controlKey;
  }

  #dial(): void {
    if (this.#closed) return;
    const socket = connect(this.#options.socketPath);
    this.#socket = socket;
    const frames = frameReader(
      (frame) => this.#receive(frame),
      () => socket.destroy(),
    );
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => frames(String(chunk)));
    socket.on('error', () => undefined); // 'close' follows and says all there is to say.
    socket.on('close', () => this.#disconnected(socket));
    socket.on('connect', () => {
      this.#hello().catch((thrown: unknown) => {
        this.#options.log.error(
          { fault: asFault(thrown).code, reason: asFault(thrown).message },
          'the control plane did not accept this gateway',
        );
        socket.destroy();
      });
    });
  }

  async #hello(): Promise<void> {
    const result = await this.call('hello', this.#options.hello());
    this.#controlKey = publicKeyFrom(result.grantKey);
    this.#options.onHello(result, this.#controlKey);
    this.#up = true;
    this.#retryMs = retryFirstMs;
  }

  #disconnected(socket: Socket): void {
    if (socket !== this.#socket) return;
    this.#socket = undefined;
    this.#lost(new Fault('CONTROL_UNREACHABLE', 'the link to the control plane was lost'));
    if (this.#closed) return;
    this.#retry = this.#options.world.after(this.#retryMs, () => this.#dial());
    this.#retryMs = Math.min(this.#retryMs * 2, retryLastMs);
  }

  #lost(fault: Fault): void {
    const wasUp = this.#up;
    this.#up = false;
    if (wasUp) this.#options.onDown();
    for (const pending of this.#pending.values()) {
      pending.timer.cancel();
      pending.reject(fault);
    }
    this.#pending.clear();
    this.#early.clear();
    const holds = [...this.#holds.values()];
    this.#holds.clear();
    for (const { resolved } of holds) resolved(fault);
  }

  #send(method: string, params: unknown): Promise<unknown> {
    const socket = this.#socket;
    if (!socket?.writable) return Promise.reject(new Fault('CONTROL_UNREACHABLE', 'the control plane does not answer'));
    const id = this.#nextCall;
    this.#nextCall += 1;
    return new Promise((resolve, reject) => {
      const timer = this.#options.world.after(limits.linkCallMs, () => {
        this.#pending.delete(id);
        reject(new Fault('CONTROL_UNREACHABLE', `the control plane did not answer ${method} within ${limits.linkCallMs} ms`));
      });
      this.#pending.set(id, { resolve, reject, timer });
      socket.write(`${JSON.stringify({ call: id, method, params })}\n`);
    });
  }

  #receive(frame: Record<string, unknown>): void {
    if (typeof frame['reply'] === 'number') return this.#reply(frame['reply'], frame);
    if (typeof frame['notice'] === 'string') return this.#notice(frame['notice'], frame['params']);
    if (typeof frame['call'] === 'number' && typeof frame['method'] === 'string') {
      void this.#serve(frame['call'], frame['method'], frame['params']);
      return;
    }
    this.#socket?.destroy();
  }

  #reply(id: number, frame: Record<string, unknown>): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    pending.timer.cancel();
    if (frame['fault'] === undefined) pending.resolve(frame['result']);
    else pending.reject(faultFrom(frame['fault']));
  }

  #notice(name: string, params: unknown): void {
    if (name === 'hold.resolved') {
      // The peer speaks the same method table (model/link.ts); the grants inside are checked by signature.
      const answer = params as HoldResolution;
      const listener = this.#holds.get(answer.request);
      this.#holds.delete(answer.request);
      if (listener) listener.resolved(answer);
      else if (this.#early.size < limits.sessionsMax) this.#early.set(answer.request, answer);
      return;
    }
    if (name === 'hold.escalated') {
      // As above; it only changes what the person who waits is told.
      const escalation = params as HoldEscalation;
      this.#holds.get(escalation.request)?.escalated(escalation);
      return;
    }
    const handler = own<(params: unknown) => void>(this.#options.notices, name);
    if (!handler) return this.#options.log.warn({ notice: name }, 'an unknown notice from the control plane was ignored');
    try {
      handler(params);
    } catch (thrown) {
      this.#options.log.error({ notice: name, reason: asFault(thrown).message }, 'a notice from the control plane could not be followed');
    }
  }

  async #serve(id: number, method: string, params: unknown): Promise<void> {
    const handler = own<(params: unknown) => Promise<unknown>>(this.#options.calls, method);
    const socket = this.#socket;
    let answer: Record<string, unknown>;
    try {
      if (!handler) throw new Fault('NOT_FOUND', `no method ${method}`);
      answer = { reply: id, result: await handler(params) };
    } catch (thrown) {
      const { code, message } = asFault(thrown);
      answer = { reply: id, fault: { code, message } };
    }
    if (socket?.writable) socket.write(`${JSON.stringify(answer)}\n`);
  }
}

/** The handler of a name that came over the wire; never something inherited such as `toString`. The peer speaks the same method table. */
function own<Handler>(table: object, name: string): Handler | undefined {
  return Object.hasOwn(table, name) ? (table[name as keyof typeof table] as Handler) : undefined;
}

/** Splits a stream into JSON objects, one a line. Anything else, or a line over the limit, ends the link through `fail`. */
function frameReader(receive: (frame: Record<string, unknown>) => void, fail: () => void): (chunk: string) => void {
  let rest = '';
  return (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > limits.linkFrameBytesMax) return fail();
    for (const line of lines) {
      let frame: unknown;
      try {
        frame = JSON.parse(line);
      } catch {
        return fail();
      }
      if (typeof frame !== 'object' || frame === null || Array.isArray(frame)) return fail();
      receive(frame as Record<string, unknown>);
    }
  };
}

function faultFrom(wire: unknown): Fault {
  const { code, message } = (wire ?? {}) as { code?: unknown; message?: unknown };
  const known = typeof code === 'string' && Object.hasOwn(faultTable, code) ? (code as FaultCode) : 'INTERNAL';
  return new Fault(known, typeof message === 'string' ? message : 'the control plane failed');
}
