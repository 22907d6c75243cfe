import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compile, EvalError, parse, toPlain } from '../../cel/index.ts';
import { kubernetesDialect } from '../kubernetes/dialect.ts';
import { applyEdits, extentOf } from './edit.ts';
import { rewrite } from './rewrite.ts';

const dialect = kubernetesDialect({ params: 'data.p', variables: new Map([['isBig', 'vars.is_big']]) });

function said(source: string): string {
  const parsed = parse(source);
  assert.ok(parsed.ok);
  return applyEdits(source, rewrite(source, parsed.ast, dialect).edits).text;
}

function refused(source: string): string[] {
  const parsed = parse(source);
  assert.ok(parsed.ok);
  return rewrite(source, parsed.ast, dialect).refused.map(({ construct }) => construct);
}

function check(format: string, text: string): unknown {
  const compiled = compile(said(`!format.${format}().validate(object.x).hasValue()`), {
    variables: { object: { type: { kind: 'dyn' } } },
  });
  assert.ok(compiled.ok);
  return compiled.program.evaluate({ object: { x: text } });
}

function run(source: string, object: object): unknown {
  const compiled = compile(source, { variables: { object: { type: { kind: 'dyn' } } } });
  assert.ok(compiled.ok, `${source} compiles`);
  try {
    return toPlain(compiled.program.evaluate({ object }));
  } catch (error) {
    if (error instanceof EvalError) return error.kind;
    throw error;
  }
}

test('names of the other language become ours, unless a local hides them', () => {
  assert.equal(said('request.name == params.name'), 'admission.name == data.p.name');
  assert.equal(said('object.a.all(request, request > 1)'), 'object.a.all(request, request > 1)');
  assert.equal(said('cel.bind(params, params.x, params > 1)'), 'cel.bind(params, data.p.x, params > 1)');
  assert.equal(said('has(variables.isBig) && variables.isBig'), 'has(vars.is_big) && vars.is_big');
});

test('what may be null is not typed so narrowly that it cannot be', () => {
  assert.equal(said('params == null'), 'dyn(data.p) == null');
  assert.equal(said("object.a ? 'x' : null"), "object.a ? 'x' : dyn(null)");
});

test('numbers of a document are converted where the author counts with integers', () => {
  assert.equal(said('object.a % 2 == 1'), 'int(object.a) % 2 == 1');
  assert.equal(said('(object.a + 1) * object.b > 4'), '(int(object.a) + 1) * int(object.b) > 4');
  assert.equal(said('(has(object.a) ? object.a : object.b).c / 2'), 'int((has(object.a) ? object.a : object.b).c) / 2');
  assert.equal(said('object.a + object.b'), 'object.a + object.b');
  assert.equal(said("'a' + object.name"), "'a' + object.name");
  assert.equal(said('object.name.substring(object.n)'), 'object.name.substring(int(object.n))');
  assert.equal(said('type(object.a) != int'), '!(type(object.a) in [int, double])');
});

test('escaped property names are unescaped', () => {
  assert.equal(said('object.a__dash__b.__namespace__ == has(object.c__slash__d)'), 'object.`a-b`.namespace == has(object.`c/d`)');
  assert.equal(said('object.my__underscores__x'), 'object.my__x');
});

test('what cannot be said is refused by name', () => {
  assert.deepEqual(refused("authorizer.path('/x').check('get').allowed()"), ['authorizer']);
  assert.deepEqual(refused('variables.unknown > 1'), ['variables.unknown']);
  assert.deepEqual(refused("format.named('x').hasValue()"), ['format.named']);
  assert.deepEqual(refused('format.colour().validate(object.x).hasValue()'), ['.hasValue']);
});

test('formats of Kubernetes tell good names from bad ones', () => {
  assert.equal(check('dns1123Label', 'shop-1'), true);
  assert.equal(check('dns1123Label', 'Shop'), false);
  assert.equal(check('dns1123Label', 'a'.repeat(64)), false);
  assert.equal(check('dns1123Subdomain', 'a.b-c.d'), true);
  assert.equal(check('dns1123Subdomain', 'a..b'), false);
  assert.equal(check('dns1035Label', '1a'), false);
  assert.equal(check('dns1123LabelPrefix', 'web-'), true);
  assert.equal(check('qualifiedName', 'example.com/My.Name'), true);
  assert.equal(check('qualifiedName', 'example.com/'), false);
  assert.equal(check('labelValue', ''), true);
  assert.equal(check('uri', 'https://example.com'), true);
  assert.equal(check('uuid', '123e4567-e89b-12d3-a456-426614174000'), true);
  assert.equal(check('byte', 'YWJj'), true);
  assert.equal(check('date', '2026-13-01'), false);
});

test('the extent of an operand has its parentheses, whatever stands in strings', () => {
  const source = `(a + ")(").size() % 2`;
  const parsed = parse(source);
  assert.ok(parsed.ok && parsed.ast.kind === 'binary');
  const { start, end } = extentOf(source, parsed.ast.left);
  assert.equal(source.slice(start, end), `(a + ")(").size()`);
});

test('a place in the edited text leads back to the place it came from', () => {
  const { text, origin } = applyEdits('aa params bb', [
    { start: 3, end: 9, text: 'data.x' },
    { start: 10, end: 10, text: 'int(' },
  ]);
  assert.equal(text, 'aa data.x int(bb');
  assert.equal(origin(text.indexOf('data')), 3);
  assert.equal(origin(text.indexOf('bb')), 10);
});

test('arithmetic over documents gives what it gives over integers', () => {
  const { expression } = fc.letrec<{ expression: string }>((tie) => ({
    expression: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom('object.a', 'object.b', 'object.list[0]', '3', '7', 'size(object.list)'),
      fc.tuple(tie('expression'), fc.constantFrom('+', '-', '*', '/', '%'), tie('expression')).map(([a, op, b]) => `(${a} ${op} ${b})`),
      fc.tuple(tie('expression'), tie('expression')).map(([a, b]) => `(object.flag ? ${a} : ${b})`),
    ),
  }));
  const numbers = {
    a: fc.integer({ min: -9, max: 9 }),
    b: fc.integer({ min: -9, max: 9 }),
    list: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 3 }),
    flag: fc.boolean(),
  };
  fc.assert(
    fc.property(expression, fc.record(numbers), (source, { a, b, list, flag }) => {
      const exact = run(source, { a: BigInt(a), b: BigInt(b), list: list.map(BigInt), flag });
      const ours = run(said(source), { a, b, list, flag });
      // Zero is zero, whatever its sign.
      assert.ok(ours === exact, `${source}: ${String(ours)} is not ${String(exact)}`);
    }),
    { numRuns: 200 },
  );
});
