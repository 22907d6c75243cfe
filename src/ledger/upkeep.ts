import { hash, timingSafeEqual } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { asFault, Fault, type FaultCode, faultTable, limits, type World } from '#model';
import { lockName, readOwner } from './lock.ts';
import { removeBundle } from './removal.ts';

/** What a pruning is to say in the log. */
export interface PruneOrder {
  /** First entry that goes, and the one after the last: whole bundles. */
  readonly from: number;
  readonly to: number;
  readonly by: string;
  readonly reason: string;
  readonly holds: readonly string[];
}

/** What only the owner of a log does for whoever prunes it. */
export interface Upkeep {
  /** Entries below this are needed by nobody who writes. */
  prunable(): Promise<number>;
  /** The entry at this index. */
  line(index: number): Promise<string | undefined>;
  /** Records what may be removed; resolves with the index of the record. */
  record(order: PruneOrder): Promise<number>;
  /** Removes a bundle that the record at `index` allows to go. */
  remove(index: number, bundle: number): Promise<void>;
}

/** The parts of a running ledger that this needs. */
interface Running {
  prunable(): Promise<number>;
  read(first: number, count: number): Promise<readonly string[]>;
  recordPruning(order: PruneOrder): Promise<number>;
  readonly gone: Set<number>;
}

/** The upkeep of a log that this process writes. It removes nothing that the log does not allow, whoever asks. */
export function upkeepOf(directory: string, ledger: Running): Upkeep {
  const line = async (index: number): Promise<string | undefined> => (await ledger.read(index, 1))[0];
  return {
    prunable: () => ledger.prunable(),
    line,
    record: (order) => ledger.recordPruning(order),
    remove: async (index, bundle) => {
      // Reason: our own entry, of this kind or of another.
      const { kind, from, to } = JSON.parse((await line(index)) ?? '{}') as { kind?: string; from: number; to: number };
      const end = (bundle + 1) * 256;
      if (kind !== 'log.pruned' || bundle * 256 < from || end > to || end > (await ledger.prunable()))
        throw new Fault('CONFLICT', `entry ${index} does not allow to remove bundle ${bundle}`);
      // Whoever watches the files is to know before they go.
      ledger.gone.add(bundle * 256);
      await removeBundle(directory, bundle);
    },
  };
}

/**
 * Serves one who asks on the lock of the log: a line of JSON for each question and each answer, in order. Any process of this machine can reach the
 * lock; only who may read the file `lock` knows the token in it.
 */
export function attendUpkeep(socket: Socket, upkeep: Upkeep, { token, world }: { readonly token: string; readonly world: World }): void {
  let unread = 0;
  // Who has not shown the token by then is nobody; who has may take long between two questions.
  const patience = world.after(limits.ledgerWaitMs, () => socket.destroy());
  socket.on('close', () => patience.cancel());
  socket.on('error', () => undefined); // The other side has gone; there is nobody to tell.
  socket.on('data', (bytes: Buffer) => {
    unread = bytes.includes(0x0a) ? 0 : unread + bytes.length;
    if (unread > limits.signerLineBytesMax) socket.destroy();
  });
  const lines = createInterface({ input: socket });
  lines.on('error', () => undefined);
  let before = Promise.resolve();
  lines.on('line', (line) => {
    before = before.then(async () => {
      const answer = await answerTo(line, upkeep, token);
      if ('fault' in answer && answer.fault === 'FORBIDDEN') return void socket.end(`${JSON.stringify(answer)}\n`);
      patience.cancel();
      if (socket.writable) socket.write(`${JSON.stringify(answer)}\n`);
    });
  });
}

async function answerTo(line: string, upkeep: Upkeep, token: string): Promise<object> {
  try {
    // Safe: every field is looked at before it is used.
    const asked = Object(JSON.parse(line)) as Record<string, unknown>;
    if (!isSame(String(asked['token']), token)) throw new Fault('FORBIDDEN', 'this is not the token in the file `lock`');
    return { value: await serve(asked, upkeep) };
  } catch (thrown) {
    const fault =
      thrown instanceof SyntaxError ? new Fault('FORBIDDEN', 'a question is one line of JSON, with the token') : asFault(thrown);
    return { fault: fault.code, message: fault.message };
  }
}

async function serve({ ask, index, bundle, order }: Record<string, unknown>, upkeep: Upkeep): Promise<unknown> {
  if (ask === 'prunable') return upkeep.prunable();
  if (ask === 'line') return (await upkeep.line(count(index))) ?? null;
  if (ask === 'remove') return upkeep.remove(count(index), count(bundle));
  if (ask === 'record') return upkeep.record(pruneOrder(order));
  throw new Fault('INVALID_INPUT', 'the owner of a log is asked `prunable`, `line`, `record` or `remove`');
}

function pruneOrder(value: unknown): PruneOrder {
  // Safe: every field is looked at below.
  const { from, to, by, reason, holds } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const order = { from: count(from), to: count(to), by, reason, holds };
  const whole = order.from >= 256 && order.from % 256 === 0 && order.to % 256 === 0 && order.from < order.to;
  const texts = [by, reason, ...(Array.isArray(holds) ? holds : [undefined])];
  if (!whole || texts.some((text) => typeof text !== 'string' || text.length > 1_000))
    throw new Fault('INVALID_INPUT', 'an order to prune names whole bundles after the first, who orders it, why, and what stays');
  // Safe: just checked.
  return order as PruneOrder;
}

function count(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new Fault('INVALID_INPUT', 'a whole number from 0 is missing');
}

function isSame(given: string, token: string): boolean {
  const digest = (text: string): Buffer => hash('sha256', text, 'buffer');
  return timingSafeEqual(digest(given), digest(token));
}

/** The upkeep of a log that another process of this machine writes; undefined when nobody does. */
export async function upkeepAt(directory: string): Promise<(Upkeep & { close(): void }) | undefined> {
  const token = readOwner(directory)?.token;
  if (token === undefined) return undefined;
  const socket = connect(lockName(directory));
  const answers: { resolve: (answer: Record<string, unknown>) => void; reject: (fault: Fault) => void }[] = [];
  const open = await new Promise<boolean>((done) => socket.once('connect', () => done(true)).once('error', () => done(false)));
  if (!open) return undefined;
  let closed = false;
  socket.on('error', () => undefined); // It closes then.
  socket.on('close', () => {
    closed = true;
    for (const { reject } of answers.splice(0))
      reject(new Fault('LEDGER_LOCKED', 'the process that writes the log went away, or does not take orders; try again'));
  });
  createInterface({ input: socket }).on('line', (line) => answers.shift()?.resolve(JSON.parse(line)));
  const ask = async (question: object): Promise<unknown> => {
    if (closed) throw new Fault('LEDGER_LOCKED', 'the process that writes the log went away; try again');
    const answer = await new Promise<Record<string, unknown>>((resolve, reject) => {
      answers.push({ resolve, reject });
      socket.write(`${JSON.stringify({ token, ...question })}\n`);
    });
    const { fault, message, value } = answer;
    if (typeof fault === 'string') throw new Fault(isCode(fault) ? fault : 'INTERNAL', String(message));
    return value;
  };
  return {
    prunable: async () => Number(await ask({ ask: 'prunable' })),
    line: async (index) => {
      const value = await ask({ ask: 'line', index });
      return typeof value === 'string' ? value : undefined;
    },
    record: async (order) => Number(await ask({ ask: 'record', order })),
    remove: async (index, bundle) => void (await ask({ ask: 'remove', index, bundle })),
    close: () => socket.destroy(),
  };
}

function isCode(text: string): text is FaultCode {
  return Object.hasOwn(faultTable, text);
}
