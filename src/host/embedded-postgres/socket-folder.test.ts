import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { socketFolder } from './socket-folder.ts';

test('a short path is used as it is, a long one gets a private short folder that stays the same', (t) => {
  const base = mkdtempSync(join(tmpdir(), 'warder-test-'));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  assert.equal(socketFolder(join(base, 's'), '.s.PGSQL.5432'), join(base, 's'));
  const long = join(base, 'x'.repeat(100));
  const short = socketFolder(long, '.s.PGSQL.5432');
  t.after(() => rmSync(short, { recursive: true, force: true }));
  assert.ok(short.length < 90);
  assert.equal(statSync(short).mode & 0o777, 0o700);
  assert.equal(socketFolder(long, '.s.PGSQL.5432'), short);
});

test('a short folder that others can open is refused', (t) => {
  const long = join(tmpdir(), `warder-test-${process.pid}-${'y'.repeat(100)}`);
  const short = socketFolder(long, 'link.sock');
  t.after(() => rmSync(short, { recursive: true, force: true }));
  chmodSync(short, 0o755);
  assert.throws(() => socketFolder(long, 'link.sock'), /not private/);
});
