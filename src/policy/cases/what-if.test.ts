import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../decide/decide.ts';
import { allowAll, bundleOf, noon, policy, requestWith } from '../scenario.ts';
import { missed, readQuestion } from './what-if.ts';

const bundle = bundleOf(allowAll, policy('p', '  rules: [{ id: r, effect: deny, reason: NO_DROP, match: { sql.effects: ["drop.*"] } }]'));
const question = (text: string) => readQuestion({ path: 'q', text }, bundle, noon);

test('a case is read by the real parser and decided at the given time', async () => {
  const read = await question('sql: DROP TABLE t\nsubject: { id: "user:a" }\nexpect: { verdict: allow }\n');
  assert.ok(read.ok);
  assert.equal(read.request.now, noon);
  assert.equal(decide(read.bundle, read.request).reason, 'NO_DROP');
  assert.equal(missed(read).length, 1);
});

test('a request as a point sends it is decided as it is', async () => {
  const read = await question(JSON.stringify(requestWith({ sql: { effects: ['drop.table'] } })));
  assert.ok(read.ok);
  assert.equal(decide(read.bundle, read.request).verdict, 'deny');
});

test('a question that cannot be read says where', async () => {
  for (const text of [
    'sqll: SELECT 1',
    '',
    'sql: a\n---\nsql: b',
    'subject: nobody\nsql: SELECT 1',
    JSON.stringify({ ...requestWith(), target: 'x' }),
  ]) {
    const read = await question(text);
    assert.ok(!read.ok, text);
    assert.ok(read.problems.length > 0);
  }
});
