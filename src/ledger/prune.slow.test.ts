import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { RecordDraft, PruneRequest } from '#model';
import { openLedger, planPruning, pruneLedger } from './index.ts';
import { cosignerOf } from './cosigner.ts';
import { decided, sessionClosed, sessionOpened, settled } from './testing/drafts.ts';
import { seededRandom } from './testing/story.ts';
import { HandWorld } from './testing/world.ts';
import { directorySource, nodeCrypto, proveRecord, type Report, verifyLedger, verifyProof } from './verify/index.ts';

const scratch = mkdtempSync(join(tmpdir(), 'warder-prune-'));
after(() => rmSync(scratch, { recursive: true, force: true }));
const python = spawnSync('python3', ['-c', '']).status === 0;
const world = new HandWorld();
const place = { directory: join(scratch, 'ledger'), keys: join(scratch, 'keys'), origin: 'ledger.test/pruned', world, build: 'test' };
const cosigner = cosignerOf('ledger.test/mirror', seededRandom(4)(32));
const filler: RecordDraft = { kind: 'policy.rejected', by: 'user:a', problems: 1, first: 'p' };
const dayMs = 24 * 60 * 60 * 1000;

async function write(sessions: readonly string[], more: number): Promise<string> {
  const ledger = await openLedger({ ...place, inline: true, reserveBytes: 0, onFatal: (fault) => assert.fail(fault) });
  for (const session of sessions) {
    await ledger.append(sessionOpened(session));
    const { index } = await ledger.append(decided(session, 1, { text: 'x'.repeat(6_000) }));
    await ledger.append(settled(session, 1, index));
    await Promise.all(Array.from({ length: 300 }, () => ledger.append(filler)));
    await ledger.append(sessionClosed(session, 1));
  }
  for (let left = more; left > 0; left -= 500) await Promise.all(Array.from({ length: Math.min(500, left) }, () => ledger.append(filler)));
  await ledger.close();
  return ledger.vkey;
}

async function verify(vkey: string): Promise<Report> {
  const report = await verifyLedger(directorySource(place.directory), { crypto: nodeCrypto, trust: [{ vkey }, { vkey: cosigner.vkey }] });
  if (!python) return report;
  const script = join(import.meta.dirname, 'verify/verify.py');
  const { stdout } = spawnSync('python3', [script, '--json', '--key', vkey, '--key', cosigner.vkey, place.directory]);
  const second = JSON.parse(stdout.toString());
  assert.deepEqual(
    [second.status, second.size],
    [report.status, report.size],
    JSON.stringify([report.findings.slice(0, 3), second.findings.slice(0, 3)]),
  );
  return report;
}

/** What is older than half a day goes, but nothing of the session that is held. */
const rules = (held: readonly string[] = ['ses_kept']): Pick<PruneRequest, 'judge' | 'below'> => ({
  judge: () => (record) => {
    if (held.includes(String(record['session']))) return 'hold';
    return Number(record['t']) < world.wall - dayMs / 2 ? undefined : 'young';
  },
  below: Number.MAX_SAFE_INTEGER,
});

const request = (): PruneRequest => ({
  ...rules(),
  by: 'operator',
  reason: 'retention',
  holds: ['ses_kept'],
  witnesses: [cosigner.vkey],
});

test('old records go when the log said so and a witness has seen it; what is left is proven, and a hold stays', {
  timeout: 120_000,
}, async () => {
  await write(['ses_a', 'ses_b', 'ses_kept', 'ses_c'], 7_400);
  world.wall += dayMs;
  const vkey = await write(['ses_new'], 4_400);
  assert.equal((await verify(vkey)).status, 'proven');
  const blobs = (): number =>
    readdirSync(join(place.directory, 'blobs'), { recursive: true }).filter((name) => String(name).length > 60).length;
  assert.equal(blobs(), 5);

  const recorded = await pruneLedger(place, request());
  assert.deepEqual([recorded.status, recorded.from, recorded.removed], ['recorded', 256, 0]);
  assert.ok(recorded.to >= 8_192 && recorded.to % 256 === 0, String(recorded.to));
  assert.equal((await pruneLedger(place, request())).status, 'waiting');
  const bystander = cosignerOf('ledger.test/bystander', seededRandom(5)(32));
  const note = readFileSync(join(place.directory, 'checkpoint'), 'utf8');
  const text = note.slice(0, note.indexOf('\n\n') + 1);
  writeFileSync(join(place.directory, 'cosigned'), note + bystander.cosign(text, 1));
  assert.equal((await pruneLedger(place, request())).status, 'waiting', 'a stranger is no witness');
  writeFileSync(join(place.directory, 'cosigned'), note + cosigner.cosign(text, 1));
  assert.ok(existsSync(join(place.directory, 'tile/entries/005')));

  const removed = await pruneLedger(place, request());
  assert.deepEqual([removed.status, removed.from, removed.to], ['removed', 256, recorded.to]);
  assert.ok(removed.kept >= 1 && removed.removed > 25, JSON.stringify(removed));
  assert.ok(!existsSync(join(place.directory, 'tile/entries/010')) && !existsSync(join(place.directory, 'tile/0/010')));
  assert.ok(existsSync(join(place.directory, 'tile/entries/000')) && existsSync(join(place.directory, 'tile/1/000.p')));
  assert.ok(blobs() < 5 && blobs() >= 2);
  const report = await verify(vkey);
  assert.equal(report.status, 'proven', JSON.stringify(report.findings.slice(0, 5)));

  const source = directorySource(place.directory);
  const held = readdirSync(join(place.directory, 'tile/entries')).filter((name) => /^00[1-9]$/.test(name));
  const index = Number(held[0]) * 256 + 9;
  const proof = (await proveRecord(source, index, { crypto: nodeCrypto })) ?? '';
  assert.equal((await verifyProof(proof, { crypto: nodeCrypto, trust: [{ vkey }] })).status, 'proven');
  assert.equal(await proveRecord(source, 2_570, { crypto: nodeCrypto }), undefined);

  await write(['ses_later'], 10);
  assert.equal((await verify(vkey)).status, 'proven', 'the log goes on');
  assert.notEqual((await pruneLedger(place, request())).status, 'removed', 'nothing is removed twice');
});

test('a bundle that is gone and that no record allowed to go is tampering', { timeout: 60_000 }, async () => {
  const vkey = readFileSync(join(place.keys, 'log.vkey'), 'utf8').trim();
  const kept = [join(place.directory, 'tile/entries/040'), join(place.directory, 'tile/0/040')].map((path) => ({
    path,
    bytes: readFileSync(path),
  }));
  for (const { path } of kept) rmSync(path);
  assert.equal((await verify(vkey)).status, 'tampered');
  for (const { path, bytes } of kept) writeFileSync(path, bytes);
  const tile = join(place.directory, 'tile/1/000.p', readdirSync(join(place.directory, 'tile/1/000.p')).at(-1) ?? '');
  const bytes = readFileSync(tile);
  const whole = Buffer.from(bytes);
  bytes[10 * 32] = (bytes[10 * 32] ?? 0) ^ 1;
  writeFileSync(tile, bytes);
  assert.equal((await verify(vkey)).status, 'tampered', 'the hash over what was removed is still checked');
  writeFileSync(tile, whole);
});

test('the file that lists prunings allows nothing that the log did not record', async () => {
  const path = join(place.directory, 'pruned');
  const [line = ''] = readFileSync(path, 'utf8').split('\n');
  writeFileSync(path, `${JSON.stringify({ ...JSON.parse(line), to: 11_008 })}\n`);
  await assert.rejects(pruneLedger(place, request()), { code: 'LEDGER_TAMPERED' });
  writeFileSync(path, `${line}\n`);
});

test('what the mirror or a receiver does not have yet does not go, before the log says so and after', { timeout: 60_000 }, async () => {
  await write([], 5_000);
  world.wall += 30 * dayMs;
  const behind = await pruneLedger(place, { ...request(), below: end() + 255 });
  assert.deepEqual([behind.status, behind.waitsFor], ['nothing', 'delivery']);
  const some = await pruneLedger(place, { ...request(), below: end() + 2 * 256 + 9 });
  assert.deepEqual([some.status, some.to - some.from], ['recorded', 512]);
  await witnessed();
  const late = await pruneLedger(place, { ...request(), below: some.to - 1 });
  assert.deepEqual([late.status, late.waitsFor], ['waiting', 'delivery'], 'a sink that was added since begins at the beginning');
  assert.ok(existsSync(bundle(some.from / 256)));
});

test('a hold that came after the log said that something may go keeps it; one that ends lets it go with a new record', {
  timeout: 60_000,
}, async () => {
  const from = end() / 256 - 2;
  const entry = 'ses_new';
  const kept = await pruneLedger(place, {
    ...request(),
    judge:
      () =>
      ({ session }) =>
        session === entry ? 'hold' : undefined,
  });
  assert.equal(kept.status, 'removed', JSON.stringify(kept));
  const rest = [from, from + 1].filter((number) => existsSync(bundle(number)));
  const held = readdirSync(join(place.directory, 'tile/entries')).filter((name) => /^00[1-9]$/.test(name));
  assert.ok(held.length > 0, 'the session that the records name');
  const vkey = readFileSync(join(place.keys, 'log.vkey'), 'utf8').trim();
  assert.equal((await verify(vkey)).status, 'proven');
  const free = { ...request(), ...rules([]), holds: [] };
  const plan = planPruning(place.directory, free);
  assert.ok(
    plan.goes.bundles >= held.length + rest.length && plan.goes.size.entries > 0 && plan.size.entries > plan.goes.size.entries,
    JSON.stringify(plan),
  );
  assert.deepEqual(
    [(await pruneLedger(place, free)).status, existsSync(bundle(rest[0] ?? 0))],
    ['removed', false],
    'the record does not name it',
  );
  const released = await pruneLedger(place, free);
  assert.deepEqual([released.status, released.from], ['recorded', 256]);
  await witnessed();
  const gone = await pruneLedger(place, free);
  assert.equal(gone.status, 'removed');
  assert.ok(held.every((name) => !existsSync(join(place.directory, 'tile/entries', name))));
  assert.equal((await verify(vkey)).status, 'proven');
  assert.equal(planPruning(place.directory, free).goes.bundles, 0);
});

const bundle = (number: number): string => join(place.directory, 'tile/entries', String(number).padStart(3, '0'));

/** Where the last recorded pruning ends. */
function end(): number {
  const last = readFileSync(join(place.directory, 'pruned'), 'utf8').trim().split('\n').at(-1) ?? '{}';
  return (JSON.parse(last) as { to: number }).to;
}

/** A witness signs what the log has signed. */
async function witnessed(): Promise<void> {
  const note = readFileSync(join(place.directory, 'checkpoint'), 'utf8');
  const text = note.slice(0, note.indexOf('\n\n') + 1);
  writeFileSync(join(place.directory, 'cosigned'), note + cosigner.cosign(text, 1));
}
