import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { Fault, type FaultCode, faultTable, limits, type World } from '#model';
import type { Rotation } from '../rotations.ts';
import type { HeldKey } from './remote-signing.ts';
import type { SignAnswer, SignRequest } from './stateful-signer.ts';

/** A signer in another process. */
export interface LedgerSigner {
  /** Its key, and the change that it has prepared. Rejects with LEDGER_UNSIGNED when it cannot be reached. */
  key(): Promise<HeldKey>;
  /** Has it prepare a change of keys, the same one until it is adopted. */
  prepare(): Promise<HeldKey>;
  /** Tells it that the log has recorded the change to this key, which signs from then on. */
  adopt(vkey: string): Promise<HeldKey>;
  /** Rejects with what the signer refuses with, or with LEDGER_UNSIGNED when it does not answer. */
  sign(request: SignRequest): Promise<SignAnswer>;
  close(): void;
}

interface Question {
  readonly resolve: (answer: Record<string, unknown>) => void;
  readonly reject: (fault: Fault) => void;
}

/** The signer that listens on this socket. It connects when it is asked and after every failure anew. */
export function signerAt(path: string, world: World): LedgerSigner {
  let socket: Socket | undefined;
  let questions: Question[] = [];

  function drop(message: string): void {
    socket?.destroy();
    socket = undefined;
    const lost = questions;
    questions = [];
    for (const { reject } of lost) reject(new Fault('LEDGER_UNSIGNED', `the signer on ${path} ${message}`));
  }

  function open(): Socket {
    const fresh = connect(path);
    fresh.on('error', (error) => fresh === socket && drop(`cannot be reached: ${error.message}`));
    fresh.on('close', () => fresh === socket && drop('went away'));
    const lines = createInterface({ input: fresh });
    // It passes on the errors of the socket, which are told above.
    lines.on('error', () => undefined);
    lines.on('line', (line) => {
      const parsed = parse(line);
      if (parsed === undefined) drop('does not speak as a signer does');
      else questions.shift()?.resolve(parsed);
    });
    return fresh;
  }

  function ask(question: object): Promise<Record<string, unknown>> {
    return new Promise((resolve, reject) => {
      socket ??= open();
      const patience = world.after(limits.signerAnswerMs, () => drop(`did not answer within ${limits.signerAnswerMs} ms`));
      const settle =
        <T>(tell: (value: T) => void) =>
        (value: T): void => {
          patience.cancel();
          tell(value);
        };
      questions.push({ resolve: settle(resolve), reject: settle(reject) });
      socket.write(`${JSON.stringify(question)}\n`);
    });
  }

  return {
    key: async () => heldKey(await ask({ ask: 'key' })),
    prepare: async () => heldKey(await ask({ ask: 'prepare' })),
    adopt: async (vkey) => heldKey(await ask({ ask: 'adopt', vkey })),
    sign: async (request) => {
      const answer = await ask({ ask: 'sign', ...request });
      refuse(answer);
      const { size, line } = answer;
      return { size: Number(size), ...(typeof line === 'string' ? { line } : {}) };
    },
    close: () => drop('was closed'),
  };
}

function refuse({ fault, message }: Record<string, unknown>): void {
  if (typeof fault === 'string') throw new Fault(isCode(fault) ? fault : 'INTERNAL', String(message));
}

function heldKey(answer: Record<string, unknown>): HeldKey {
  refuse(answer);
  // Reason: its signatures are checked before it is believed, `keyFollows`.
  const next = answer['next'] as Rotation | undefined;
  return { vkey: String(answer['vkey']), ...(next === undefined ? {} : { next }) };
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    // Safe: an object; its fields are looked at one by one.
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function isCode(text: string): text is FaultCode {
  return Object.hasOwn(faultTable, text);
}
