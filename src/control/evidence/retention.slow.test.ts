import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { deliveredBelow, realWorld, until } from '#host';
import { TestGateway, ledgerLines } from '../testing/gateway.ts';
import type { TestServer } from '../testing/installation.ts';
import { collectingLog, startTestControl, startTestServer, testConfig } from '../testing/installation.ts';
import { sessionDrafts } from '../testing/records.ts';
import type { Store } from '../store/database.ts';
import { openStore } from '../store/database.ts';
import { migrate } from '../store/migrate.ts';
import { openBatchReader } from '../sinks/batch.ts';
import { openMirror } from './mirror.ts';
import { pruneMirror } from './prune-mirror.ts';
import { openSearchIndex } from './search-index.ts';
import { searchRecords } from './search.ts';

let server: TestServer;
let store: Store;
const origin = 'ledger.local/gateway-1';
const day = 24 * 60 * 60 * 1000;
const auditor = { type: 'user', id: 'user:auditor', name: 'auditor', groups: [], roles: ['auditor'] } as const;

before(async () => {
  server = await startTestServer();
  store = await openStore(await server.database(), { world: realWorld, log: collectingLog() });
  await migrate(store);
});

after(async () => {
  await store?.close();
  await server?.stop();
});

/** 2,000 entries of sessions of ten operations, then the record that lets the entries from 256 to 1,536 go. */
function lines(): string[] {
  const drafts = Array.from({ length: 100 }, (_, at) => {
    const operations = Array.from({ length: 9 }, (_unused, n) => ({ n: n + 1, verdict: 'allow' as const }));
    return sessionDrafts(`ses_${at}`, { subject: `user:s${at}`, operations })
      .map(withText(at))
      .map((draft) => ('for' in draft ? { ...draft, for: Number(draft['for']) + at * 20 } : draft));
  }).flat();
  return ledgerLines([...drafts, { kind: 'log.pruned', from: 256, to: 1_536, by: 'operator', reason: 'retention', holds: ['ses_30'] }]);
}

/** The hash of the sealed text of a session's operations, which does not fit its record. */
function blobOf(session: number): string {
  return String(session).padStart(64, '0');
}

/** A statement that only this session runs. */
function withText(session: number): (draft: Record<string, unknown>) => Record<string, unknown> {
  return (draft) =>
    draft['kind'] === 'operation.decided'
      ? {
          ...draft,
          what: { ...(draft['what'] as object), normalized: `select ${session} of $1` },
          evidence: { commit: '', bytes: 1, key: draft['session'], blob: blobOf(session) },
        }
      : draft;
}

const found = async (query: object): Promise<number> => (await searchRecords(store, { viewer: auditor, limit: 501, ...query })).length;
const kept = async (): Promise<number[]> => {
  const rows = await store.db.selectFrom('record').select('i').where('origin', '=', origin).orderBy('i').execute();
  return [...new Set(rows.map(({ i }) => Math.floor(i / 256)))];
};

test('the mirror and the index lose what a witnessed record lets go, and nothing that is held, kept longer or still to be delivered', async () => {
  const mirror = openMirror(store);
  const index = openSearchIndex(store);
  await mirror.attach({ origin, vkey: 'k' });
  const entries = lines();
  await mirror.take({ origin, first: 0, entries });
  await index.grow();
  const rules = {
    keep: day,
    classes: [],
    holds: [{ reason: 'case', subjects: ['user:s70'] }],
  };
  const pruning = { rules, now: 10 * day, neededFrom: () => 9_999 };
  const everything = [0, 1, 2, 3, 4, 5, 6, 7];
  assert.equal(await pruneMirror(store, pruning), 0, 'nobody has witnessed it');
  await store.db.updateTable('mirror').set({ signed: entries.length }).execute();
  assert.equal(await pruneMirror(store, { ...pruning, neededFrom: () => 1_535 }), 0, 'a sink is behind');
  assert.equal(await pruneMirror(store, { ...pruning, now: 1_000 }), 0, 'the rules of today keep it');
  assert.deepEqual(await kept(), everything);

  // ses_30 is in the entries 600 to 619, ses_70 in 1,400 to 1,419.
  assert.equal(await pruneMirror(store, pruning), 3 * 256);
  assert.deepEqual(await kept(), [0, 2, 5, 6, 7]);
  assert.deepEqual(
    [await found({ session: 'ses_20' }), await found({ session: 'ses_30' }), (await found({ subject: 'user:s70' })) > 0],
    [0, 20, true],
  );
  const leaving = (await store.db.selectFrom('recording_leaving').select('hash').execute()).map(({ hash }) => hash);
  assert.deepEqual(
    [20, 30, 70, 99].map((session) => leaving.includes(blobOf(session))),
    [true, false, false, false],
    'copies of the texts',
  );
  assert.equal(await found({ table: 'public.orders', subject: 'user:s20' }), 0);
  const { rows: orphans } = await store.db.executeQuery<{ n: number }>(
    (await import('kysely'))
      .sql`select count(*)::bigint as n from search_term o where not exists (select from search s where s.log = o.log and s.i = o.i)`.compile(
      store.db,
    ),
  );
  assert.equal(orphans[0]?.n, 0);
  assert.equal(await pruneMirror(store, { ...pruning, rules: { ...rules, holds: [] } }), 256, 'a hold that ended');

  const texts = await store.db.selectFrom('search_text').select('text').execute();
  const known = texts.map(({ text }) => text);
  assert.deepEqual(
    [known.includes('select 20 of $1'), known.includes('select 30 of $1'), known.includes('select 99 of $1')],
    [false, true, true],
  );

  await index.rebuild();
  await index.grow();
  assert.equal(await index.behind(), 0);
  assert.equal(await found({ session: 'ses_30' }), 20);
  assert.equal(
    await mirror.take({ origin, first: 200, entries: entries.slice(200, 700) }),
    entries.length,
    'what is sent again is compared where it is still here',
  );
  const wrong = ledgerLines([{ kind: 'log.heartbeat' }], { i: 10, prev: '0'.repeat(64) });
  await assert.rejects(mirror.take({ origin, first: 10, entries: wrong }), { code: 'LEDGER_TAMPERED' });
});

test('a sink that begins after old entries were removed gets everything that is left', async () => {
  const { read } = openBatchReader(store.db);
  const entries = 2_001;
  const seen: number[] = [];
  for (let next = 0; next < entries; ) {
    const batch = await read({ cursor: { origin, vkey: 'k', next, sent: 0, entries }, entriesMax: 100, wanted: () => true });
    assert.ok(batch !== undefined && batch.to > next, `stuck at ${next}`);
    seen.push(...batch.events.map(({ i }) => i));
    next = batch.to;
  }
  assert.deepEqual([...new Set(seen.map((i) => Math.floor(i / 256)))], [0, 2, 6, 7]);
  assert.equal(new Set(seen).size, seen.length);
});

test('the control plane writes down how far mirror and sinks are', async () => {
  const config = await testConfig(server);
  writeFileSync(
    join(config.home, 'sinks.yaml'),
    `sinks:\n  - { name: fast, type: file, path: ${config.home}/fast.jsonl }\n  - { name: stuck, type: file, path: ${config.home}/none/x.jsonl }\n`,
  );
  const control = await startTestControl(config);
  const gateway = await TestGateway.join(config);
  await gateway.call('ledger.entries', { origin: gateway.origin, first: 0, entries: lines().slice(0, 40) });
  await gateway.end();
  await control.stop();
  const again = await startTestControl(config);
  const path = join(config.home, 'delivered.json');
  const log = { origin: gateway.origin, vkey: 'key-1', sinksFile: join(config.home, 'sinks.yaml') };
  const told = await until(
    () =>
      readFileSync(path, 'utf8').includes('"mirrored": 40') && deliveredBelow(path, log).waitsFor === 'the sink stuck' ? true : undefined,
    { deadlineMs: 15_000 },
  );
  assert.ok(told, readFileSync(path, 'utf8'));
  assert.equal(deliveredBelow(path, log).below, 0);
  await again.stop();
});
