import { chmodSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { asFault, Fault, limits, type World } from '#model';
import { nodeDisk } from '../disk-node.ts';
import { type SignRequest, StatefulSigner } from './stateful-signer.ts';

export interface SignerPlace {
  /** Unix socket on which the writer of the log asks; who may open it may ask. */
  readonly socket: string;
  /** Folder of the key and of what was signed, for nobody else. */
  readonly keys: string;
  /** Name of the log and of the key. */
  readonly origin: string;
  readonly world: World;
  /** Told what is refused: each is a reason to look. */
  readonly onRefused: (fault: Fault) => void;
}

export interface RunningSigner {
  readonly vkey: string;
  /** Size of the log that was signed last. */
  readonly size: number;
  stop(): Promise<void>;
}

/**
 * Serves the key of one log on a unix socket: a line of JSON for each question and each answer. Format: docs/formats/signer.md.
 * Faults: CONFIG_INVALID (a damaged file), LEDGER_LOCKED (another signer listens there).
 */
export async function serveSigner(place: SignerPlace): Promise<RunningSigner> {
  const { world, origin } = place;
  const signer = new StatefulSigner({
    disk: nodeDisk,
    keys: resolve(place.keys),
    origin,
    random: (length) => world.randomBytes(length),
    now: () => world.now(),
  });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    attend(socket, signer, place.onRefused);
  });
  await listen(server, place.socket);
  return {
    vkey: signer.vkey,
    size: signer.size,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}

/** Answers the questions of one connection in order. */
function attend(socket: Socket, signer: StatefulSigner, onRefused: (fault: Fault) => void): void {
  let unread = 0;
  socket.on('error', () => undefined); // The other side has gone; there is nobody to tell.
  socket.on('data', (bytes: Buffer) => {
    // Nobody who asks for signatures sends this much without a line feed.
    unread = bytes.includes(0x0a) ? 0 : unread + bytes.length;
    if (unread > limits.signerLineBytesMax) socket.destroy();
  });
  const lines = createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY });
  lines.on('error', () => undefined);
  lines.on('line', (line) => {
    socket.write(`${JSON.stringify(answerTo(line, signer, onRefused))}\n`);
  });
}

function answerTo(line: string, signer: StatefulSigner, onRefused: (fault: Fault) => void): object {
  try {
    const asked = questionIn(line);
    if (asked.ask === 'sign') return signer.sign(asked);
    if (asked.ask === 'prepare') signer.prepare();
    if (asked.ask === 'adopt') signer.adopt(asked.vkey);
    const { origin, vkey, size, next } = signer;
    return { origin, vkey, size, ...(next === undefined ? {} : { next }) };
  } catch (thrown) {
    const fault = asFault(thrown);
    onRefused(fault);
    return { fault: fault.code, message: fault.message };
  }
}

type Asked =
  | { readonly ask: 'key' | 'prepare' }
  | { readonly ask: 'adopt'; readonly vkey: string }
  | ({ readonly ask: 'sign' } & SignRequest);

function questionIn(line: string): Asked {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new Fault('INVALID_INPUT', 'a question to the signer is one line of JSON', { cause });
  }
  // Safe: every field is looked at before it is used.
  const { ask, text, old, proof, vkey } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  if (ask === 'key' || ask === 'prepare') return { ask };
  if (ask === 'adopt' && typeof vkey === 'string') return { ask, vkey };
  const whole = typeof text === 'string' && Number.isSafeInteger(old) && Array.isArray(proof);
  if (ask !== 'sign' || !whole || !proof.every((node) => typeof node === 'string') || proof.length > 64)
    throw new Fault(
      'INVALID_INPUT',
      'the signer answers {"ask":"key"}, {"ask":"sign","text":…,"old":…,"proof":[…]}, {"ask":"prepare"} and {"ask":"adopt","vkey":…}',
    );
  return { ask, text, old: Number(old), proof };
}

async function listen(server: Server, path: string): Promise<void> {
  if (await answers(path)) throw new Fault('LEDGER_LOCKED', `another signer listens on ${path}`);
  // What is there was left by one that died.
  rmSync(path, { force: true });
  await new Promise<void>((done, reject) => {
    server.once('error', (cause) =>
      reject(new Fault('CONFIG_INVALID', `the signer cannot listen on ${path}: ${cause.message}`, { cause })),
    );
    server.listen(path, done);
  });
  // The group of the socket decides who else may ask: the gateway runs under another user.
  chmodSync(path, 0o660);
}

function answers(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(path, () => {
      socket.destroy();
      done(true);
    });
    socket.on('error', () => done(false));
  });
}
