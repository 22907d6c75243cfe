import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { ApprovalGranted, ApprovalRequested, OperationDecided, RecordDraft } from '#model';
import type { OwnDraft } from '../entry.ts';
import { decided, sessionClosed, sessionOpened, settled } from '../testing/drafts.ts';
import { Bench } from '../testing/story.ts';
import { verified } from '../testing/tamper.ts';
import { kinds } from './grammar.ts';

// The writer's kinds and the verifier's are written down twice on purpose; this line does not compile when one of the writer's is unknown here.
const writable: Record<RecordDraft['kind'] | OwnDraft['kind'], true> = {
  'log.opened': true,
  'log.recovered': true,
  'log.heartbeat': true,
  'log.witnessed': true,
  'log.pruned': true,
  'log.sealed': true,
  'key.rotated': true,
  'alarm.raised': true,
  'alarm.cleared': true,
  'clock.stepped': true,
  'session.opened': true,
  'session.refused': true,
  'session.closed': true,
  'session.lost': true,
  'operation.decided': true,
  'operation.settled': true,
  'operation.indoubt': true,
  'approval.requested': true,
  'approval.answered': true,
  'approval.escalated': true,
  'approval.granted': true,
  'approval.refused': true,
  'approval.expired': true,
  'approval.withdrawn': true,
  'approval.used': true,
  'policy.activated': true,
  'policy.rejected': true,
  'rollout.moved': true,
  'admin.token': true,
  'admin.resource': true,
  'admin.session': true,
  'admin.configuration': true,
  'recording.read': true,
  'recording.chunk': true,
  'recording.closed': true,
  'evidence.shredded': true,
};

test('the second verifier knows the same kinds of records', () => {
  const python = readFileSync(new URL('./verify.py', import.meta.url), 'utf8');
  assert.deepEqual(
    Object.keys(kinds).filter((kind) => !python.includes(`"${kind}": `)),
    [],
  );
});

test('the verifier knows every kind of record that can be written', () => {
  assert.deepEqual(Object.keys(kinds).sort(), Object.keys(writable).sort());
});

const requested: ApprovalRequested = {
  kind: 'approval.requested',
  session: 's',
  request: 'req_1',
  operation: 'op_s_1',
  who: { subject: 'agent:bot', onBehalfOf: 'user:ann' },
  what: { resource: 'pg:orders', rules: ['a/b'], bound: ['b1'] },
  evidence: { text: 'delete from orders', parameters: [] },
  expiresAt: 1_800_000_000_000,
};
const granted: ApprovalGranted = {
  kind: 'approval.granted',
  session: 's',
  request: 'req_1',
  operation: 'op_s_1',
  grant: 'gnt_1',
  approvers: ['user:bob'],
  requester: 'agent:bot',
  bound: ['b1'],
  expiresAt: 1_800_000_000_000,
};
const used = { kind: 'approval.used', session: 's', request: 'req_1', operation: 'op_s_1', by: 'gateway' } as const;
const refused = { ...used, kind: 'approval.refused', by: 'user:bob' } as const;
const escalated = {
  kind: 'approval.escalated',
  session: 's',
  request: 'req_1',
  operation: 'op_s_1',
  rules: ['a/b'],
  reviewers: ['oncall'],
  expiresAt: 1_800_000_000_000,
} as const;
const answered = { ...used, kind: 'approval.answered', by: 'user:bob' } as const;

function released(n: number, approval: OperationDecided['approval']): OperationDecided {
  return { ...decided('s', n), ...(approval === undefined ? {} : { approval }) };
}
const grant = { grant: 'gnt_1', request: 'req_1' };

/** What is written after `log.opened`, so the first has index 1. `wrong` and `hole` are the index that must be named. */
const stories: Record<string, { drafts: RecordDraft[]; wrong?: number; hole?: number }> = {
  'a request that was escalated may be granted after its first expiry': {
    drafts: [{ ...requested, expiresAt: 0 }, escalated, granted, used],
  },
  'a grant after the expiry of a request that was not escalated': { drafts: [{ ...requested, expiresAt: 0 }, granted], wrong: 2 },
  'a grant after the second group had its time': { drafts: [requested, { ...escalated, expiresAt: 0 }, granted], wrong: 3 },
  'a request that is escalated twice for one rule': { drafts: [requested, escalated, escalated], wrong: 3 },
  'a request that is escalated for a rule that did not ask': { drafts: [requested, { ...escalated, rules: ['c/d'] }], wrong: 2 },
  'a request that is escalated after its end': { drafts: [requested, refused, escalated], wrong: 3 },
  'a whole session is fine': { drafts: [sessionOpened('s'), decided('s', 1), settled('s', 1, 2), sessionClosed('s', 1)] },
  'an operation that was held and then allowed is one operation': {
    drafts: [sessionOpened('s'), decided('s', 1, { verdict: 'pending' }), decided('s', 1), settled('s', 1, 3), sessionClosed('s', 1)],
  },
  'a refusal may be settled as refused': {
    drafts: [sessionOpened('s'), decided('s', 1, { verdict: 'deny' }), settled('s', 1, 2, 'refused'), sessionClosed('s', 1)],
  },
  'a refusal needs no outcome': { drafts: [sessionOpened('s'), decided('s', 1, { verdict: 'deny' }), sessionClosed('s', 1)] },
  'an outcome without decision': { drafts: [sessionOpened('s'), settled('s', 1, 1)], wrong: 2 },
  'a second outcome': { drafts: [sessionOpened('s'), decided('s', 1), settled('s', 1, 2), settled('s', 1, 2)], wrong: 4 },
  'the outcome of another operation': { drafts: [sessionOpened('s'), decided('s', 1), settled('s', 2, 2)], wrong: 3 },
  'something done that was denied': {
    drafts: [sessionOpened('s'), decided('s', 1, { verdict: 'deny' }), settled('s', 1, 2, 'done')],
    wrong: 3,
  },
  'a missing operation is a hole': {
    drafts: [sessionOpened('s'), decided('s', 1, { verdict: 'deny' }), decided('s', 3, { verdict: 'deny' }), sessionClosed('s', 3)],
    hole: 3,
  },
  'a missing last operation is a hole': {
    drafts: [sessionOpened('s'), decided('s', 1, { verdict: 'deny' }), sessionClosed('s', 2)],
    hole: 3,
  },
  'a session with more operations than it says': {
    drafts: [sessionOpened('s'), decided('s', 1, { verdict: 'deny' }), sessionClosed('s', 0)],
    wrong: 3,
  },
  'an operation decided twice without being held': {
    drafts: [sessionOpened('s'), decided('s', 1, { verdict: 'deny' }), decided('s', 1, { verdict: 'deny' })],
    wrong: 3,
  },
  'the second operation of a batch is held before the first is decided': {
    drafts: [
      sessionOpened('s'),
      decided('s', 2, { verdict: 'pending' }),
      decided('s', 1),
      decided('s', 2),
      settled('s', 1, 3),
      settled('s', 2, 4),
      sessionClosed('s', 2),
    ],
  },
  'a number that is held for one operation and used by another': {
    drafts: [sessionOpened('s'), decided('s', 1, { verdict: 'pending' }), decided('s', 1, { verdict: 'deny', operation: 'op_other' })],
    wrong: 3,
  },
  'something done outside a session': { drafts: [decided('s', 1), settled('s', 1, 1)], wrong: 2 },
  'something done after the end of its session': {
    drafts: [sessionOpened('s'), sessionClosed('s', 0), decided('s', 1), settled('s', 1, 3)],
    wrong: 4,
  },
  'an answer that comes after the client left is fine when nothing is done': {
    drafts: [
      sessionOpened('s'),
      decided('s', 1, { verdict: 'pending' }),
      sessionClosed('s', 1),
      decided('s', 1),
      settled('s', 1, 4, 'refused'),
    ],
    hole: 3,
  },
  'an outcome after the end of its session': { drafts: [sessionOpened('s'), decided('s', 1), sessionClosed('s', 1), settled('s', 1, 2)] },
  'a grant that releases two operations': {
    drafts: [sessionOpened('s'), released(1, grant), settled('s', 1, 2), released(2, grant), settled('s', 2, 4)],
    wrong: 4,
  },
  'a grant for two uses may release two operations': {
    drafts: [
      sessionOpened('s'),
      released(1, { ...grant, uses: 2 }),
      settled('s', 1, 2),
      released(2, { ...grant, uses: 2 }),
      settled('s', 2, 4),
      sessionClosed('s', 2),
    ],
  },
  'an approval that is asked for, given and used': { drafts: [requested, answered, granted, used] },
  'an approval used twice': { drafts: [requested, granted, used, used], wrong: 4 },
  'an approval used that was never given': { drafts: [requested, used], wrong: 2 },
  'an approval that nobody asked for': { drafts: [granted], wrong: 1 },
  'an approval of one’s own request': { drafts: [requested, { ...granted, approvers: ['user:bob', 'agent:bot'] }], wrong: 2 },
  'an approval by the human behind the agent': { drafts: [requested, { ...granted, approvers: ['user:ann'] }], wrong: 2 },
  'an answer to one’s own request': { drafts: [requested, { ...answered, by: 'user:ann' }], wrong: 2 },
  'an approval after a refusal': { drafts: [requested, refused, granted], wrong: 3 },
  'an approval after its request expired': { drafts: [{ ...requested, expiresAt: 1_600_000_000_000 }, granted], wrong: 2 },
  'an approval of something else': { drafts: [requested, { ...granted, bound: ['b2'] }], wrong: 2 },
  'one approver counted twice': { drafts: [requested, { ...granted, approvers: ['user:bob', 'user:bob'] }], wrong: 2 },
};

for (const [name, { drafts, wrong, hole }] of Object.entries(stories)) {
  test(`${wrong === undefined ? 'accepted' : 'found'}: ${name}`, async () => {
    const bench = new Bench();
    for (const draft of drafts) bench.commit(draft);
    bench.log.close();
    const report = await verified(bench.disk);
    const first = (severity: string): number | undefined => report.findings.find((finding) => finding.severity === severity)?.index;
    assert.deepEqual([first('tampered'), wrong === undefined ? first('hole') : undefined], [wrong, hole], JSON.stringify(report.findings));
  });
}

test('what is still running is a note, and so is what a crash cut off once a start has said it', async () => {
  const bench = new Bench();
  bench.commit(sessionOpened('s'));
  bench.commit(decided('s', 1));
  bench.log.close();
  const running = await verified(bench.disk);
  assert.deepEqual([running.status, running.holes.unsettled, running.holes.openSessions], ['proven', 1, 1]);
  const again = new Bench(bench.disk.copy(), { seed: 2 });
  again.log.close();
  const cut = await verified(again.disk);
  assert.deepEqual(
    [cut.status, cut.holes.inDoubt, cut.holes.unsettled, cut.holes.openSessions, cut.holes.lostSessions],
    ['proven', 1, 0, 0, 1],
  );
});

test('a silence longer than the heartbeat is a hole', async () => {
  const bench = new Bench();
  bench.commit(sessionOpened('s'));
  bench.log.commit([{ ...bench.item(sessionClosed('s', 0)), mono: 100_000_000 }]);
  bench.log.close();
  const report = await verified(bench.disk);
  assert.deepEqual([report.status, report.holes.gaps], ['incomplete', 1]);
});
