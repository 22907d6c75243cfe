import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { limits } from '#model';
import type { Node } from './node.ts';
import { plain } from './node.ts';
import { readPlainYaml } from './plain-yaml.ts';
import { readAnyYaml } from './yaml.ts';

const numRuns = Number(process.env['YAML_RUNS'] ?? 2_000);

/** Kind, value and place of every node. */
function shape(node: Node): unknown {
  const place = [node.line, node.column];
  if (node.kind === 'scalar') return [node.value, node.start, node.end, place];
  if (node.kind === 'list') return [place, node.items.map(shape)];
  return [place, node.entries.map(({ key, keyPlace, value }) => [key, keyPlace.line, keyPlace.column, shape(value)])];
}

/** Whether the short way was taken. What it reads, the YAML reader must read without a problem and alike to the last column. */
function readsAlike(text: string): boolean {
  const file = { path: 'f', text };
  const fast = readPlainYaml(file);
  if (fast === undefined) return false;
  const { nodes, problems } = readAnyYaml(file);
  assert.deepEqual(problems, [], text);
  assert.deepEqual(fast.map(shape), nodes.map(shape), text);
  return true;
}

const root = new URL('../../../', import.meta.url).pathname;
const corpus = ['policies', 'test/corpus', 'src', 'docs']
  .flatMap((folder) => globSync(`${folder}/**/*.{yaml,yml}`, { cwd: root }))
  .sort()
  .map((path) => readFileSync(`${root}${path}`, 'utf8'));

test('every document here is read as the YAML reader reads it, most of them the short way', () => {
  const short = corpus.filter(readsAlike).length;
  assert.ok(short > corpus.length * 0.7, `${short} of ${corpus.length}`);
});

/** What breaks YAML, or means something in it; `␤` is the end of a line, `␠` a space. */
const pieces = [
  '␤ ␤␤ ␤␠ ␤␠␠ ␤␠␠␠␠ ␠ ␠␠ ---␤ ...␤ ␤---␤ %YAML␠1.1␤---␤ ␤#␠note␤ ␠#␠note : :␠ :␤ -␠ - ?␠ # ␠# , ,␠ [ ] { } [] {}',
  "&a␠ *a !t␠ !!str | |- |+ |2 > >- \" ' '' \\ \\n \\x41 \\u00e9 << <<:␠ @ ` % ~ null true False yes 0 1 -1 +1 0x1f 0o17 017 1. .5",
  '1.50 1e3 1_000 .inf .NaN -.inf 9007199254740993 2026-01-01 12:30 1:2 a␠b key:␠value␤ key:␤ key:␤␠␠-␠a␤ -␠a:␠1␤␠␠b:␠2␤ a b :a a: __proto__',
]
  .flatMap((line) => line.split(' '))
  .map((piece) => piece.replaceAll('␤', '\n').replaceAll('␠', ' '))
  .concat('\t', '\r\n', 'é', '😀', '\ufeff', '\u0085', '\u2028', '\u00a0', '\u0001');

const edit = fc.record({ at: fc.nat(), cut: fc.oneof(fc.nat(3), fc.nat(40)), put: fc.constantFrom('', ...pieces) });

/** A part of a document from here, of few lines, so that one edit matters. */
const excerpt = fc.tuple(fc.constantFrom(...corpus), fc.nat(), fc.integer({ min: 3, max: 25 })).map(([text, from, count]) => {
  const lines = text.split('\n');
  const at = from % lines.length;
  const indent = lines[at]?.search(/[^ ]|$/) ?? 0;
  return `${lines
    .slice(at, at + count)
    .map((line) => (line.slice(0, indent).trim() === '' ? line.slice(indent) : line))
    .join('\n')}\n`;
});

test('documents with mistakes in them are read alike, or left to the YAML reader', () => {
  let short = 0;
  const property = fc.property(excerpt, fc.array(edit, { maxLength: 4 }), (text, edits) => {
    let edited = text;
    for (const { at, cut, put } of edits) {
      const from = at % (edited.length + 1);
      edited = edited.slice(0, from) + put + edited.slice(from + cut);
    }
    if (readsAlike(edited)) short += 1;
  });
  fc.assert(property, { numRuns });
  assert.ok(short > numRuns / 20, `only ${short} were read the short way`);
});

test('texts made of what means something in YAML are read alike, or left to the YAML reader', () => {
  const begin = fc.constantFrom('', '', '', '- ', '  ', '  ', '  - ', '    ', '    - ', ' ');
  const key = fc.constantFrom('k#: ', 'k#: ', 'k#: ', 'k#:', '"k#": ', '', 'k#: |', 'k#: >-');
  const rest = fc.oneof(
    fc.constantFrom('', 'a', 'a b', '1'),
    fc.array(fc.constantFrom(...pieces), { maxLength: 3 }).map((parts) => parts.join('')),
  );
  const line = fc.tuple(begin, key, rest);
  let short = 0;
  const property = fc.property(fc.array(line, { maxLength: 6 }), (lines) => {
    if (readsAlike(lines.map(([indent, name, text], n) => `${indent}${name.replace('#', String(n))}${text}\n`).join(''))) short += 1;
  });
  fc.assert(property, { numRuns });
  assert.ok(short > numRuns / 100, `only ${short} were read the short way`);
});

test('scalars of any form are read alike, or left to the YAML reader', () => {
  const text = fc.oneof(
    fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 3 }).map((parts) => parts.join('')),
    fc.string({ unit: fc.constantFrom(...'aeExXoO01.+-_:#,[]{} \'"|>\\/*&!%@~nulT') }),
  );
  const frame = fc.constantFrom(
    (scalar: string) => `a: ${scalar}\n`,
    (scalar: string) => `a:\n  - ${scalar}\nb: 1\n`,
    (scalar: string) => `a: [x, ${scalar}]\n`,
    (scalar: string) => `a: { b: ${scalar}, c: d }\n`,
    (scalar: string) => `${scalar}: a\n`,
    (scalar: string) => `a: { ${scalar}: 1 }\n`,
    (scalar: string) => `a: |\n  ${scalar}\n  b\nc: >-\n  ${scalar}\n  d\n`,
  );
  fc.assert(
    fc.property(text, frame, (scalar, framed) => void readsAlike(framed(scalar))),
    { numRuns },
  );
});

test('what the YAML writer writes is read alike', () => {
  const value = fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue({ maxDepth: 4 }), { minKeys: 1, maxKeys: 5 });
  fc.assert(
    fc.property(value, fc.constantFrom(40, 140), fc.boolean(), (data, lineWidth, indentSeq) => {
      readsAlike(stringify(data, { lineWidth, indentSeq }));
    }),
    { numRuns: Math.min(numRuns, 1_000) },
  );
});

test('ordinary policies are read the short way', () => {
  const text = [
    '# A comment',
    'kind: Policy',
    "metadata: { name: 'it''s', labels: [a, \"b\\n\", 1, -2.5, true, null] }",
    'spec:',
    '  rules:',
    '  - id: one # first',
    '    when: >-',
    '      a &&',
    '      b',
    '    text: |',
    '      x: 1',
    '',
    '        y # no comment',
    '  - id: two',
    '---',
    'kind: Other',
    '',
  ].join('\n');
  assert.ok(readsAlike(text));
  assert.deepEqual(readPlainYaml({ path: 'f', text })?.map(plain), [
    {
      kind: 'Policy',
      metadata: { name: "it's", labels: ['a', 'b\n', 1, -2.5, true, null] },
      spec: { rules: [{ id: 'one', when: 'a && b', text: 'x: 1\n\n  y # no comment\n' }, { id: 'two' }] },
    },
    { kind: 'Other' },
  ]);
});

test('what is doubtful is left to the YAML reader', () => {
  const texts = [
    ...['a: 1', 'a:\n', '- a\n', '[a]\n', 'a: &x 1\n', 'a: *x\n', 'a: !t 1\n', '<<: {}\n', 'a: 1\na: 2\n', 'null: 1\n', '1: a\n', '? a\n'],
    ...[
      'a: b: c\n',
      'a: b\n  c\n',
      'a: |+\n  b\n',
      'a: |2\n  b\n',
      'a: >\n  b\n\n  c\n',
      'a: "b\n  c"\n',
      'a: 0x10\n',
      'a: 1e3\n',
      'a: 007\n',
    ],
    ...[
      'a:\t1\n',
      'a: 1\r\n',
      '\ufeffa: 1\n',
      '%YAML 1.1\n---\na: 1\n',
      'a: 1\n...\n',
      '--- a\n',
      ' a: 1\nb: 2\n',
      'a:\n    b: 1\n   c: 2\n',
      'a: [1\n',
    ],
    `${Array.from({ length: limits.documentDepthMax + 1 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')} x\n`,
    `${'a: { a: { a: { '.repeat(40)}b: 1${' } } }'.repeat(40)}\n`,
  ];
  for (const text of texts) assert.equal(readPlainYaml({ path: 'f', text }), undefined, text.slice(0, 40));
});
