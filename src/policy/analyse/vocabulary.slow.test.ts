import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspectSql, loadInspectors } from '#inspect';
import { vocabularyOf } from './vocabulary.ts';

await loadInspectors();
const root = join(import.meta.dirname, '../../..');

/** Every line, and everything in quotes, of the statement corpora and of the packs: texts that people thought worth trying. */
function texts(): Set<string> {
  const found = new Set<string>();
  for (const folder of ['test/corpus/sql', 'policies', 'src/policy/plan']) {
    for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      for (const line of readFileSync(join(entry.parentPath, entry.name), 'utf8').split('\n')) {
        found.add(line);
        for (const [, quoted = ''] of line.matchAll(/["'](.{4,})["']/g)) found.add(quoted);
      }
    }
  }
  return found;
}

test('every effect, verb and role that the inspector gives is a known word', () => {
  const unknown = new Set<string>();
  const check = (path: string, words: readonly string[]): void => {
    const known = vocabularyOf('sql', path)?.words ?? [];
    for (const word of words) if (!known.includes(word)) unknown.add(`${path} ${word}`);
  };
  for (const text of texts()) {
    const { facts } = inspectSql(text, {});
    check('sql.effects', facts.effects);
    check('sql.verbs', facts.verbs);
    check(
      'sql.columns.role',
      facts.columns.map(({ role }) => role),
    );
  }
  assert.deepEqual([...unknown], []);
});
