import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ledgerEntries } from './ledger-entries.ts';

async function listed(entries: AsyncIterable<string>): Promise<string[]> {
  const list: string[] = [];
  for await (const entry of entries) list.push(entry);
  return list;
}

test('entries are read from the widest bundles of every ledger below a folder', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'warder-entries-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const entries = (...texts: string[]) => Buffer.concat(texts.flatMap((text) => [Buffer.from([0, text.length]), Buffer.from(text)]));
  for (const [name, bytes] of [
    ['000', entries('a', 'b')],
    ['001.p/1', entries('c')],
    ['001.p/2', entries('c', 'd')],
    ['001.p/2.tmp', entries('x')],
  ] as const) {
    mkdirSync(join(folder, 'home/gateway/ledger/tile/entries', name, '..'), { recursive: true });
    writeFileSync(join(folder, 'home/gateway/ledger/tile/entries', name), bytes);
  }
  assert.deepEqual(await listed(ledgerEntries(join(folder, 'home'))), ['a', 'b', 'c', 'd']);
  writeFileSync(join(folder, 'lines.jsonl'), 'one\ntwo\n');
  mkdirSync(join(folder, 'style'));
  assert.deepEqual(await listed(ledgerEntries(join(folder, 'lines.jsonl'))), ['one', 'two']);
  await assert.rejects(listed(ledgerEntries(join(folder, 'style'))), /no ledger/);
});
