import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { openLedger } from '../index.ts';
import { decided, realWorld, recordingChunk, sessionOpened, settled } from './drafts.ts';

/**
 * A process that writes to the ledger in argv[2] with sixteen writers until it is killed, and says on its output what was
 * acknowledged: one line `index leaf` each. With `nosync` as argv[3] its syncs do nothing: a sabotage that a power cut must show. With
 * `buffered` its operations run ahead of their records, and each that is released is said in a line `released operation`.
 */
const directory = process.argv[2] ?? '';
const nosync = process.argv[3] === 'nosync';
if (nosync) {
  fs.fdatasyncSync = () => undefined;
  fs.fsyncSync = () => undefined;
  syncBuiltinESMExports();
}
const ledger = await openLedger({
  directory: `${directory}/ledger`,
  origin: 'ledger.test/child',
  keys: `${directory}/keys`,
  world: realWorld,
  build: 'test',
  // Only in this thread are the system's functions replaced.
  inline: nosync,
  reserveBytes: 0,
  onFatal: (fault) => {
    process.stderr.write(`fatal ${fault.code} ${fault.message}\n`);
    process.exit(fault.exit);
  },
});
process.stdout.write('ready\n');

async function write(writer: number): Promise<void> {
  const session = `ses_${process.pid}_${writer}`;
  await say(ledger.append(sessionOpened(session)));
  for (let n = 1; ; n += 1) {
    const permit = await ledger.decide(decided(session, n, { text: 'x'.repeat((n * 37) % 3_000) }));
    process.stdout.write(`${permit.receipt.index} ${permit.receipt.leaf}\n`);
    // Every second session is recorded.
    if (writer % 2 === 0) await say(ledger.keepChunk(recordingChunk(session, n), Buffer.alloc((n * 1_553) % 9_000, 'r')));
    await say(ledger.append(settled(session, n, permit.receipt.index)));
  }
}

async function runAhead(writer: number): Promise<void> {
  const session = `ses_${process.pid}_${writer}`;
  await say(ledger.append(sessionOpened(session)));
  for (let n = 1; ; n += 1) {
    const permit = await ledger.decide(decided(session, n), { level: 'buffered' });
    process.stdout.write(`released ${permit.operation}\n`);
    void say(permit.recorded);
    void permit.recorded.then(({ index }) => ledger.append(settled(session, n, index)));
    // What is released does something; without a turn the writer's answers would never be heard.
    await new Promise(setImmediate);
  }
}

async function say(receipt: Promise<{ index: number; leaf: string }>): Promise<void> {
  const { index, leaf } = await receipt;
  process.stdout.write(`${index} ${leaf}\n`);
}

const act = process.argv[3] === 'buffered' ? runAhead : write;
await Promise.all(Array.from({ length: 16 }, (_, writer) => act(writer)));
