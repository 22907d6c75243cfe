import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileGlob, labelMatches } from './glob.ts';
import { compileJsonSchema } from './json-schema.ts';
import { compileLine, compilePath } from './matcher.ts';
import { inNetwork, parseNetwork } from './network.ts';

test('a star stays within a path segment, two stars do not', () => {
  assert.ok(labelMatches('pii.*', 'pii.email'));
  assert.ok(labelMatches('pii.*', 'pii.contact.email'));
  assert.ok(!labelMatches('pii.*', 'pi.email'));
  assert.ok(!compileGlob('/repos/*')('/repos/a/b'));
  assert.ok(compileGlob('/repos/**')('/repos/a/b'));
  assert.ok(compileGlob('/a/*/c')('/a/b/c'));
  assert.ok(!compileGlob('/a/*/c')('/a/b/b/c'));
  assert.ok(compileGlob('**/c')('/a/b/c'));
  assert.ok(!compileGlob('a.c')('abc'));
});

/** Globs by plain recursion: exponential, and obviously right. */
function slowly(glob: string, text: string): boolean {
  if (glob === '') return text === '';
  if (glob.startsWith('**')) return slowly(glob.slice(2), text) || (text !== '' && slowly(glob, text.slice(1)));
  if (glob.startsWith('*')) return slowly(glob.slice(1), text) || (text !== '' && text[0] !== '/' && slowly(glob, text.slice(1)));
  return text !== '' && glob[0] === text[0] && slowly(glob.slice(1), text.slice(1));
}

test('the glob matcher agrees with plain recursion', () => {
  const glob = fc
    .array(fc.constantFrom('a', 'b', '/', '*', '**'), { maxLength: 6 })
    .map((parts) => parts.join('').replaceAll(/\*{3,}/g, '**'));
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 8 });
  fc.assert(
    fc.property(glob, text, (pattern, candidate) => compileGlob(pattern)(candidate) === slowly(pattern, candidate)),
    { numRuns: 2000 },
  );
});

test('a hostile glob costs no more than its length times the text', () => {
  const before = process.cpuUsage();
  assert.equal(compileGlob('*a'.repeat(60))('a'.repeat(2000).concat('b')), false);
  assert.ok(process.cpuUsage(before).user < 2_000_000);
});

const within = (network: string, address: string): boolean => inNetwork(parseNetwork(network) ?? assert.fail(network), address);

test('networks hold addresses of their family, however they are written', () => {
  assert.ok(within('10.0.0.0/8', '10.255.1.2'));
  assert.ok(within('10.0.0.0/8', '10.1.2.3:51234'));
  assert.ok(!within('10.0.0.0/8', '11.0.0.1'));
  assert.ok(within('0.0.0.0/0', '1.2.3.4'));
  assert.ok(within('2001:db8::/32', '2001:db8:1::5'));
  assert.ok(within('::1', '[::1]:5432'));
  assert.ok(within('127.0.0.0/8', '::ffff:127.0.0.1'));
  assert.ok(!within('10.0.0.0/8', '010.0.0.1'));
  for (const wrong of ['10.0.0.0/33', '10.0.0', 'x', '1::2::3', '10.0.0.0/', '::/129']) assert.equal(parseNetwork(wrong), undefined, wrong);
});

test('an inherited member of an object is not an attribute', () => {
  assert.equal(compilePath('context.constructor')({ context: {} }), undefined);
  assert.equal(compilePath('context.toString.name')({ context: {} }), undefined);
  assert.deepEqual(compilePath('result.columns.labels')({ result: { columns: [{ labels: ['a'] }, { labels: ['b', 'c'] }] } }), [
    'a',
    'b',
    'c',
  ]);
});

const notX = (widening: boolean) =>
  compileLine({ path: 'context.purpose', value: { notIn: ['x'] }, data: undefined, networks: [], widening });

test('an absent attribute satisfies notIn only where that is stricter', () => {
  assert.ok(notX(false).accepts(undefined));
  assert.ok(!notX(true).accepts(undefined));
  assert.ok(notX(true).accepts('y'));
});

test('a JSON Schema keyword that is not known is a problem, never ignored', () => {
  assert.deepEqual(compileJsonSchema({ type: 'object', patternProperties: {} }).problems, [
    'schema has the keyword "patternProperties", which is not supported',
  ]);
  const { validate, problems } = compileJsonSchema({
    type: 'object',
    additionalProperties: false,
    required: ['id'],
    properties: {
      id: { type: 'string', pattern: '^a+$', maxLength: 3 },
      n: { type: 'number', exclusiveMinimum: 0, maximum: 5 },
      e: { enum: ['x', 1] },
    },
  });
  assert.deepEqual(problems, []);
  assert.ok(validate({ id: 'aaa', n: 5, e: 1 }));
  for (const wrong of [
    {},
    { id: 'aaaa' },
    { id: 'b' },
    { id: 'a', n: 0 },
    { id: 'a', n: 6 },
    { id: 'a', e: 'y' },
    { id: 'a', other: 1 },
    'a',
    null,
  ])
    assert.ok(!validate(wrong), JSON.stringify(wrong));
});
