import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { sql } from 'kysely';
import { readLedgerSettings, realWorld } from '#host';
import { encodePieces, openLedger, sealedBytes, sessionKey, type Ledger } from '#ledger';
import { Fault, type SealedPlace } from '#model';
import { receiverPackages, startObjectStore, storeKeys, storeRegion } from '../../sinks/testing/object-store.ts';
import { openStore } from '../../store/database.ts';
import type { TestControl, TestServer } from '../../testing/installation.ts';
import { collectingLog, startTestControl, startTestServer, testConfig } from '../../testing/installation.ts';
import { TestGateway } from '../../testing/gateway.ts';
import { bucketPlace } from './bucket-place.ts';
import { sha256 } from './copies.ts';

let server: TestServer;
let control: TestControl;
let gateway: Awaited<ReturnType<typeof TestGateway.join>>;
let ledger: Ledger;
let sent = 0;

const origin = 'ledger.local/gateway-1';
const place = (): { directory: string; keys: string; origin: string } => ({
  directory: join(control.config.home, 'gw'),
  keys: join(control.config.home, 'gw-keys'),
  origin,
});

before(async () => {
  server = await startTestServer();
  control = await startTestControl(await testConfig(server));
  const onFatal = (fault: Fault): never => assert.fail(fault);
  ledger = await openLedger({ ...place(), world: realWorld, build: 'test', inline: true, onFatal });
  gateway = await TestGateway.join(control.config);
  answerTruly();
});
after(async () => {
  await gateway?.end();
  await ledger?.close();
  await control?.stop();
  await server?.stop();
});

/** What the gateway answers, changed on its way. It answers at once, so what it reads is read beforehand. */
function answerTruly(change: (bytes: Buffer) => Buffer | undefined = (bytes) => bytes): void {
  gateway.answers['evidence.sealed'] = ({ session, wanted }: { session: string; wanted: readonly SealedPlace[] }) => {
    const key = sessionKey(place(), session);
    const items = wanted.map((one) => prepared.get(JSON.stringify([session, one])));
    const given = items.map((one) => (one === undefined ? undefined : change(one))?.toString('base64') ?? null);
    return { items: given, ...(key === undefined ? {} : { key: key.toString('base64') }) };
  };
}
const prepared = new Map<string, Buffer>();

/** Records chunks of a session, and ships everything. */
async function record(session: string, sizes: readonly number[]): Promise<void> {
  await ledger.append({
    kind: 'session.opened',
    session,
    who: { subject: 'user:engineer', groups: [], authentication: 'test', source: 'here' },
    what: { point: 'postgres', resource: 'pg:orders', client: 'test' },
    policy: 'sha256:0',
  });
  for (const [k, size] of sizes.entries())
    await ledger.keepChunk(
      { kind: 'recording.chunk', session, chunk: k + 1, from: 1, to: 1, in: 0, out: size },
      encodePieces([{ direction: 'out', at: 1, bytes: Buffer.alloc(size, `chunk ${k} `) }]),
    );
  await ship();
}

async function ship(): Promise<void> {
  const entries = await ledger.read(sent, 1_000);
  for (const line of entries) {
    const { kind, session, stored } = JSON.parse(line);
    if (kind !== 'recording.chunk' || stored.at === undefined) continue;
    const wanted = { at: stored.at, bytes: stored.bytes };
    const [bytes] = await sealedBytes(place(), session, [wanted]);
    if (bytes !== undefined) prepared.set(JSON.stringify([session, wanted]), bytes);
  }
  await gateway.call('ledger.entries', { origin, first: sent, entries });
  sent += entries.length;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, `waited in vain; ${control.log.lines.slice(-3).join('\n')}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const kept = (): string[] =>
  readdirSync(join(control.config.home, 'recordings'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
const keys = (): string[] =>
  readdirSync(join(control.config.keys, 'copies'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
const alarms = (): string[] => control.log.lines.filter((line) => line.startsWith('error'));

async function copied(): Promise<void> {
  await until(async () => {
    const store = await openStore(control.config.database, { world: realWorld, log: collectingLog() });
    try {
      const { rows } = await sql<{ behind: number }>`
        select count(*) as behind from record
        where origin = ${origin} and kind in ('recording.chunk', 'evidence.shredded')
          and i >= coalesce((select next from recording_copy where origin = ${origin}), 0)`.execute(store.db);
      return rows[0]?.behind === 0;
    } finally {
      await store.close();
    }
  });
}

test('large chunks and the key of their session are kept, and small ones need the key alone', async () => {
  await record('ses_large', [60_000, 100, 60_000]);
  await record('ses_small', [100]);
  await copied();
  assert.equal(kept().length, 2);
  assert.deepEqual(keys().sort(), ['ses_large.key', 'ses_small.key']);
  for (const name of kept()) assert.match(name, /^[0-9a-f]{64}$/);
});

test('what the gateway gives is compared with the record: changed or missing bytes are an alarm and are not kept', async () => {
  const before = kept().length;
  answerTruly((bytes) => Buffer.concat([bytes.subarray(0, -1), Buffer.from('!')]));
  await record('ses_changed', [60_000]);
  await copied();
  answerTruly(() => undefined);
  await record('ses_missing', [60_000]);
  await copied();
  answerTruly();
  assert.equal(kept().length, before);
  assert.match(alarms()[0] ?? '', /ses_changed is not what was recorded: its hash differs/);
  assert.match(alarms()[1] ?? '', /ses_missing is not on the gateway's disk any more/);
});

test('copies go when their records have left the mirror', async () => {
  const [leaving = ''] = kept();
  const store = await openStore(control.config.database, { world: realWorld, log: collectingLog() });
  await store.db.insertInto('recording_leaving').values({ hash: leaving }).execute();
  await record('ses_bell', [100]);
  await until(() => !kept().includes(leaving));
  await until(async () => (await store.db.selectFrom('recording_leaving').selectAll().execute()).length === 0);
  await store.close();
});

test('when the ledger says that a session was erased, the copy of its key is erased', async () => {
  await ledger.append({ kind: 'evidence.shredded', session: 'ses_small', by: 'operator', reason: 'asked for' });
  await ship();
  await until(() => !keys().includes('ses_small.key'));
  assert.ok(keys().includes('ses_large.key'));
});

const receivers = receiverPackages();

test('a bucket keeps, gives back and removes', { skip: receivers.without ?? false }, async () => {
  const s3 = await startObjectStore(receivers.folder ?? '', ['recordings']);
  try {
    const folder = control.config.home;
    writeFileSync(join(folder, 'id'), storeKeys.accessKeyId);
    writeFileSync(join(folder, 'secret'), storeKeys.secretAccessKey);
    writeFileSync(join(folder, 'wrong'), 'another secret');
    const path = join(folder, 'bucket.yaml');
    const keysOf = `accessKeyId: "file:${folder}/id", secretAccessKey: "file:${folder}/secret"`;
    writeFileSync(path, `recordings: { bucket: { endpoint: "${s3.url.href}", region: ${storeRegion}, bucket: recordings, ${keysOf} } }\n`);
    const { bucket } = readLedgerSettings(path).recordings;
    assert.ok(bucket !== undefined);
    const there = bucketPlace(bucket, realWorld);
    // More than one answer of a sink may have, and no text.
    const bytes = Buffer.alloc(2_000_000, Buffer.from([0xff, 0x00, 0x80]));
    const hash = sha256(bytes);
    assert.deepEqual([await there.has(hash), await there.read(hash)], [false, undefined]);
    await there.keep(hash, bytes);
    await there.keep(hash, bytes);
    assert.equal(await there.has(hash), true);
    assert.ok((await there.read(hash))?.equals(bytes));
    await there.remove(hash);
    await there.remove(hash);
    assert.equal(await there.has(hash), false);
    await assert.rejects(bucketPlace({ ...bucket, bucket: 'elsewhere' }, realWorld).keep(hash, bytes), /no bucket|404|NoSuchBucket/);
    writeFileSync(join(folder, 'other'), 'another secret');
    await assert.rejects(bucketPlace({ ...bucket, secretAccessKey: `file:${folder}/other` }, realWorld).keep(hash, bytes), /403/);
  } finally {
    await s3.stop();
  }
});
