import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readJson } from './json.ts';
import type { Node } from './node.ts';
import { plain } from './node.ts';
import { readAnyYaml } from './yaml.ts';

const anyObject = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ stringUnit: 'binary', maxDepth: 4 }));
const spaces = fc.constantFrom(undefined, 1, 2, 4);

/** Kind, value and place of every node. */
function shape(node: Node): unknown {
  const place = [node.line, node.column];
  if (node.kind === 'scalar') return [node.value, node.start, place];
  if (node.kind === 'list') return [place, node.items.map(shape)];
  return [place, node.entries.map(({ key, keyPlace, value }) => [key, keyPlace.line, keyPlace.column, shape(value)])];
}

test('JSON is read as the YAML reader reads it, with the same places', () => {
  fc.assert(
    fc.property(anyObject, spaces, (value, indent) => {
      const file = { path: 'f', text: JSON.stringify(value, null, indent) };
      const fast = readJson(file);
      if (fast === undefined) return;
      const { nodes, problems } = readAnyYaml(file);
      assert.deepEqual(problems, []);
      assert.deepEqual(shape(fast), nodes[0] && shape(nodes[0]));
    }),
    { numRuns: 500 },
  );
});

test('ordinary JSON is read the short way', () => {
  const value = { a: [1, -2.5, 1e3, true, null, 'x"\\\n\u00e9😀'], b: {}, c: [], '': 'empty' };
  for (const indent of [undefined, 2]) {
    const node = readJson({ path: 'f', text: `\n${JSON.stringify(value, null, indent)}\n` });
    assert.deepEqual(node && plain(node), value);
  }
});

test('whatever is doubtful is left to the YAML reader', () => {
  const texts = [
    'a: 1',
    '[1]',
    '{"a":1,"a":2}',
    '{"a":9007199254740993}',
    '{"a":\t1}',
    '{"a":1,}',
    '{"a":01}',
    '{"a":"\ud800"}',
    '{"a":"\\ud800"}',
    '{"<<":{}}',
    '{"a":nul}',
    '{"a":1} x',
    '{"a":1}\n---\n{}',
    '{a: 1}',
    '{"a":"\u0001"}',
    `${'{"a":'.repeat(100)}1${'}'.repeat(100)}`,
    '{"a":1 # c\n}',
    '{',
  ];
  for (const text of texts) assert.equal(readJson({ path: 'f', text }), undefined, text.slice(0, 40));
});
