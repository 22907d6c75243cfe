import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { equals } from './equality.ts';
import { evaluateLine } from './evaluate-line.ts';
import { fromTaggedJson, toTaggedJson } from './tagged-json.ts';

const line = (expr: string, bindings: unknown = {}, more: object = {}): string => JSON.stringify({ expr, bindings, ...more });

test('every type of CEL has its own form', () => {
  const forms: readonly [string, unknown][] = [
    ['null', null],
    ['true', true],
    ['1 + 2', 3],
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', { int: '9007199254740992' }],
    ['-9223372036854775808', { int: '-9223372036854775808' }],
    ['7u', { uint: 7 }],
    ['18446744073709551615u', { uint: '18446744073709551615' }],
    ['1.0', { double: 1 }],
    ['-0.0', { double: '-0' }],
    ['0.0 / 0.0', { double: 'NaN' }],
    ['-1.0 / 0.0', { double: '-Infinity' }],
    ['"é"', 'é'],
    [String.raw`b'\xff\x00a'`, { bytes: '/wBh' }],
    ['timestamp("2024-01-02T03:04:05.6Z")', { timestamp: '2024-01-02T03:04:05.6Z' }],
    ['duration("90s")', { duration: '90s' }],
    ['type(1)', { type: 'int' }],
    ['optional.none()', { optional: [] }],
    ['optional.of([1])', { optional: [[1]] }],
    ['[1, 1.0, 1u]', [1, { double: 1 }, { uint: 1 }]],
    [
      '{"int": 5, 1: "a", true: null}',
      {
        map: [
          ['int', 5],
          [1, 'a'],
          [true, null],
        ],
      },
    ],
    ['ip("10.0.0.1")', { ip: '10.0.0.1' }],
  ];
  for (const [expr, value] of forms) assert.deepEqual(JSON.parse(JSON.stringify(evaluateLine(line(expr)))), { value }, expr);
});

test('bindings come in with the types they were written with', () => {
  const bindings = {
    i: 1,
    d: { double: 1 },
    u: { uint: '5' },
    big: { int: '9007199254740993' },
    m: { a: { b: 2 } },
    x: { map: [['int', 5]] },
  };
  assert.deepEqual(evaluateLine(line('[type(i), type(d), type(u)]', bindings)), {
    value: [{ type: 'int' }, { type: 'double' }, { type: 'uint' }],
  });
  assert.deepEqual(evaluateLine(line('big + 1', bindings)), { value: { int: '9007199254740994' } });
  assert.deepEqual(evaluateLine(line('m.a.b + x["int"]', bindings)), { value: 7 });
  assert.deepEqual(evaluateLine(line('y', { 'a.b.y': true }, { container: 'a.b' })), { value: true });
});

test('a bad line is answered with what is wrong and where', () => {
  const errors: readonly [string, string, RegExp][] = [
    ['{', 'input', /not JSON/],
    ['[]', 'input', /not a JSON object/],
    ['{"expr": 1}', 'input', /"expr"/],
    [line('x', { x: { uint: -1 } }), 'input', /binding "x": .*range/],
    [line('x', { x: { bytes: '?' } }), 'input', /base64/],
    [line('x', { x: { timestamp: 'soon' } }), 'input', /RFC 3339/],
    ['{"expr":"x","bindings":{"x":9007199254740993}}', 'input', /exactly/],
    [line('1 +'), 'compile', /./],
    [line('1 / 0'), 'evaluate', /./],
  ];
  for (const [text, stage, message] of errors) {
    const answer = evaluateLine(text);
    assert.ok('error' in answer, text);
    assert.equal(answer.error.stage, stage, text);
    assert.match(answer.error.message, message, text);
  }
  assert.deepEqual(Object.keys(evaluateLine(line('1 +', {}, { id: 'a' }))), ['id', 'error']);
});

test('an expression that does not pass the check has the value that evaluation gives it, and is said not to have passed', () => {
  for (const [text, value] of [
    ['[1] == [1.0]', true],
    ['false && 32', false],
    ['x || true', true],
    ['"a".matches("[") || true', true],
    ['true ? "cows" : 17', 'cows'],
  ] as const) {
    const answer = evaluateLine(line(text));
    assert.ok('value' in answer, text);
    assert.equal(answer.value, value, text);
    assert.equal(answer.unchecked?.stage, 'compile', text);
    const strict = evaluateLine(line(text, {}, { check: true }));
    assert.ok('error' in strict && strict.error.stage === 'compile', text);
  }
  for (const text of ['x', '1 + "a"', 'f(1)', 'true && 1']) {
    const answer = evaluateLine(line(text));
    assert.ok('error' in answer && answer.error.stage === 'compile', text);
  }
});

test('whatever JSON comes in, what goes out reads back as the same value', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (json) => {
      let value;
      try {
        value = fromTaggedJson(json);
      } catch {
        return;
      }
      const back = fromTaggedJson(JSON.parse(JSON.stringify(toTaggedJson(value))));
      assert.equal(equals(value, back), true);
    }),
  );
});

test('bytes survive base64', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      assert.deepEqual(toTaggedJson(bytes), { bytes: Buffer.from(bytes).toString('base64') });
      assert.deepEqual(fromTaggedJson(toTaggedJson(bytes)), bytes);
    }),
  );
});
