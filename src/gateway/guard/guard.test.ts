import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { MaskObligation, Obligation, ResultColumn } from '#model';
import { buildGuard } from './index.ts';

const key = new Uint8Array(32).fill(7);
const email: ResultColumn = { name: 'email', labels: ['pii.email'], lineage: 'exact', type: 'text' };

function mask(strategy: MaskObligation['with'], labels: readonly string[] = ['pii.*'], lineage?: 'unknown'): MaskObligation {
  return { type: 'mask', select: { columns: { labels, ...(lineage ? { lineage } : {}) } }, with: strategy };
}

/** What the first column shows of a value. `null` is NULL. */
function shown(value: string, obligations: readonly Obligation[], column: ResultColumn = email): string | null {
  const guard = buildGuard(obligations, [column], { key, rules: [] });
  const [filter] = guard.cells;
  if (!filter) return value;
  const result = filter(Buffer.from(value));
  return result === null ? null : Buffer.from(result).toString();
}

const cases: readonly (readonly [string, MaskObligation['with'], string, string | null])[] = [
  ['the domain of an address', { strategy: 'partial', keep: 'domain' }, 'ada@example.com', '***@example.com'],
  ['no part of what is no address', { strategy: 'partial', keep: 'domain' }, 'ada', '***'],
  ['the last four of a card', { strategy: 'partial', keep: 'last4' }, '4111 1111 1111 1234', '**** **** **** 1234'],
  ['nothing of a short value', { strategy: 'partial', keep: 'last4' }, '12345', '***'],
  ['the first letter', { strategy: 'partial', keep: 'first1' }, 'Ada', 'A***'],
  ['the year of a date', { strategy: 'partial', keep: 'year' }, '1987-03-12', '1987-**-**'],
  ['no year of something else', { strategy: 'partial', keep: 'year' }, '12/03/1987', '***'],
  ['a replacement', { strategy: 'redact', text: '[hidden]' }, 'ada@example.com', '[hidden]'],
  ['nothing at all', { strategy: 'drop' }, 'ada@example.com', null],
  ['all of it when the mask is none', { strategy: 'none' }, 'ada@example.com', 'ada@example.com'],
];
for (const [what, strategy, value, want] of cases) {
  test(`a mask shows ${what}`, () => assert.equal(shown(value, [mask(strategy)]), want));
}

test('equal values keep equal tokens, and other keys give other tokens', () => {
  const token = shown('ada@example.com', [mask({ strategy: 'tokenize' })]);
  assert.equal(shown('ada@example.com', [mask({ strategy: 'tokenize' })]), token);
  assert.notEqual(shown('bob@example.com', [mask({ strategy: 'tokenize' })]), token);
  const other = buildGuard([mask({ strategy: 'tokenize' })], [email], { key: new Uint8Array(32), rules: [] });
  assert.notEqual(String(other.cells[0]?.(Buffer.from('ada@example.com'))), token);
});

test('the strictest of several masks wins, whatever their order', () => {
  const masks = [mask({ strategy: 'partial', keep: 'domain' }), mask({ strategy: 'drop' }), mask({ strategy: 'hash' })];
  assert.equal(shown('ada@example.com', masks), null);
  assert.equal(shown('ada@example.com', masks.toReversed()), null);
});

test('what is computed from a labelled column is hidden whole', () => {
  for (const lineage of ['derived', 'unknown'] as const) {
    assert.equal(shown('1234', [mask({ strategy: 'partial', keep: 'last4' })], { ...email, lineage }), '***');
  }
});

test('a value that is not text becomes NULL instead of something a driver cannot read', () => {
  for (const strategy of ['partial', 'redact', 'hash', 'tokenize'] as const) {
    assert.equal(shown('42', [mask({ strategy })], { ...email, type: 'other' }), null);
    assert.equal(shown('42', [mask({ strategy })], { ...email, type: 'opaque' }), null);
  }
});

test('a column of unknown origin is caught by the mask for those, and only by that', () => {
  const unknown: ResultColumn = { name: 'x', labels: [], lineage: 'unknown', type: 'text' };
  assert.equal(shown('v', [mask({ strategy: 'drop' }, ['pii.*'], 'unknown')], unknown), null);
  assert.equal(shown('v', [mask({ strategy: 'drop' }, ['pii.*'])], unknown), 'v');
});

test('personal data inside free text is replaced, and text that cannot be read is withheld', () => {
  const redact: Obligation = { type: 'redact', select: { text: { detectors: ['email'] } } };
  const notes: ResultColumn = { name: 'notes', labels: [], lineage: 'exact', type: 'text' };
  assert.equal(shown('write to ada@example.com today', [redact], notes), 'write to [email] today');
  const guard = buildGuard([redact], [notes, { ...notes, type: 'opaque' }, { ...notes, type: 'other' }], { key, rules: [] });
  assert.equal(guard.cells[0]?.(Buffer.from([0xff, 0xfe])), null);
  assert.equal(guard.cells[1]?.(Buffer.from('binary')), null);
  assert.equal(guard.cells[2], undefined);
});

test('rows are capped by the smallest limit, and nothing to do means transparent', () => {
  const limit = (max: number): Obligation => ({ type: 'row_limit', max });
  assert.equal(buildGuard([limit(10), limit(5)], [email], { key, rules: [] }).rowsMax, 5);
  assert.equal(buildGuard([], [email], { key, rules: [] }).transparent, true);
  assert.equal(buildGuard([limit(5)], [email], { key, rules: [] }).transparent, false);
});

test('whatever the value, a redacting mask never lets a part of it through', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, unit: 'binary' }), fc.constantFrom('derived', 'unknown', 'exact'), (value, lineage) => {
      const result = shown(value, [mask({ strategy: 'redact' })], { ...email, lineage });
      assert.equal(result, '***');
    }),
  );
});

test('a partial mask shows at most four letters or digits of a value', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'abcdefghij0123456789') }), (value) => {
      const visible = (shown(value, [mask({ strategy: 'partial', keep: 'last4' })]) ?? '').replaceAll('*', '');
      assert.ok(visible.length <= 4 && visible.length * 2 <= Math.max(value.length, 0));
    }),
  );
});
