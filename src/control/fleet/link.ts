import type { Socket } from 'node:net';
import { Fault, asFault, faultTable, limits } from '#model';
import type { ControlCalls, ControlNotices, FaultCode, World } from '#model';
import { storeFault } from '../store/database.ts';
import { FrameReader, encodeFrame } from './frames.ts';
import type { Frame } from './frames.ts';

/** One side of a link after its hello: what the control plane can say to a gateway. */
export interface Link {
  readonly closed: boolean;
  notify<Name extends keyof ControlNotices>(notice: Name, params: ControlNotices[Name]): void;
  /** Throws GATEWAY_UNREACHABLE when there is no answer within `limits.linkCallMs`, or the gateway's own fault. */
  call<Method extends keyof ControlCalls>(method: Method, params: ControlCalls[Method]['params']): Promise<ControlCalls[Method]['result']>;
  close(reason: string): void;
}

interface Handlers {
  /** Answers a call; the first one must be the hello, and nothing else is read before it is answered. */
  readonly onCall: (method: string, params: unknown) => Promise<unknown>;
  /** The hello was answered with a result; from here on notices go out. */
  readonly onGreeted: () => void;
  readonly onClosed: (reason: string) => void;
}

interface Pending {
  readonly settle: (frame: Frame | undefined) => void;
}

/** Speaks the frames of one connection: bounded in both directions, at most `limits.linkCallsMax` calls at the same time. */
export class LinkConnection implements Link {
  closed = false;
  readonly #socket: Socket;
  readonly #world: World;
  readonly #handlers: Handlers;
  readonly #pending = new Map<number, Pending>();
  #nextCall = 1;
  #calls = 0;
  #roomMade: (() => void) | undefined;
  #greeted = false;

  constructor(socket: Socket, { world, ...handlers }: Handlers & { world: World }) {
    this.#socket = socket;
    this.#world = world;
    this.#handlers = handlers;
    socket.on('error', (error) => this.close(error.message));
    socket.on('close', () => this.close('the gateway closed the link'));
  }

  /** Reads until the link ends. */
  async serve(): Promise<void> {
    const reader = new FrameReader();
    const greeting = this.#world.after(limits.linkHelloMs, () => this.close('no hello in time'));
    try {
      // Not destroyed on return: what was written last, such as the fault that explains the end, still goes out.
      for await (const chunk of this.#socket.iterator({ destroyOnReturn: false })) {
        for (const frame of reader.push(chunk)) {
          if (this.closed) return;
          if (this.#greeted) {
            await this.#take(frame);
            continue;
          }
          if (frame.kind !== 'call' || frame.method !== 'hello') throw new Fault('PROTOCOL_VIOLATION', 'the first frame must be hello');
          if (!(await this.#answer(frame))) throw new Fault('UNAUTHENTICATED', 'the hello was refused');
          greeting.cancel();
          reader.allow(limits.linkFrameBytesMax);
          this.#greeted = true;
          this.#handlers.onGreeted();
        }
      }
    } catch (error) {
      this.close(asFault(error).message);
    } finally {
      greeting.cancel();
      this.close('the gateway closed the link');
    }
  }

  notify<Name extends keyof ControlNotices>(notice: Name, params: ControlNotices[Name]): void {
    // Before that, what the hello is answered with is newer than any notice.
    if (this.#greeted) this.#write({ notice, params });
  }

  call<Method extends keyof ControlCalls>(method: Method, params: ControlCalls[Method]['params']): Promise<ControlCalls[Method]['result']> {
    const call = this.#nextCall;
    this.#nextCall += 1;
    return new Promise((resolve, reject) => {
      const away = new Fault('GATEWAY_UNREACHABLE', `the gateway did not answer ${method}`);
      const timer = this.#world.after(limits.linkCallMs, () => settle(undefined));
      const settle = (frame: Frame | undefined): void => {
        timer.cancel();
        this.#pending.delete(call);
        // The gateway is authenticated and runs the same contract; its readers check what they use of the result.
        if (frame?.kind === 'reply') resolve(frame.result as ControlCalls[Method]['result']);
        else reject(frame?.kind === 'fault' ? remoteFault(frame) : away);
      };
      if (this.closed) return void settle(undefined);
      this.#pending.set(call, { settle });
      this.#write({ call, method, params });
    });
  }

  close(reason: string): void {
    if (this.closed) return;
    this.closed = true;
    this.#socket.end(() => this.#socket.destroy());
    this.#world.after(1_000, () => this.#socket.destroy());
    this.#roomMade?.();
    for (const pending of this.#pending.values()) pending.settle(undefined);
    this.#handlers.onClosed(reason);
  }

  async #take(frame: Frame): Promise<void> {
    if (frame.kind === 'notice') throw new Fault('PROTOCOL_VIOLATION', `a gateway sends no notice ${frame.notice}`);
    if (frame.kind !== 'call') {
      // A reply that comes after its time is nobody's any more.
      this.#pending.get(frame.reply)?.settle(frame);
      return;
    }
    while (this.#calls >= limits.linkCallsMax && !this.closed) {
      await new Promise<void>((resolve) => {
        this.#roomMade = resolve;
      });
    }
    this.#calls += 1;
    void this.#answer(frame).finally(() => {
      this.#calls -= 1;
      this.#roomMade?.();
    });
  }

  /** True when the call was answered with a result. */
  async #answer({ call, method, params }: Extract<Frame, { kind: 'call' }>): Promise<boolean> {
    try {
      const result = await this.#handlers.onCall(method, params);
      this.#write({ reply: call, result });
      return true;
    } catch (error) {
      const fault = asFault(storeFault(error));
      const message = fault.code === 'INTERNAL' ? 'the control plane failed; see its log' : fault.message;
      this.#write({ reply: call, fault: { code: fault.code, message } });
      return false;
    }
  }

  #write(frame: Readonly<Record<string, unknown>>): void {
    if (this.closed) return;
    this.#socket.write(encodeFrame(frame));
    // A gateway that does not read must not fill our memory.
    if (this.#socket.writableLength > 2 * limits.linkFrameBytesMax) this.close('the gateway does not read');
  }
}

function remoteFault({ code, message }: { code: string; message: string }): Fault {
  // Checked against the table in the same expression.
  return new Fault(Object.hasOwn(faultTable, code) ? (code as FaultCode) : 'INTERNAL', message);
}
