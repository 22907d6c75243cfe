import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPublicKey, verify } from 'node:crypto';
import { after, test } from 'node:test';
import { realWorld } from '#host';
import { openKeys, secretFile } from './keys.ts';
import { sealingWith } from './sealing.ts';

const folder = mkdtempSync(join(tmpdir(), 'warder-keys-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('what is sealed opens with the same key and context, and with no other', () => {
  const sealing = sealingWith(new Uint8Array(32).fill(1), realWorld);
  const sealed = sealing.seal({ password: 'geheim' }, 'resource/1');
  assert.ok(!sealed.includes('geheim'));
  assert.deepEqual(sealing.open(sealed, 'resource/1'), { password: 'geheim' });
  assert.throws(() => sealing.open(sealed, 'resource/2'), /does not open/);
  assert.throws(() => sealingWith(new Uint8Array(32).fill(2), realWorld).open(sealed, 'resource/1'), /does not open/);
});

test('every flipped bit of a sealed value is noticed', () => {
  const sealing = sealingWith(new Uint8Array(32), realWorld);
  const sealed = sealing.seal('x', 'c');
  for (let bit = 0; bit < sealed.length * 8; bit += 1) {
    const changed = Buffer.from(sealed);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.throws(() => sealing.open(changed, 'c'));
  }
});

test('keys are made once, 0600, and stay the same', () => {
  const first = openKeys(join(folder, 'keys'), realWorld);
  const second = openKeys(join(folder, 'keys'), realWorld);
  assert.deepEqual(first.seal, second.seal);
  assert.equal(first.signingPublic, second.signingPublic);
  assert.equal(statSync(join(folder, 'keys', 'store.key')).mode & 0o777, 0o600);
  assert.equal(statSync(join(folder, 'keys')).mode & 0o777, 0o700);
  const key = createPublicKey({ key: Buffer.from(first.signingPublic, 'base64'), format: 'der', type: 'spki' });
  assert.ok(verify(null, Buffer.from('text'), key, Buffer.from(second.sign(Buffer.from('text')), 'base64')));
});

test('an existing secret file is never replaced', () => {
  const path = join(folder, 'link');
  assert.equal(
    secretFile(path, () => 'first'),
    'first',
  );
  assert.equal(
    secretFile(path, () => 'second'),
    'first',
  );
});
