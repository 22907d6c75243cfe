import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { Fault } from '#model';
import { readSettings } from './settings-file.ts';

test('a file that is not there says nothing, and one that cannot be read is never taken for that', () => {
  const folder = mkdtempSync(join(tmpdir(), 'warder-test-'));
  const shape = z.strictObject({ keep: z.string().default('all') });
  const read = (name: string): unknown => readSettings({ path: join(folder, name), guide: 'docs/x.md' }, shape);
  const refused = (words: RegExp) => (fault: unknown) =>
    fault instanceof Fault && fault.code === 'CONFIG_INVALID' && words.test(fault.message);
  try {
    assert.equal(read('absent.yaml'), undefined);
    writeFileSync(join(folder, 'empty.yaml'), '# nothing\n');
    assert.deepEqual(read('empty.yaml'), { keep: 'all' });
    writeFileSync(join(folder, 'wrong.yaml'), 'keeep: x\n');
    assert.throws(() => read('wrong.yaml'), refused(/wrong\.yaml: .*keeep.*docs\/x\.md/));
    writeFileSync(join(folder, 'broken.yaml'), '{');
    assert.throws(() => read('broken.yaml'), refused(/it is not YAML/));
    mkdirSync(join(folder, 'folder.yaml'));
    assert.throws(() => read('folder.yaml'), refused(/cannot be read/));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
