import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Fault, limits, type World } from '#model';
import type { Ledger, LedgerOptions } from './contract.ts';
import { type Answer, Desk, type Order } from './desk.ts';
import { makeFolders } from './disk.ts';
import { nodeDisk } from './disk-node.ts';
import { ownsFolder, takeLock } from './lock.ts';
import type { LogSetting } from './log.ts';
import { leafHash } from './merkle.ts';
import { faultOf, microseconds, Recorder, type Transport } from './recorder.ts';
import { Courier, type SignerSetting } from './signer/courier.ts';
import { SpaceWatch } from './space.ts';
import type { HeldKey } from './signer/remote-signing.ts';
import { attendUpkeep, upkeepOf } from './upkeep.ts';
import type { LedgerSigner } from './signer/signer-client.ts';

/**
 * Opens the log in `directory`, making it when there is none. Every start is a recovery: an unfinished write is cut off, operations
 * without outcome are recorded as in doubt, and what is there is sealed and signed before this resolves.
 *
 * Faults: LEDGER_LOCKED, LEDGER_CORRUPT, LEDGER_ROLLBACK, CONFIG_INVALID (a key file), LEDGER_FAILED (the disk).
 */
export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  const directory = resolve(options.directory);
  makeFolders(nodeDisk, directory);
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const token = Buffer.from(options.world.randomBytes(16)).toString('hex');
  const signedBy = options.signer === undefined ? {} : { signedBy: await signingKey(options, options.signer.signer) };
  const lock = await takeLock(directory, { boot, token });
  const setting: LogSetting = {
    directory,
    keys: resolve(options.keys),
    origin: options.origin,
    build: options.build,
    boot,
    reserveBytes: options.reserveBytes ?? limits.ledgerReserveBytes,
    held: options.confirm !== undefined,
    ...signedBy,
    stamp: { t: options.world.now(), mono: microseconds(options.world) },
  };
  try {
    const line = options.inline === true ? inlineLine(setting, { options, token }) : threadLine(setting, token);
    const recorder = await connect(options, line, lock.release);
    const upkeep = upkeepOf(directory, recorder);
    lock.attend((socket) => attendUpkeep(socket, upkeep, { token, world: options.world }));
    return recorder;
  } catch (error) {
    await lock.release();
    throw withCommands(error, options.commands);
  }
}

/** The refusal of a log with what to run next. */
function withCommands(error: unknown, commands: LedgerOptions['commands']): unknown {
  if (!(error instanceof Fault) || commands === undefined) return error;
  const next = {
    LEDGER_CORRUPT: `see what is wrong with \`${commands.verify}\`, then go on in a new log with \`${commands.repair}\``,
    LEDGER_ROLLBACK: `put the newest copy back, or go on in a new log with \`${commands.repair}\``,
    LEDGER_SEALED: `go on in a new log with \`${commands.repair}\``,
  }[error.code as string];
  if (next === undefined) return error;
  return new Fault(error.code, `${error.message}; next: ${next}`, { detail: { ...error.detail, commands }, cause: error });
}

/** A transport that is being set up: answers go to whoever was named last. */
interface Line extends Transport {
  onAnswer: (answer: Answer) => void;
}

async function connect(options: LedgerOptions, line: Line, release: () => Promise<void>): Promise<Recorder> {
  const opened = await new Promise<Extract<Answer, { kind: 'opened' }>>((accept, reject) => {
    const questions = new Map<number, (line: string | undefined) => void>();
    line.onAnswer = (answer) => {
      if (answer.kind === 'opened') accept(answer);
      else if (answer.kind === 'value') questions.get(answer.id)?.(firstLine(answer.value));
      else if (answer.kind === 'fault') questions.get(answer.id)?.(undefined);
      else if (answer.kind === 'found') {
        confirm(options, answer, (index, tell) => {
          questions.set(index, tell);
          line.send({ kind: 'read', id: index, first: index, count: 1 });
        }).then(
          () => line.send({ kind: 'begin' }),
          (refusal: unknown) => void line.end().then(() => reject(refusal), reject),
        );
      } else if (answer.kind === 'fatal') void line.end().then(() => reject(faultOf(answer.fault)), reject);
    };
  });
  let watch: SpaceWatch | undefined;
  const end = (): Promise<void> => {
    watch?.stop();
    return line.end().then(release);
  };
  const ledger = recorderOn(options, { line, end, opened });
  if (options.inline !== true)
    watch = new SpaceWatch({ ...options, directory: resolve(options.directory), record: (draft) => ledger.append(draft) });
  return ledger;
}

interface Connected {
  readonly line: Line;
  end(): Promise<void>;
  readonly opened: Extract<Answer, { kind: 'opened' }>;
}

function recorderOn(options: LedgerOptions, connected: Connected): Recorder {
  if (options.signer !== undefined) return connectSigned({ ...options, signer: options.signer }, connected);
  const { line, end, opened } = connected;
  const recorder = new Recorder(options, { send: (order) => line.send(order), end }, opened);
  line.onAnswer = (answer) => recorder.receive(answer);
  return recorder;
}

/** The same with a key that another process holds. */
function connectSigned(options: LedgerOptions & { readonly signer: SignerSetting }, { line, end, opened }: Connected): Recorder {
  const courier = new Courier({
    ...options.signer,
    origin: options.origin,
    vkey: opened.vkey,
    size: opened.size,
    directory: resolve(options.directory),
    world: options.world,
    deliver: (size, signature) => line.send({ kind: 'countersigned', size, line: signature }),
    onContradiction: (fault) => recorder.fail(fault),
    record: (draft) => recorder.append(draft),
  });
  const send = (order: Order): void => {
    if (order.kind !== 'close') return line.send(order);
    // Everything is durable; what the last signature does not cover is signed at the next start.
    line.send({ kind: 'tick' });
    void lastSignature(options.world, courier).then(() => line.send(order));
  };
  const recorder: Recorder = new Recorder({ ...options, refusal: () => courier.refusal() }, { send, end }, opened);
  line.onAnswer = (answer) => (answer.kind === 'unsigned' ? courier.ask(answer) : recorder.receive(answer));
  return recorder;
}

/** Waits for the signature over everything, but not for long. */
async function lastSignature(world: World, courier: Courier): Promise<void> {
  // The question for it comes after the writer has sealed.
  await new Promise<void>((done) => void world.after(lastSealMs, done));
  await Promise.race([courier.idle(), new Promise<void>((done) => void world.after(limits.signerAnswerMs, done))]);
  courier.close();
}

// Sealing what came in since the last second takes milliseconds.
const lastSealMs = 100;

/** The public form of the key: as the signer says, or, when it does not answer, as it said before. */
async function signingKey({ keys }: LedgerOptions, signer: LedgerSigner): Promise<HeldKey> {
  try {
    return await signer.key();
  } catch (error) {
    const known = nodeDisk.read(`${resolve(keys)}/log.vkey`);
    if (known === undefined) throw error;
    return { vkey: Buffer.from(known).toString().trim() };
  }
}

/** Asks whoever knows this log from elsewhere. */
async function confirm(
  options: LedgerOptions,
  { vkey, size }: { readonly vkey: string; readonly size: number },
  read: (index: number, tell: (line: string | undefined) => void) => void,
): Promise<void> {
  await options.confirm?.({
    origin: options.origin,
    vkey,
    size,
    leafOf: async (index) => {
      const line = await new Promise<string | undefined>((tell) => read(index, tell));
      return line === undefined ? undefined : leafHash(Buffer.from(line)).toString('hex');
    },
  });
}

function firstLine(value: Extract<Answer, { kind: 'value' }>['value']): string | undefined {
  return Array.isArray(value) ? value[0] : undefined;
}

function threadLine(setting: LogSetting, token: string): Line {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: { setting, token }, name: 'ledger' });
  let ending = false;
  const line: Line = {
    onAnswer: () => undefined,
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    send: (order) => worker.postMessage(order, handedOver(order)),
    end: async () => {
      ending = true;
      await worker.terminate();
    },
  };
  const died = (message: string): void => {
    if (!ending) line.onAnswer({ kind: 'fatal', fault: { code: 'INTERNAL', message: `the ledger's thread ended: ${message}` } });
  };
  worker.on('message', (answer: Answer) => line.onAnswer(answer));
  worker.on('error', (error) => died(error instanceof Error ? error.message : String(error)));
  worker.on('exit', (code) => died(`exit ${code}`));
  return line;
}

/** The memory that goes to the other thread without a copy: of large chunks. Small ones may lie in memory that others share. */
function handedOver(order: Order): ArrayBuffer[] {
  if (order.kind !== 'append') return [];
  return order.items.flatMap(({ content }) => {
    const memory = content?.buffer;
    const whole = memory instanceof ArrayBuffer && memory.byteLength <= limits.recordingChunkBytesMax && content?.byteOffset === 0;
    return whole && (content?.length ?? 0) > sharedBytesMax ? [memory] : [];
  });
}

// Buffers up to half of this come from a pool, and with them would go everything else in it.
const sharedBytesMax = Buffer.poolSize;

/** The writer in this thread. Answers still come later, never from within the call, as they do from a thread. */
function inlineLine(setting: LogSetting, how: { options: LedgerOptions; token: string }): Line {
  const line: Line = {
    onAnswer: () => undefined,
    send: (order) => {
      desk.serve([order]);
      while (desk.idle());
    },
    end: () => Promise.resolve(),
  };
  const desk = new Desk(
    (answer) => queueMicrotask(() => line.onAnswer(answer)),
    () => ownsFolder(setting.directory, how.token),
  );
  queueMicrotask(() => desk.open(setting, { disk: nodeDisk, random: (length) => how.options.world.randomBytes(length) }));
  return line;
}
