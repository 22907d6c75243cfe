import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Fault } from '#model';
import { readSecret, variablesNamedIn } from './secret-reference.ts';

test('a process gets the variables that its configuration names, and no others', () => {
  const folder = mkdtempSync(join(tmpdir(), 'warder-test-'));
  try {
    const path = join(folder, 'sinks.yaml');
    writeFileSync(
      path,
      'sinks:\n  # - token: env:OLD_TOKEN\n  - { name: a, token: env:A_TOKEN, sasl: { password: "env:B_2" } } # env:C\n  - secret: file:/run/env:D\n    token: env:A_TOKEN\n',
    );
    assert.deepEqual(variablesNamedIn(path, join(folder, 'nothing.yaml')), ['A_TOKEN', 'B_2', 'C', 'D']);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a secret is what the reference leads to, and a message names the reference only', () => {
  process.env['WARDER_TEST_SECRET'] = ' s3cret\n';
  assert.equal(readSecret('env:WARDER_TEST_SECRET'), 's3cret');
  delete process.env['WARDER_TEST_SECRET'];
  for (const reference of ['env:WARDER_TEST_SECRET', 'file:/nowhere/at/all', 'plain'])
    assert.throws(
      () => readSecret(reference),
      (fault: unknown) => fault instanceof Fault && fault.code === 'CONFIG_INVALID',
    );
});
