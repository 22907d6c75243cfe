import { writeSync } from 'node:fs';
import { openLedger } from '../index.ts';
import { decided, realWorld, sessionOpened, settled } from './drafts.ts';

/**
 * A process that writes to the ledger in argv[2] with sixteen writers until it is killed, and says on its output what was
 * acknowledged: one line `index leaf` each.
 */
const directory = process.argv[2] ?? '';
const ledger = await openLedger({
  directory: `${directory}/ledger`,
  origin: 'ledger.test/child',
  keys: `${directory}/keys`,
  world: realWorld,
  build: 'test',
  reserveBytes: 0,
  onFatal: (fault) => {
    writeSync(2, `fatal ${fault.code} ${fault.message}\n`);
    process.exit(fault.exit);
  },
});
writeSync(1, 'ready\n');

async function write(writer: number): Promise<void> {
  const session = `ses_${process.pid}_${writer}`;
  await say(ledger.append(sessionOpened(session)));
  for (let n = 1; ; n += 1) {
    const permit = await ledger.decide(decided(session, n, { text: 'x'.repeat((n * 37) % 3_000) }));
    writeSync(1, `${permit.receipt.index} ${permit.receipt.leaf}\n`);
    await say(ledger.append(settled(session, n, permit.receipt.index)));
  }
}

async function say(receipt: Promise<{ index: number; leaf: string }>): Promise<void> {
  const { index, leaf } = await receipt;
  writeSync(1, `${index} ${leaf}\n`);
}

await Promise.all(Array.from({ length: 16 }, (_, writer) => write(writer)));
