import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readLedgerSettings, realWorld } from '#host';
import type { ObjectStore } from '../../sinks/testing/object-store.ts';
import { receiverPackages, startObjectStore, storeKeys, storeRegion } from '../../sinks/testing/object-store.ts';
import type { AnchorPlace } from './anchor.ts';
import { s3Anchor } from './s3-anchor.ts';

const receivers = receiverPackages();
const skip = receivers.without ?? false;
const origin = 'ledger.test/anchored';
let store: ObjectStore;
let scratch = '';

before(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'warder-s3-anchor-'));
  if (receivers.folder !== undefined) store = await startObjectStore(receivers.folder, ['evidence']);
});
after(async () => {
  await store?.stop();
  rmSync(scratch, { recursive: true, force: true });
});

function anchor(settings: { bucket?: string; secret?: string } = {}): AnchorPlace {
  const { bucket = 'evidence', secret = storeKeys.secretAccessKey } = settings;
  writeFileSync(join(scratch, 'id'), `${storeKeys.accessKeyId}\n`);
  writeFileSync(join(scratch, 'secret'), `${secret}\n`);
  const s3 = {
    endpoint: store.url.origin,
    region: storeRegion,
    bucket,
    prefix: 'checkpoints/',
    accessKeyId: `file:${scratch}/id`,
    secretAccessKey: `file:${scratch}/secret`,
    retainDays: 30,
  };
  const path = join(scratch, 'ledger.yaml');
  // JSON is YAML.
  writeFileSync(path, JSON.stringify({ anchors: [{ s3 }] }));
  const [found] = readLedgerSettings(path).anchors;
  assert.ok(found !== undefined && 's3' in found);
  return s3Anchor(found.s3, realWorld);
}

const note = (size: number): string => `${origin}\n${size}\nc29qenRpaXdYWnVBN3ppbnRrUEZ1Mm5rb2hNYjFudG4=\n\n— ${origin} AAAA\n`;

test('a real object store keeps checkpoints, and shows the newest of a log first', { skip }, async () => {
  const place = anchor();
  assert.equal(await place.last(origin), undefined);
  for (const size of [9, 10, 200_000, 99_999]) await place.keep(note(size));
  assert.equal(await place.last(origin), note(200_000));
  assert.equal(await place.last('ledger.test/other'), undefined);
  await place.keep(note(200_000));
  assert.equal(await place.last(origin), note(200_000), 'the same again, as after an answer that was lost');
});

test('another secret or a bucket that is not there is a failure with its reason and no secret', {
  skip,
}, async () => {
  const wrong: [Parameters<typeof anchor>[0], RegExp][] = [
    [{ secret: 'another secret' }, / answered 403 SignatureDoesNotMatch$/],
    [{ bucket: 'nowhere' }, / answered 404 NoSuchBucket$/],
  ];
  for (const [settings, message] of wrong) {
    await assert.rejects(anchor(settings).keep(note(1)), (error: Error) => {
      assert.match(error.message, message);
      return !error.message.includes('secret');
    });
  }
});
