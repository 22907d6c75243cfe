import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');

test('every test that docs/guarantees.md names is there', () => {
  const named = [...readFileSync(join(root, 'docs/guarantees.md'), 'utf8').matchAll(/^- `([^`]+)`: (.+)$/gm)];
  assert.ok(named.length > 60);
  const missing = named.filter(([, file = '', name = '']) => !readFileSync(join(root, file), 'utf8').includes(name));
  assert.deepEqual(
    missing.map(([line]) => line),
    [],
  );
});

test('every promise in docs/guarantees.md names a test', () => {
  const [promised = ''] = readFileSync(join(root, 'docs/guarantees.md'), 'utf8').split('## What is not promised');
  const promises = promised.split(/^(?=\*\*)/m).slice(1);
  assert.ok(promises.length > 25);
  assert.deepEqual(
    promises.filter((promise) => !/^- `[^`]+`: ./m.test(promise)).map((promise) => promise.split('\n')[0]),
    [],
  );
});
