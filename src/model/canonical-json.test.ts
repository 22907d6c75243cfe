import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalJson } from './canonical-json.ts';

test('keys are sorted by UTF-16 code units and nothing is added', () => {
  // SPEC: RFC 8785 §3.2.3, the sorting example.
  const value = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\u{1f600}': 5, '\u0080': 6, '\u00f6': 7 };
  assert.equal(canonicalJson(value), '{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\u{1f600}":5,"\ufb33":3}');
});

test('numbers are written as ECMAScript writes them', () => {
  // SPEC: RFC 8785 §3.2.2.3
  assert.equal(canonicalJson([333333333.3333333, 1e30, 4.5, 2e-3, 1e-27, -0]), '[333333333.3333333,1e+30,4.5,0.002,1e-27,0]');
});

test('what JSON cannot carry is refused', () => {
  for (const value of [Number.NaN, Infinity, 1n, () => 1, Symbol('s'), '\ud800', { '\udc00': 1 }])
    assert.throws(() => canonicalJson(value), TypeError);
});

test('the text reads back as the same value, whatever the order of the keys', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalJson(value);
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
      assert.equal(canonicalJson(JSON.parse(text)), text);
    }),
  );
});
