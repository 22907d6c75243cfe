import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readDocuments } from './document.ts';
import { formatFile } from './canonical-style.ts';
import { runCases } from '../cases/run.ts';
import { kinds } from './kinds/index.ts';
import { targets } from './kinds/policy.ts';
import { policyPages } from './pages.ts';
import { templateOf } from './templates.ts';
import { digestOf } from '../digest.ts';

const root = join(import.meta.dirname, '../../..');
const files = ['policies', 'src/policy/cases/fixtures'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.ya?ml$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path, text: readFileSync(path, 'utf8') })),
);

function formatted(text: string): string {
  const result = formatFile({ path: 'f', text });
  assert.ok(result.ok, JSON.stringify(result));
  return result.text;
}

const comments = (text: string): string[] => [...text.matchAll(/(?:^|\s)#.*$/gm)].map(([comment]) => comment.trim()).sort();

test('formatting keeps what the shipped documents say and their comments, and once is enough', () => {
  for (const file of files) {
    const once = formatted(file.text);
    assert.equal(formatted(once), once, file.path);
    const digest = (text: string) => digestOf(readDocuments([{ path: 'f', text }]).documents);
    assert.equal(digest(once), digest(file.text), file.path);
    assert.deepEqual(comments(once), comments(file.text), file.path);
  }
});

test('keys stand in the order of the schema, and their comments with them', () => {
  const text =
    'kind: DataSet\napiVersion: warder/v1\nspec:\n  # the values\n  values: [a, b] # two\n\n  # whose\n  owner: team:x\nmetadata: { title: T, name: n }\n';
  assert.equal(
    formatted(text),
    'apiVersion: warder/v1\nkind: DataSet\nmetadata: { name: n, title: T }\nspec:\n  # whose\n  owner: team:x\n  # the values\n  values: [a, b] # two\n',
  );
});

test('a file that cannot be read is told about, not touched', () => {
  const result = formatFile({ path: 'f', text: 'a: [1' });
  assert.ok(!result.ok);
});

test('every kind has a template that is a document of its kind', () => {
  for (const kind of kinds) {
    const text = templateOf(kind, { name: kind === 'DataSet' ? 'my_set' : 'my-name', today: '2026-01-31', tomorrow: '2026-02-01' });
    const { documents, problems } = readDocuments([{ path: kind, text }]);
    assert.deepEqual(problems, [], text);
    assert.equal(documents[0]?.kind, kind);
    assert.equal(formatted(text).split('\n').length > 5, true);
  }
});

test('every policy has a page with its rules and their messages', () => {
  const { pages } = policyPages(files.filter(({ path }) => path.includes('/policies/databases') || path.endsWith('bundle.yaml')));
  const page = pages.find(({ name }) => name === 'unbounded-writes.md')?.text ?? '';
  assert.match(page, /^# A second person/);
  assert.match(page, /### require-approval: require/);
  assert.match(page, /\*\*When:\*\* `size\(vars\.unbounded\) > 0`/);
  assert.match(pages[0]?.text ?? '', /\[A second person.*\]\(unbounded-writes\.md\)/);
});

test('text of a policy cannot become markup of its page', () => {
  const text = templateOf('Policy', { name: 'p', today: '2026-01-01', tomorrow: '2026-01-02' }).replace(
    'Why it exists.',
    '"<script>[x](y) | `z`"',
  );
  const page = policyPages([{ path: 'p', text }]).pages[1]?.text ?? '';
  assert.match(page, /\\<script>\\\[x\\\]\(y\) \\\| \\`z\\`/);
});

test('the first policy and the first test of every target fit each other', async () => {
  for (const target of targets) {
    const values = { name: 'first', today: '2026-01-01', tomorrow: '2026-01-02', target };
    const files = (['Policy', 'PolicyTest'] as const).map((kind) => ({ path: `${kind}.yaml`, text: templateOf(kind, values) }));
    const { ok, results, problems } = await runCases(files);
    assert.ok(ok, `${target}: ${JSON.stringify([results, problems])}`);
    for (const file of files) {
      const formatted = formatFile(file);
      assert.equal(formatted.ok ? formatted.text : '', file.text);
    }
  }
});
