import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openLedger, recordProofs, shredSession } from '../index.ts';
import { decided, realWorld, recordingChunk, recordingClosed, sessionClosed, sessionOpened, settled } from '../testing/drafts.ts';
import { directorySource, nodeCrypto, verifyLedger, verifyProof } from '../verify/index.ts';

test('erasing the key of a session takes its texts and its recording, leaves those of others, and every proof', async (t) => {
  const scratch = mkdtempSync(join(tmpdir(), 'warder-shred-'));
  t.after(() => rmSync(scratch, { recursive: true, force: true }));
  const place = {
    directory: join(scratch, 'ledger'),
    keys: join(scratch, 'keys'),
    origin: 'ledger.test/s',
    world: realWorld,
    build: 'test',
  };
  const open = () => openLedger({ ...place, inline: true, reserveBytes: 0, onFatal: (fault) => assert.fail(fault) });
  const ledger = await open();
  for (const session of ['ses_1', 'ses_2']) {
    await ledger.append(sessionOpened(session));
    const permit = await ledger.decide(decided(session, 1, { text: `text of ${session}` }));
    await ledger.keepChunk(recordingChunk(session, 1), Buffer.from(`bytes of ${session}`));
    await ledger.append(settled(session, 1, permit.receipt.index));
    await ledger.append(recordingClosed(session));
    await ledger.append(sessionClosed(session, 1));
  }
  await ledger.close();
  const request = { session: 'ses_1', by: 'user:operator', reason: 'a request by the person' };
  assert.equal(await shredSession(place, request), true);
  assert.equal(await shredSession(place, request), false, 'there is nothing left to erase');
  assert.ok(!existsSync(join(place.keys, 'sessions/_1/ses_1.key')));
  const again = await open();
  for (const index of [2, 3]) await assert.rejects(again.disclose(index), { code: 'NOT_FOUND', message: /erased/ });
  await assert.rejects(again.openEvidence(2), { code: 'NOT_FOUND' });
  assert.equal(Buffer.from((await again.disclose(9)).content).toString(), 'bytes of ses_2');
  assert.equal((await again.openEvidence(8)).text, 'text of ses_2');
  const kinds = (await again.read(13, 3)).map((line) => JSON.parse(line)).map(({ kind, session }) => [kind, session]);
  assert.deepEqual(kinds[1], ['evidence.shredded', 'ses_1']);
  await again.close();
  const report = await verifyLedger(directorySource(place.directory), { crypto: nodeCrypto, trust: [{ vkey: again.vkey }] });
  assert.equal(report.status, 'proven', JSON.stringify(report.findings));
  for (const proof of recordProofs(place.directory, [2, 3])) {
    assert.equal((await verifyProof(proof, { crypto: nodeCrypto, trust: [{ vkey: again.vkey }] })).status, 'proven');
  }
});
