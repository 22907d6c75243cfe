import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { PruneRequest, RecordDraft } from '#model';
import { cosignerOf } from './cosigner.ts';
import { FileAudit, type Ledger, openLedger, pruneLedger } from './index.ts';
import { lockName } from './lock.ts';
import { decided, realWorld, sessionClosed, sessionOpened, settled } from './testing/drafts.ts';
import { seededRandom } from './testing/story.ts';
import { type Upkeep, upkeepAt } from './upkeep.ts';
import { directorySource, nodeCrypto, verifyLedger } from './verify/index.ts';

const scratch = mkdtempSync(join(tmpdir(), 'warder-prune-live-'));
after(() => rmSync(scratch, { recursive: true, force: true }));
const cosigner = cosignerOf('ledger.test/mirror', seededRandom(4)(32));
const filler: RecordDraft = { kind: 'policy.rejected', by: 'user:a', problems: 1, first: 'p' };
const place = {
  directory: join(scratch, 'ledger'),
  keys: join(scratch, 'keys'),
  origin: 'ledger.test/live',
  world: realWorld,
  build: 'test',
};

function open(): Promise<Ledger> {
  return openLedger({ ...place, reserveBytes: 0, onFatal: (fault) => assert.fail(fault) });
}

async function fill(ledger: Ledger, count: number): Promise<void> {
  for (let left = count; left > 0; left -= 500) await Promise.all(Array.from({ length: Math.min(500, left) }, () => ledger.append(filler)));
}

/** Everything is signed, and a witness has signed it too. */
async function witnessed(ledger: Ledger): Promise<void> {
  const { size } = ledger;
  while (Number(ledger.checkpoint?.split('\n')[1] ?? 0) < size) await new Promise<void>((done) => void realWorld.after(20, done));
  const note = readFileSync(join(place.directory, 'checkpoint'), 'utf8');
  writeFileSync(join(place.directory, 'cosigned'), note + cosigner.cosign(note.slice(0, note.indexOf('\n\n') + 1), 1));
}

const request = (held: readonly string[]): PruneRequest => ({
  judge: () => (record) => (held.includes(String(record['session'])) ? 'hold' : undefined),
  below: Number.MAX_SAFE_INTEGER,
  by: 'operator',
  reason: 'retention',
  holds: held,
  witnesses: [cosigner.vkey],
});

const file = (folder: string, number: number): string => join(place.directory, 'tile', folder, String(number).padStart(3, '0'));

test('a log is pruned while it is written: its writer records what may go and removes it, and nobody who watches the files is alarmed', async () => {
  const ledger = await open();
  await ledger.append(sessionOpened('ses_kept'));
  const permit = await ledger.decide(decided('ses_kept', 1));
  await fill(ledger, 600);
  await ledger.append(settled('ses_kept', 1, permit.receipt.index));
  await ledger.append(sessionClosed('ses_kept', 1));
  await fill(ledger, 12_000);
  await witnessed(ledger);
  const audit = new FileAudit(place.directory, (first) => ledger.removed(first));
  for (const one of await audit.look(ledger.size)) await audit.good(one);

  const recorded = await pruneLedger(place, request(['ses_kept']));
  assert.deepEqual([recorded.status, recorded.from], ['recorded', 256]);
  assert.ok(recorded.to >= 3_840, `the writer needs its last segments, the rest goes: ${recorded.to}`);
  assert.equal((await pruneLedger(place, request(['ses_kept']))).status, 'waiting', 'nothing goes before a witness has seen it');
  await witnessed(ledger);

  // A crash in the middle of a bundle: its tile is gone already.
  const tile = readFileSync(file('0', 9));
  rmSync(file('0', 9));
  assert.equal((await verifyLedger(directorySource(place.directory), { crypto: nodeCrypto })).status, 'incomplete');
  writeFileSync(file('0', 9), tile);
  rmSync(file('0', 10));

  let running = true;
  const traffic = (async () => {
    while (running) await ledger.append(filler);
  })();
  const removed = await pruneLedger(place, request(['ses_kept']));
  assert.deepEqual([removed.status, removed.removed + removed.kept], ['removed', (recorded.to - recorded.from) / 256]);
  assert.ok(removed.removed > 10 && existsSync(file('entries', 2)), 'what is held stays');
  assert.ok(!existsSync(file('entries', 10)) && !existsSync(file('0', 10)));
  running = false;
  await traffic;
  assert.deepEqual(
    (await audit.look(ledger.size)).filter(({ digest }) => digest === undefined),
    [],
    'the watch knows that they were removed by the rules',
  );
  await ledger.close();
  const report = await verifyLedger(directorySource(place.directory), { crypto: nodeCrypto, trust: [{ vkey: ledger.vkey }] });
  assert.equal(report.status, 'proven', JSON.stringify(report.findings));
  const again = await open();
  await again.append(filler);
  await again.close();
});

test('only who may read the file `lock` gives orders, and the writer removes nothing that its log does not allow', async () => {
  const ledger = await open();
  await fill(ledger, 9_000);
  await witnessed(ledger);
  assert.equal(statSync(join(place.directory, 'lock')).mode & 0o077, 0);
  const socket = connect(lockName(place.directory));
  socket.write('{"token":"guessed","ask":"prunable"}\n');
  const [answer] = await new Promise<Buffer[]>((done) => socket.once('data', (bytes) => done([bytes])));
  assert.match(String(answer), /"fault":"FORBIDDEN"/);
  await new Promise((done) => socket.once('close', done));

  const upkeep: (Upkeep & { close(): void }) | undefined = await upkeepAt(place.directory);
  assert.ok(upkeep !== undefined);
  const end = await upkeep.prunable();
  await assert.rejects(upkeep.remove(ledger.size - 1, 40), { code: 'CONFLICT' });
  const order = { from: 256, to: end + 256, by: 'operator', reason: 'r', holds: [] };
  await assert.rejects(upkeep.record(order), { code: 'CONFLICT' });
  await assert.rejects(upkeep.record({ ...order, from: 0, to: 512 }), { code: 'INVALID_INPUT' });
  const index = await upkeep.record({ ...order, to: 512 });
  await assert.rejects(upkeep.remove(index, 2), { code: 'CONFLICT' });
  assert.ok(existsSync(file('entries', 40)));
  upkeep.close();
  await ledger.close();
  assert.equal(await upkeepAt(place.directory), undefined, 'nobody writes it any more');
});
