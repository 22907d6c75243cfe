import { randomFillSync } from 'node:crypto';
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { Fault } from '#model';
import { Desk, type Order } from './desk.ts';
import { nodeDisk } from './disk-node.ts';
import { ownsFolder } from './lock.ts';
import type { LogSetting } from './log.ts';

// The thread of the writer. It blocks on the disk on purpose: nothing else runs here, and what arrives meanwhile becomes the next batch.
if (parentPort === null) throw new Fault('INTERNAL', 'the ledger worker was not started as a worker');
const port: MessagePort = parentPort;
// Safe: `openLedger` is the only one that starts this file, with exactly this.
const { setting, token } = workerData as { setting: LogSetting; token: string };

const desk = new Desk(
  (answer) => port.postMessage(answer),
  () => ownsFolder(setting.directory, token),
);
let idling = false;

function drain(first: readonly Order[]): Order[] {
  const orders = [...first];
  // Safe: the front sends orders only.
  for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) orders.push(next.message as Order);
  return orders;
}

/** Sealing goes one file at a time; before each, whatever waits is made durable. */
function idle(): void {
  const orders = drain([]);
  if (orders.length > 0) desk.serve(orders);
  idling = desk.idle();
  if (idling) setImmediate(idle);
}

port.on('message', (first: Order) => {
  desk.serve(drain([first]));
  if (!idling) {
    idling = true;
    setImmediate(idle);
  }
});

// A World cannot cross threads, so this thread takes its randomness from the system itself. Every record needs some; fetching much at
// once is several times faster.
let pool: Buffer = Buffer.alloc(0);
function random(length: number): Uint8Array {
  if (pool.length < length) pool = randomFillSync(Buffer.alloc(16 * 1024 + length));
  const bytes = pool.subarray(0, length);
  pool = pool.subarray(length);
  return bytes;
}

desk.open(setting, { disk: nodeDisk, random });
