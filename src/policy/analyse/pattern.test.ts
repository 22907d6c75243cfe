import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileGlob } from '../match/glob.ts';
import { alphabetOf, findString, infixPattern, Language, patternOfGlob, prefixPattern, suffixPattern } from './pattern.ts';
import type { Pattern } from './pattern.ts';
import { among, holds, network, range, solveScalar } from './scalar.ts';
import type { Clause, Domain, Test } from './scalar.ts';
import { parseNetwork } from '../match/network.ts';

const glob = fc.array(fc.constantFrom('a', 'b', '/', '*', '**'), { maxLength: 5 }).map((parts) => parts.join(''));
const text = fc.array(fc.constantFrom('a', 'b', '/', 'x'), { maxLength: 6 }).map((parts) => parts.join(''));

/** Every text over the letters that matter, up to a length that covers the automata of such short globs. */
function* texts(length: number): Generator<string> {
  yield '';
  if (length === 0) return;
  for (const rest of texts(length - 1)) if (rest.length === length - 1) for (const letter of 'ab/x') yield rest + letter;
  if (length > 1) for (const shorter of texts(length - 1)) if (shorter !== '') yield shorter;
}
const all = [...new Set(texts(6))];

test('a pattern accepts what the glob accepts', () => {
  fc.assert(
    fc.property(glob, text, (written, candidate) => {
      assert.equal(new Language([patternOfGlob(written)]).matches(candidate), compileGlob(written)(candidate));
    }),
  );
});

test('prefix, suffix and infix patterns are what startsWith, endsWith and contains say', () => {
  fc.assert(
    fc.property(text, text, (part, candidate) => {
      assert.equal(new Language([prefixPattern(part)]).matches(candidate), candidate.startsWith(part));
      assert.equal(new Language([suffixPattern(part)]).matches(candidate), candidate.endsWith(part));
      assert.equal(new Language([infixPattern(part)]).matches(candidate), candidate.includes(part));
    }),
  );
});

test('globs meet exactly where some text shows it', () => {
  fc.assert(
    fc.property(glob, glob, glob, (one, other, outside) => {
      const patterns: Pattern[] = [one, other, outside].map(patternOfGlob);
      const [a, b, c] = patterns.map((pattern) => new Language([pattern]));
      assert.ok(a !== undefined && b !== undefined && c !== undefined);
      const clauses = [
        { inside: [a], outside: [] },
        { inside: [b], outside: [] },
        { inside: [], outside: [c] },
      ];
      const found = findString(clauses, { alphabet: alphabetOf(patterns), statesMax: 10_000 });
      assert.notEqual(found, 'unknown');
      const fits = (candidate: string): boolean => a.matches(candidate) && b.matches(candidate) && !c.matches(candidate);
      if (found !== undefined && found !== 'unknown') assert.ok(fits(found.text));
      else assert.equal(all.find(fits), undefined);
    }),
    { numRuns: 200 },
  );
});

const tests: fc.Arbitrary<Test> = fc.oneof(
  fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 1, maxLength: 3 }).map((numbers) => among(numbers)),
  fc
    .tuple(fc.constantFrom('<' as const, '<=' as const, '>' as const, '>=' as const), fc.constantFrom(-2, -1, 0, 0.5, 1, 2))
    .map(([op, bound]) => range(op, bound)),
);
const clauses: fc.Arbitrary<Clause[]> = fc.array(
  fc.array(fc.record({ test: tests, negated: fc.boolean() }), { minLength: 1, maxLength: 2 }),
  {
    minLength: 1,
    maxLength: 4,
  },
);

test('numbers that satisfy intervals and sets are found exactly when there are any', () => {
  const grid = Array.from({ length: 81 }, (_, i) => (i - 40) / 4);
  fc.assert(
    fc.property(clauses, fc.constantFrom<Domain>('int', 'double'), (asked, domain) => {
      const found = solveScalar(domain, asked);
      const fits = (value: number): boolean => asked.every((clause) => clause.some((term) => holds(term.test, value) !== term.negated));
      const expected = grid.filter((value) => domain === 'double' || Number.isInteger(value)).some(fits);
      assert.equal(found !== undefined, expected);
    }),
  );
});

test('networks overlap exactly where an address lies in both', () => {
  const networks = ['10.0.0.0/8', '10.1.0.0/16', '10.2.0.0/16', '192.168.0.0/24', '0.0.0.0/0', '10.1.2.3/32', '::/0', 'fd00::/8'].map(
    (written) => {
      const parsed = parseNetwork(written);
      assert.ok(parsed !== undefined);
      return { written, test: network([parsed]) };
    },
  );
  const addresses = ['10.0.0.1', '10.1.0.1', '10.1.2.3', '10.2.0.1', '192.168.0.7', '8.8.8.8', 'fd00::1', '2001:db8::1', 'no address'];
  for (const one of networks) {
    for (const other of networks) {
      for (const negated of [false, true]) {
        const fits = (address: string): boolean => holds(one.test, address) && holds(other.test, address) !== negated;
        const found = solveScalar('string', [[{ test: one.test, negated: false }], [{ test: other.test, negated }]]);
        assert.equal(found !== undefined, addresses.some(fits), `${one.written} ${negated ? 'outside' : 'inside'} ${other.written}`);
      }
    }
  }
});
