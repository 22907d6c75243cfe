import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspectSql, loadInspectors } from '#inspect';
import { decide } from '../decide/decide.ts';
import { readsOf } from '../reads.ts';
import { allowAll, noon, policy, requestWith } from '../scenario.ts';
import { backtest } from './backtest.ts';
import type { Backtest } from './backtest.ts';
import { sideOf } from './plan.ts';

await loadInspectors();

function side(...texts: readonly string[]) {
  const made = sideOf(texts.map((text, i) => ({ path: `${i}.yaml`, text })));
  assert.ok(made.ok, JSON.stringify(made));
  return made.side;
}

const engineers = policy('access', '  match: { subject.groups: [engineering] }\n  rules: [{ id: all, effect: allow }]', { tier: 'team' });
const before = side(engineers);

/** A ledger as a gateway would write it with the bundle `before`. */
function ledger(statements: readonly string[], { groups = ['engineering'], opened = true } = {}): string[] {
  const session = {
    i: 0,
    t: noon,
    kind: 'session.opened',
    session: 's',
    who: { subject: 'user:eve', groups, authentication: 'scram', source: '127.0.0.1:1' },
    what: { point: 'postgres', resource: 'pg:orders', client: 'psql' },
    policy: '',
  };
  const decided = statements.map((text, n) => {
    const { facts, certainty } = inspectSql(text, {});
    const request = requestWith({ groups, sql: facts, context: { certainty } });
    const decision = decide(before.bundle, request);
    return {
      i: n + 1,
      t: noon + n,
      kind: 'operation.decided',
      session: 's',
      who: { subject: 'user:eve' },
      what: {
        target: 'sql',
        resource: 'pg:orders',
        verb: facts.verbs.join(';'),
        objects: facts.tables,
        normalized: facts.normalized,
        certainty,
      },
      decision: {
        verdict: decision.verdict,
        reason: decision.reason,
        rules: decision.decisive,
        matched: decision.matched,
        bundle: decision.bundle,
        reads: readsOf(before.bundle, request, decision),
      },
    };
  });
  return [...(opened ? [session] : []), ...decided].map((entry) => JSON.stringify(entry));
}

const replay = (after: ReturnType<typeof side>, lines: readonly string[]): Promise<Backtest> => backtest({ before, after }, lines);
const statements = ['SELECT id FROM orders', 'DELETE FROM orders', 'DELETE FROM orders WHERE id = 7', 'DROP TABLE orders'];

test('the same policies change nothing', async () => {
  const report = await replay(before, ledger(statements));
  assert.deepEqual([report.decisions, report.unchanged, report.changed, report.notReplayable], [4, 4, [], []]);
  assert.equal(report.to, noon + 3);
});

test('who is hit is told with examples', async () => {
  const after = side(engineers, policy('p', '  rules: [{ id: r, effect: deny, reason: NO_DROP, match: { sql.effects: ["drop.*"] } }]'));
  const report = await replay(after, ledger(statements));
  assert.equal(report.unchanged, 3);
  const [only] = report.changed;
  assert.deepEqual([only?.change, only?.count, only?.subjects], ['allow ⇒ deny', 1, [{ subject: 'user:eve', count: 1 }]]);
  assert.match(only?.examples[0]?.statement ?? '', /drop table/i);
});

test('what depends on something the record lacks is not replayable, and says what', async () => {
  const unbounded = side(
    engineers,
    policy(
      'p',
      '  rules: [{ id: r, effect: deny, reason: NO_ALL, when: "sql.statements.exists(s, s.verb == \'delete\' && s.whereTautology)" }]',
    ),
  );
  const report = await replay(unbounded, ledger(statements));
  assert.equal(report.notReplayable[0]?.why, 'sql.statements');
  assert.ok(report.unchanged >= 2);
  const purpose = side(
    engineers,
    policy(
      'p',
      "  rules: [{ id: r, effect: deny, reason: NO_PURPOSE, match: { sql.verbs: [delete] }, unless: \"context.?purpose.orValue('') == 'repair'\" }]",
    ),
  );
  const other = await replay(purpose, ledger(statements));
  assert.deepEqual(other.notReplayable, [{ why: 'context.purpose', count: 2, example: 2 }]);
  assert.equal(other.unchanged, 2);
});

test('unknown attributes that make no difference do no harm', async () => {
  const labels = policy('p', '  rules: [{ id: r, effect: deny, reason: NO_PII, match: { sql.labels: ["pii.*"] } }]');
  const both = {
    before: side(engineers, labels),
    after: side(engineers, labels, policy('q', '  rules: [{ id: r, effect: deny, reason: NO_DROP, match: { sql.effects: ["drop.*"] } }]')),
  };
  const report = await backtest(both, ledger(statements));
  assert.equal(report.changed[0]?.count, 1);
  assert.equal(report.unchanged, 3);
});

test('a session that is not in the records leaves the groups unknown', async () => {
  const report = await replay(side(allowAll), ledger(['SELECT 1'], { opened: false, groups: [] }));
  assert.equal(report.decisions, 1);
  assert.equal(report.changed.length + report.notReplayable.length, 1);
});

test('lines that are no entries are counted, never trusted', async () => {
  const report = await replay(before, ['{', '{}', '{"kind":"operation.decided"}', '{"kind":"log.opened"}', '']);
  assert.deepEqual([report.decisions, report.malformed], [0, 3]);
});
