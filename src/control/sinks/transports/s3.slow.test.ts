import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { realWorld } from '#host';
import type { Loose } from '../../testing/loose.ts';
import { privacyOf } from '../privacy.ts';
import type { Transport } from '../sink.ts';
import { sampleFacts } from '../testing/facts.ts';
import type { ObjectStore } from '../testing/object-store.ts';
import { receiverPackages, startObjectStore, storeKeys, storeRegion } from '../testing/object-store.ts';
import { s3Transport } from './s3.ts';

const receivers = receiverPackages();
const skip = receivers.without ?? false;
const never = new AbortController().signal;
const events = sampleFacts().map(privacyOf({}, new Uint8Array(32)));
let store: ObjectStore;

before(async () => {
  if (receivers.folder !== undefined) store = await startObjectStore(receivers.folder, ['audit']);
});
after(() => store?.stop());

function sink({
  bucket = 'audit',
  prefix = 'warder/',
  secret = storeKeys.secretAccessKey as string,
  region = storeRegion,
} = {}): Transport {
  const keys = { accessKeyId: () => storeKeys.accessKeyId, secretAccessKey: () => secret };
  return s3Transport({ endpoint: store.url, region, bucket, prefix, ...keys, format: 'ocsf' }, realWorld);
}

/** Names of the objects, as a listing says them. */
async function names(prefix: string): Promise<string[]> {
  const { body } = await store.call('GET', `/audit?list-type=2&prefix=${encodeURIComponent(prefix)}`);
  return [...body.matchAll(/<Key>([^<]+)<\/Key>/g)].map(([, key = '']) => key.replaceAll('&#x27;', "'"));
}

/** S3 signs a path in which everything but letters, digits and `-._~` is escaped. */
function escaped(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

async function lines(name: string): Promise<Loose[]> {
  const { status, headers, body } = await store.call('GET', `/audit/${name.split('/').map(escaped).join('/')}`);
  assert.deepEqual([status, headers.get('content-type')], [200, 'application/x-ndjson']);
  return body
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

test('a real object store accepts the signature, and gives back every event of a batch', { skip }, async () => {
  assert.deepEqual(await sink().deliver(events, never), { kind: 'taken' });
  const [name, ...more] = await names('warder/');
  assert.deepEqual(more, []);
  assert.match(name ?? '', /^warder\/ledger\.local\/gateway-1\/1970-01-01\/000000000000-\d{12}-[0-9a-f]{16}\.jsonl$/);
  assert.deepEqual(
    (await lines(name ?? '')).map((event) => event.metadata.uid),
    events.map((event) => event.key),
  );
});

test('a batch that is repeated replaces itself, and another one does not', { skip }, async () => {
  const again = sink({ prefix: 'again/' });
  for (const batch of [events.slice(0, 4), events.slice(0, 4), events.slice(4)])
    assert.deepEqual(await again.deliver(batch, never), { kind: 'taken' });
  const found = await Promise.all((await names('again/')).sort().map(lines));
  assert.deepEqual(
    found.flat().map((event) => event.metadata.uid),
    events.map((event) => event.key),
  );
});

test('a folder may have a name that must be escaped', { skip }, async () => {
  const prefix = "à côté/50% + more/it's (here)*!/~";
  assert.deepEqual(await sink({ prefix }).deliver(events, never), { kind: 'taken' });
  const [name = ''] = await names(prefix);
  assert.ok(name.startsWith(prefix), name);
  assert.equal((await lines(name)).length, events.length);
});

test('a store that refuses has got nothing, and it is not the fault of the batch', { skip }, async () => {
  for (const wrong of [{ secret: 'another secret' }, { bucket: 'nowhere' }, { region: 'us-east-1' }]) {
    const result = await sink({ ...wrong, prefix: 'refused/' }).deliver(events, never);
    const what = JSON.stringify([wrong, result]);
    assert.ok(result.kind === 'failed' && result.arrived === 'nothing', what);
    assert.ok(!result.why.includes('secret'), what);
  }
  assert.deepEqual(await names('refused/'), []);
});
