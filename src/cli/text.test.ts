import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DecisionAnswer, OperationAnswer, RequestAnswer, SessionAnswer } from './answers.ts';
import { decisionText } from './commands/explain.ts';
import { timelineText } from './commands/replay.ts';
import { flat, requestText } from './commands/requests.ts';
import { visible } from './paint.ts';
import { tableLines } from './table.ts';
import { duration, span, timeOfDay } from './times.ts';

const session: SessionAnswer = {
  id: 'ses_1',
  subject: 'user:engineer',
  resource: 'pg:orders-demo',
  point: 'postgres',
  source: '127.0.0.1:5000',
  client: 'psql',
  opened: 1_000,
  closed: 61_000,
  operations: 1,
  denied: 0,
};
const operation: OperationAnswer = {
  n: 1,
  t: 2_000,
  operation: 'op_1',
  verb: 'select',
  normalized: 'select $1',
  text: "select 'x'",
  evidence: 'shown',
  verdict: 'allow',
  reason: 'OK',
  rules: ['access/read'],
  decision: 'dec_1',
  outcome: { status: 'done', rows: 2, masked: { 'pii.email': 2, 'pii.card': 1 }, rowsWithheld: 0, durationMs: 4.567, rules: [] },
};
const request: RequestAnswer = {
  id: 'req_1',
  status: 'waiting',
  session: 'ses_1',
  decision: 'dec_1',
  requester: { id: 'user:engineer', name: 'engineer' },
  resource: { id: 'pg:orders-demo', name: 'orders-demo' },
  source: '127.0.0.1:5000',
  verb: 'delete',
  objects: ['public.orders'],
  text: 'delete from orders\nwhere true',
  parameters: ['a', null],
  requirements: [{ rule: 'writes/approval', message: 'A DBA must look.', quorum: 1, approvals: 0, reviewers: [{ group: 'dba', min: 1 }] }],
  answers: [],
  openedAt: 0,
  expiresAt: 90_000,
  mayAnswer: true,
};

describe('text for people', () => {
  test('control characters from outside cannot move the cursor or hide what a reviewer must see', () => {
    assert.equal(visible('a\u001b[2Jb\rc\nd'), 'a\\u{1b}[2Jb\\u{d}c\\u{a}d');
    assert.equal(visible('two\n\tlines', true), 'two\n\tlines');
    assert.equal(visible('drop\u202etable\u200b\u0085'), 'drop\\u{202e}table\\u{200b}\\u{85}');
    assert.equal(visible('Müller 😀 العربية'), 'Müller 😀 العربية');
  });

  test('a table aligns its columns and cuts what is too long', () => {
    const lines = tableLines(
      [
        { a: 'x', b: 5 },
        { a: 'longer', b: 12_345 },
      ],
      [
        { title: 'A', of: (row) => row.a },
        { title: 'COUNT', of: (row) => String(row.b), right: true },
      ],
    );
    assert.deepEqual(lines, ['A       COUNT', 'x           5', 'longer  12345']);
    assert.equal(tableLines([{}], [{ title: 'T', of: () => 'y'.repeat(500) }])[1]?.length, 100);
  });

  test('times are short', () => {
    assert.deepEqual([0, 59_400, 61_000, 3_700_000, 90_000_000].map(span), ['0s', '59s', '1m 1s', '1h 1m', '1d 1h']);
    assert.deepEqual([0.123, 12.3, 2_345].map(duration), ['0.12 ms', '12 ms', '2.3 s']);
    assert.match(timeOfDay(7), /:\d\d\.007$/);
  });

  test('a timeline shows statement, verdict, rule, rows and masked cells', () => {
    const text = timelineText(session, [operation]);
    assert.match(text, /#1 {2}ALLOW {2}OK {2}access\/read {2}dec_1/);
    assert.match(text, /select 'x'/);
    assert.match(text, /done · 2 rows · 3 cells masked \(pii\.email 2, pii\.card 1\) · 4\.57 ms/);
  });

  test('a timeline without the exact text says why', () => {
    const { text: _text, ...without } = operation;
    assert.match(timelineText(session, [{ ...without, evidence: 'unavailable' }]), /select \$1[\s\S]*not available now/);
    assert.match(timelineText(session, [{ ...without, evidence: 'withheld' }]), /left out for your role/);
  });

  test('a request shows its whole text, who may answer and how', () => {
    const text = requestText(request, 30_000);
    assert.match(text, /delete from orders\n {4}where true/);
    assert.match(text, /\$1 = 'a', \$2 = NULL/);
    assert.match(text, /expires in 1m/);
    assert.match(text, /0 of 1, by dba/);
    assert.match(text, /warder approve req_1/);
    assert.doesNotMatch(requestText({ ...request, mayAnswer: false }, 0), /warder approve/);
  });

  test('a request for programs has id, status, requester, resource, exact text and expiry', () => {
    const { id, status, requester, resource, text, expiresAt } = flat(request) as Record<string, unknown>; // Reason: only its members are looked at.
    assert.deepEqual(
      [id, status, requester, resource, text, expiresAt],
      ['req_1', 'waiting', 'engineer', 'orders-demo', request.text, 90_000],
    );
  });

  test('an explanation names rules with effect and mode, the attributes they read, and the bundle digest', () => {
    const decision: DecisionAnswer = {
      id: 'dec_1',
      t: 0,
      session: 'ses_1',
      n: 1,
      subject: 'user:engineer',
      resource: 'pg:orders-demo',
      target: 'sql',
      verb: 'drop',
      objects: [],
      normalized: 'drop table x',
      certainty: 'parsed',
      unknown: [],
      verdict: 'deny',
      reason: 'DESTRUCTIVE_DDL',
      rules: ['ddl/deny'],
      matched: [
        { rule: 'ddl/deny', effect: 'deny', mode: 'enforce' },
        { rule: 'ddl/watch', effect: 'observe', mode: 'shadow' },
      ],
      obligations: [],
      requirements: [],
      reads: { 'sql.effects': ['drop.table'] },
      errors: [],
      bundle: { name: 'b', version: '1', digest: 'sha256:ab' },
      record: 'o#4',
    };
    const text = decisionText(decision);
    assert.match(text, /DENY {2}DESTRUCTIVE_DDL/);
    assert.match(text, /● ddl\/deny {2}deny\n {2}○ ddl\/watch {2}observe, shadow mode/);
    assert.match(text, /sql\.effects = \["drop\.table"\]/);
    assert.match(text, /sha256:ab/);
  });
});
