import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { keptCheck } from './kept-check.ts';

const root = resolve(import.meta.dirname, '../..');
const noon = Date.parse('2026-11-20T12:00:00Z');
const minuteMs = 60_000;
const home = process.cwd();
const cache = process.env['XDG_CACHE_HOME'];
let folder: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'warder-kept-'));
  process.chdir(folder);
  process.env['XDG_CACHE_HOME'] = folder;
});
after(() => {
  process.chdir(home);
  if (cache === undefined) delete process.env['XDG_CACHE_HOME'];
  else process.env['XDG_CACHE_HOME'] = cache;
  rmSync(folder, { recursive: true, force: true });
});

const found = (text: string, at: number): boolean => keptCheck(root, [{ path: 'p.yaml', text }], at).found !== undefined;
const keep = (text: string): void => keptCheck(root, [{ path: 'p.yaml', text }], noon).keep({ ok: true, problems: [] });

test('a check of unchanged files is found for ten minutes, and of changed ones never', () => {
  keep('a');
  assert.ok(found('a', noon + 9 * minuteMs));
  assert.ok(!found('a', noon + 10 * minuteMs));
  assert.ok(!found('b', noon));
  // The clock went back: what was said then is not known to hold now.
  assert.ok(!found('a', noon - 1));
});

test('a date that the files name ends what was kept', () => {
  keep('expires: 2026-11-20T12:05:00Z');
  assert.ok(found('expires: 2026-11-20T12:05:00Z', noon + 4 * minuteMs));
  assert.ok(!found('expires: 2026-11-20T12:05:00Z', noon + 5 * minuteMs));
});
