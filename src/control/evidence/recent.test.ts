import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ledgerLines } from '../testing/gateway.ts';
import { indexEntry } from './entry.ts';
import { openRecentEntries } from './recent.ts';

const log = { origin: 'ledger.local/a', vkey: 'k' };
const entries = ledgerLines(Array.from({ length: 30 }, () => ({ kind: 'log.heartbeat' }))).map(indexEntry);
const indexes = (found: ReturnType<ReturnType<typeof openRecentEntries>['from']>): number[] | undefined => found?.map(({ i }) => i);
const bytes = (from: number, to: number): number => entries.slice(from, to).reduce((sum, { line }) => sum + line.length, 0);

test('what was mirrored last is read from memory, across batches and at most as much as is asked for', () => {
  const recent = openRecentEntries();
  recent.put(log, entries.slice(0, 3));
  recent.put({ ...log, origin: 'ledger.local/b' }, entries.slice(0, 9));
  recent.put(log, entries.slice(3, 5));
  assert.deepEqual(indexes(recent.from(log, 1, 10)), [1, 2, 3, 4]);
  assert.deepEqual(indexes(recent.from(log, 1, 3)), [1, 2, 3]);
  assert.equal(recent.from(log, 5, 10), undefined);
});

test('a ledger with another key, or another name, is another ledger', () => {
  const recent = openRecentEntries();
  recent.put(log, entries.slice(0, 3));
  assert.equal(recent.from({ ...log, vkey: 'other' }, 0, 10), undefined);
  assert.equal(recent.from({ ...log, origin: 'ledger.local/a@1234' }, 0, 10), undefined);
});

test('what lies before a gap ends there, and what was let go is not guessed', () => {
  const recent = openRecentEntries(bytes(4, 20));
  recent.put(log, entries.slice(0, 4));
  recent.put(log, entries.slice(4, 8));
  // Another replica took 8 and 9.
  recent.put(log, entries.slice(10, 14));
  recent.put(log, entries.slice(14, 20));
  assert.equal(recent.from(log, 0, 10), undefined, 'the oldest went to make room');
  assert.deepEqual(indexes(recent.from(log, 4, 10)), [4, 5, 6, 7]);
  assert.equal(recent.from(log, 8, 10), undefined);
  assert.deepEqual(indexes(recent.from(log, 13, 10)), [13, 14, 15, 16, 17, 18, 19]);
});
