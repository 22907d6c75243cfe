import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { realWorld } from '#host';
import { Fault, limits } from '#model';
import type { HoldEscalation, HoldResolution, RecordDraft, Subject } from '#model';
import { putSubject } from '../identity/subjects.ts';
import { openStore } from '../store/database.ts';
import type { Store } from '../store/database.ts';
import { openKeys } from '../store/keys.ts';
import { migrate } from '../store/migrate.ts';
import { sealingWith } from '../store/sealing.ts';
import { fakeWorld } from '../testing/fake-world.ts';
import type { FakeWorld } from '../testing/fake-world.ts';
import { testHold } from '../testing/gateway.ts';
import type { TestServer } from '../testing/installation.ts';
import { collectingLog, startTestServer } from '../testing/installation.ts';
import { openApprovals } from './approvals.ts';
import { findRequest } from './views.ts';
import type { Approvals, Holder } from './approvals.ts';
import type { RequestStatus } from './state.ts';

let server: TestServer;
let store: Store;

const reviewers = ['user:bob', 'user:carl', 'user:dora', 'user:engineer'].map(
  (id): Subject => ({ id, name: id, type: 'user', groups: ['dba', 'engineering'], roles: ['reviewer'] }),
);

before(async () => {
  server = await startTestServer();
  store = await openStore(await server.database(), { world: realWorld, log: collectingLog() });
  await migrate(store);
  for (const reviewer of reviewers) await putSubject(store.db, reviewer, realWorld);
});

after(async () => {
  await store?.close();
  await server?.stop();
});

interface Bench {
  readonly approvals: Approvals;
  readonly world: FakeWorld;
  readonly records: RecordDraft[];
  readonly resolved: HoldResolution[];
  readonly escalated: HoldEscalation[];
  readonly holder: { node: string; closed: boolean };
  /** What the next appends do instead of succeeding. */
  readonly failing: Error[];
  /** Errors for the next commits: the work is done and rolled back, as when the connection is lost. */
  readonly losing: { before: number; after: number };
}

function bench(): Bench {
  const world = fakeWorld();
  const records: RecordDraft[] = [];
  const resolved: HoldResolution[] = [];
  const escalated: HoldEscalation[] = [];
  const failing: Error[] = [];
  const losing = { before: 0, after: 0 };
  const fragile: Store = {
    ...store,
    async transact(work) {
      if (losing.before > 0) {
        losing.before -= 1;
        await store.transact(async (trx) => {
          await work(trx);
          throw Object.assign(new Error('Connection terminated unexpectedly'), { code: 'ECONNRESET' });
        });
      }
      const result = await store.transact(work);
      if (losing.after > 0) {
        losing.after -= 1;
        throw Object.assign(new Error('Connection terminated unexpectedly'), { code: 'ECONNRESET' });
      }
      return result;
    },
  };
  const approvals = openApprovals({
    store: fragile,
    ledger: {
      async append(draft) {
        const error = failing.shift();
        if (error !== undefined) throw error;
        records.push(draft);
        return { origin: 'ledger.local/control', index: records.length - 1, leaf: '' };
      },
    },
    world,
    keys: openKeys(`${server.folder}/keys`, realWorld),
    sealing: sealingWith(new Uint8Array(32), realWorld),
    log: collectingLog(),
    onResolved: (_node, resolution) => resolved.push(resolution),
    onEscalated: (_node, escalation) => escalated.push(escalation),
  });
  return { approvals, world, records, resolved, escalated, holder: { node: 'gateway-1', closed: false }, failing, losing };
}

const [bob, carl, dora, engineer] = reviewers as [Subject, Subject, Subject, Subject];
const kinds = (records: readonly RecordDraft[]): string[] => records.map((record) => record.kind);

async function statusOf(id: string): Promise<RequestStatus | undefined> {
  return (await store.db.selectFrom('approval_request').select('status').where('id', '=', id).executeTakeFirst())?.status;
}

function twoReviewers() {
  const hold = testHold();
  return { ...hold, requirements: hold.requirements.map((one) => ({ ...one, approval: { ...one.approval, quorum: 2 } })) };
}

const code = (wanted: string) => (error: unknown) => error instanceof Fault && error.code === wanted;

test('two reviewers who click at the same moment make one grant', async () => {
  const { approvals, holder, resolved, records } = bench();
  const { request } = await approvals.open(holder, testHold());
  const answers = await Promise.allSettled([bob, carl, bob].map((who) => approvals.answer(request, { who, say: 'approve' })));
  assert.ok(answers.some((one) => one.status === 'fulfilled'));
  assert.deepEqual(kinds(records), ['approval.requested', 'approval.granted']);
  assert.equal(resolved.length, 1);
});

test('a quorum of two needs two people, each recorded, and the second one releases', async () => {
  const { approvals, holder, resolved, records } = bench();
  const { request } = await approvals.open(holder, twoReviewers());
  await approvals.answer(request, { who: bob, say: 'approve' });
  await approvals.answer(request, { who: bob, say: 'approve' });
  assert.equal(resolved.length, 0);
  await assert.rejects(approvals.answer(request, { who: engineer, say: 'approve' }), code('FORBIDDEN'));
  await approvals.answer(request, { who: carl, say: 'approve', comment: 'ok' });
  assert.deepEqual(kinds(records), ['approval.requested', 'approval.answered', 'approval.granted']);
  assert.deepEqual([resolved[0]?.by, resolved[0]?.comment], [['user:bob', 'user:carl'], 'ok']);
});

test('whoever answers what has ended is told what became of it', async () => {
  const { approvals, holder, resolved } = bench();
  const tell = async (request: string): Promise<string> => {
    const fault = await approvals.answer(request, { who: bob, say: 'approve' }).catch((thrown: unknown) => thrown);
    assert.ok(fault instanceof Fault && fault.code === 'CONFLICT', String(fault));
    return fault.message;
  };
  const { request } = await approvals.open(holder, testHold());
  await approvals.answer(request, { who: bob, say: 'approve' });
  assert.match(await tell(request), /was approved by user:bob at 20\d\d-.* already/);
  await approvals.use('gateway-1', request, resolved[0]?.grants[0]?.grant.id ?? '');
  assert.match(await tell(request), /was approved by user:bob at .*, and has run/);
  const refused = await approvals.open(holder, testHold());
  await approvals.answer(refused.request, { who: carl, say: 'refuse', comment: 'not today' });
  assert.match(await tell(refused.request), /was refused by user:carl at .*: not today/);
  const gone = await approvals.open(holder, testHold());
  await approvals.withdraw('gateway-1', gone.request, 'cancelled');
  assert.match(await tell(gone.request), /was withdrawn at .*: cancelled/);
});

test('who agreed before the quorum was there may still refuse', async () => {
  const { approvals, holder, resolved } = bench();
  const { request } = await approvals.open(holder, twoReviewers());
  await approvals.answer(request, { who: bob, say: 'approve' });
  await approvals.answer(request, { who: bob, say: 'refuse', comment: 'no' });
  assert.deepEqual([resolved[0]?.status, resolved[0]?.grants], ['refused', []]);
  await assert.rejects(approvals.answer(request, { who: carl, say: 'approve' }), code('CONFLICT'));
});

test('a request expires by the monotonic clock, whatever happens to the wall clock', async () => {
  const { approvals, holder, resolved, world } = bench();
  const { request } = await approvals.open(holder, testHold({ timeoutMs: 60_000 }));
  world.step(3_600_000);
  await approvals.sweep();
  assert.equal(await statusOf(request), 'waiting');
  world.step(-7_200_000);
  world.advance(60_001);
  await assert.rejects(approvals.answer(request, { who: bob, say: 'approve' }), code('CONFLICT'));
  assert.equal(resolved[0]?.status, 'expired');
});

test('an answer counts only while both clocks say that there is time', async () => {
  const { approvals, holder, records, world } = bench();
  const { request } = await approvals.open(holder, testHold({ timeoutMs: 60_000 }));
  world.step(60_000);
  await assert.rejects(approvals.answer(request, { who: bob, say: 'approve' }), code('CONFLICT'));
  assert.deepEqual(kinds(records), ['approval.requested', 'approval.expired']);
});

test('the timeout is the smallest of what gateway, rules and limits allow', async () => {
  const { approvals, holder, world } = bench();
  const short = await approvals.open(holder, testHold({ timeoutMs: 5_000 }));
  assert.equal(short.expiresAt, world.now() + 5_000);
  const hold = testHold({ timeoutMs: 10 * limits.holdMsMax });
  const long = {
    ...hold,
    requirements: hold.requirements.map((one) => ({ ...one, approval: { ...one.approval, timeoutMs: 10 * limits.holdMsMax } })),
  };
  assert.equal((await approvals.open(holder, long)).expiresAt, world.now() + limits.holdMsMax);
  await approvals.lost(holder);
});

test('what the ledger cannot record does not happen', async () => {
  const { approvals, holder, failing, resolved } = bench();
  const { request } = await approvals.open(holder, testHold());
  failing.push(new Fault('LEDGER_FULL', 'full'));
  await assert.rejects(approvals.answer(request, { who: bob, say: 'approve' }), code('LEDGER_FULL'));
  assert.deepEqual([await statusOf(request), resolved.length], ['waiting', 0]);
  const hold = testHold();
  failing.push(new Fault('LEDGER_FULL', 'full'));
  await assert.rejects(approvals.open(holder, hold), code('LEDGER_FULL'));
  await approvals.open(holder, hold);
});

test('a request whose end the store refuses for ever does not keep the others from theirs', async () => {
  const { approvals, holder, resolved, world } = bench();
  const stuck = await approvals.open(holder, testHold({ timeoutMs: 60_000 }));
  const other = await approvals.open(holder, testHold({ timeoutMs: 60_000 }));
  // PostgreSQL has no NUL in text; the API lets none through.
  await assert.rejects(approvals.answer(stuck.request, { who: bob, say: 'approve', comment: 'a\0b' }));
  world.advance(60_001);
  await assert.rejects(approvals.sweep());
  assert.equal(await statusOf(other.request), 'expired');
  assert.deepEqual(
    resolved.map(({ request, status }) => [request, status]),
    [[other.request, 'expired']],
  );
});

test('an approval that was recorded and then lost its commit is the only one there ever is', async () => {
  const { approvals, holder, losing, records, resolved } = bench();
  const { request } = await approvals.open(holder, testHold());
  losing.before = 1;
  await assert.rejects(approvals.answer(request, { who: bob, say: 'approve' }));
  assert.equal(await statusOf(request), 'waiting');
  await assert.rejects(approvals.answer(request, { who: carl, say: 'refuse' }), code('CONFLICT'));
  assert.deepEqual(kinds(records), ['approval.requested', 'approval.granted']);
  assert.deepEqual([await statusOf(request), resolved.length, resolved[0]?.by], ['approved', 1, ['user:bob']]);
});

test('a commit that happened without an answer is told to the gateway by the next sweep', async () => {
  const { approvals, holder, losing, records, resolved } = bench();
  const { request } = await approvals.open(holder, testHold());
  losing.after = 1;
  await assert.rejects(approvals.answer(request, { who: bob, say: 'approve' }));
  assert.equal(resolved.length, 0);
  await approvals.sweep();
  assert.deepEqual([resolved.length, resolved[0]?.status, resolved[0]?.grants.length], [1, 'approved', 1]);
  assert.deepEqual(kinds(records), ['approval.requested', 'approval.granted']);
});

test('a hold of which nobody knows whether the store has it is withdrawn', async () => {
  const { approvals, holder, losing, records } = bench();
  const hold = testHold();
  losing.after = 1;
  await assert.rejects(approvals.open(holder, hold));
  await approvals.sweep();
  const row = await store.db.selectFrom('approval_request').select('status').where('operation', '=', hold.operation).executeTakeFirst();
  assert.equal(row?.status, 'withdrawn');
  assert.deepEqual(kinds(records), ['approval.requested', 'approval.withdrawn']);
  losing.before = 1;
  await assert.rejects(approvals.open(holder, testHold()));
  await approvals.sweep();
});

test('a hold that opens while its link is lost is withdrawn', async () => {
  const { approvals, holder } = bench();
  const { request } = await approvals.open({ ...holder, closed: true }, testHold());
  assert.equal(await statusOf(request), 'withdrawn');
});

test('a second use of a grant is refused', async () => {
  const { approvals, holder, resolved } = bench();
  const { request } = await approvals.open(holder, testHold());
  await approvals.answer(request, { who: bob, say: 'approve' });
  const grant = resolved[0]?.grants[0]?.grant.id ?? '';
  const uses = await Promise.allSettled([1, 2, 3].map(() => approvals.use('gateway-1', request, grant)));
  assert.equal(uses.filter((one) => one.status === 'fulfilled').length, 1);
  await assert.rejects(approvals.use('gateway-2', request, grant), code('NOT_FOUND'));
});

test('a use that the ledger has and the store lost in a crash is not recorded twice', async () => {
  const { approvals, holder, resolved, records, losing } = bench();
  const { request } = await approvals.open(holder, testHold());
  await approvals.answer(request, { who: bob, say: 'approve' });
  const grant = resolved[0]?.grants[0]?.grant.id ?? '';
  losing.before = 1;
  await assert.rejects(approvals.use('gateway-1', request, grant));
  const used = records.find(({ kind }) => kind === 'approval.used');
  assert.ok(used !== undefined && 'session' in used && 'operation' in used);
  // What the index of the ledger has of it when the next process begins.
  const row = { origin: 'ledger.test/uses', i: 0, kind: used.kind, t: 0, session: used.session, operation: used.operation };
  await store.db
    .insertInto('record')
    .values({ ...row, line: JSON.stringify(used) })
    .execute();
  const next = bench();
  await next.approvals.recover();
  assert.equal(await statusOf(request), 'used');
  await assert.rejects(next.approvals.use('gateway-1', request, grant), code('CONFLICT'));
  assert.ok(!next.records.some(({ kind }) => kind === 'approval.used'));
});

test('two replicas that answer the same request at the same time end it once', async () => {
  const acts = fc.array(
    fc.record({ replica: fc.nat(1), who: fc.constantFrom(bob, carl, dora), say: fc.constantFrom('approve' as const, 'refuse' as const) }),
    {
      minLength: 2,
      maxLength: 5,
    },
  );
  await fc.assert(
    fc.asyncProperty(acts, fc.boolean(), async (clicks, withdrawn) => {
      const replicas = [bench(), bench()] as const;
      const [first, second] = replicas;
      const { request } = await first.approvals.open(first.holder, testHold());
      await Promise.allSettled([
        ...clicks.map(({ replica, who, say }) => replicas[replica === 0 ? 0 : 1].approvals.answer(request, { who, say })),
        ...(withdrawn ? [second.approvals.recover()] : []),
      ]);
      await first.approvals.sweep();
      // What other tests left waiting is withdrawn too.
      const about = [...first.records, ...second.records].filter((record) => 'request' in record && record.request === request);
      const ends = kinds(about).filter((kind) => kind !== 'approval.requested');
      assert.equal(ends.length, 1, ends.join());
      assert.ok(first.resolved.length === (ends[0] === 'approval.withdrawn' ? 0 : 1), 'the replica with the link tells the gateway');
      await Promise.all(replicas.map((replica) => replica.approvals.close()));
    }),
    { numRuns: 30 },
  );
});

/** What can happen to a request, in any order and at the same time. */
type Happening =
  | { readonly kind: 'answer'; readonly who: Subject; readonly say: 'approve' | 'refuse' }
  | { readonly kind: 'withdraw' | 'lost' | 'sweep' | 'late' | 'use' | 'restart' }
  | { readonly kind: 'fail'; readonly what: 'ledger' | 'commit' | 'answer of the commit' };

const happening = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('answer' as const),
      who: fc.constantFrom(bob, carl, dora, engineer),
      say: fc.constantFrom('approve' as const, 'approve' as const, 'approve' as const, 'refuse' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('withdraw' as const, 'lost' as const, 'sweep' as const, 'late' as const, 'use' as const, 'restart' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('fail' as const),
      what: fc.constantFrom('ledger' as const, 'commit' as const, 'answer of the commit' as const),
    }),
  },
);

async function happen(on: Bench, request: string, one: Happening): Promise<void> {
  const holder: Holder = on.holder;
  if (one.kind === 'answer') return on.approvals.answer(request, { who: one.who, say: one.say });
  if (one.kind === 'withdraw') return on.approvals.withdraw('gateway-1', request, 'cancelled');
  if (one.kind === 'lost') return on.approvals.lost(holder);
  if (one.kind === 'sweep') return on.approvals.sweep();
  if (one.kind === 'late') return on.world.advance(400_000);
  if (one.kind === 'restart') return void (await bench().approvals.recover());
  if (one.kind === 'use') {
    const grants = on.resolved.flatMap((resolution) => resolution.grants);
    for (const { grant } of grants) await on.approvals.use('gateway-1', request, grant.id);
    return;
  }
  if (one.kind !== 'fail') return;
  if (one.what === 'ledger') on.failing.push(new Fault('LEDGER_SLOW', 'slow'));
  if (one.what === 'commit') on.losing.before += 1;
  if (one.what === 'answer of the commit') on.losing.after += 1;
}

test('whatever happens at the same time, a request has at most one grant, one use and one end, and never one by its requester', async () => {
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(fc.array(happening, { minLength: 1, maxLength: 4 }), { maxLength: 6 }), async (two, rounds) => {
      const on = bench();
      const { request } = await on.approvals.open(on.holder, two ? twoReviewers() : testHold());
      for (const round of rounds) await Promise.allSettled(round.map((one) => happen(on, request, one)));
      // The weather clears up; what was left half done is finished.
      Object.assign(on.losing, { before: 0, after: 0 });
      on.failing.length = 0;
      await on.approvals.sweep();

      const status = await statusOf(request);
      const granted = on.records.filter((record) => record.kind === 'approval.granted');
      assert.ok(granted.length <= 1, 'one grant in the ledger');
      assert.ok(kinds(on.records).filter((kind) => kind === 'approval.used').length <= 1, 'one use');
      assert.ok(on.resolved.length <= 1, 'the gateway is told once');
      for (const record of granted) {
        assert.ok(!record.approvers.includes('user:engineer'), 'no self-approval');
        assert.ok(record.approvers.length >= (two ? 2 : 1));
      }
      const [resolution] = on.resolved;
      if (resolution?.status === 'approved') {
        assert.equal(granted.length, 1, 'recorded before it took effect');
        assert.equal(resolution.grants.length, 1);
        assert.equal(resolution.grants[0]?.grant.id, granted[0]?.grant);
      }
      if (status === 'approved' || status === 'used') assert.equal(granted.length, 1);
      const ends = kinds(on.records).filter((kind) => kind === 'approval.refused' || kind === 'approval.expired');
      assert.ok(ends.length <= 1 && (ends.length === 0 || granted.length === 0));
      await on.approvals.close();
    }),
    { numRuns: 60 },
  );
});

const later: Subject = { id: 'user:olga', name: 'user:olga', type: 'user', groups: ['oncall'], roles: ['reviewer'] };

function escalating(more: { quorum?: number; timeoutMs?: number } = {}) {
  const hold = testHold();
  const { quorum = 1, timeoutMs = 60_000 } = more;
  const escalateTo = { reviewers: [{ group: 'oncall', min: 1 }], quorum, timeoutMs };
  return {
    ...hold,
    timeoutMs: hold.timeoutMs + timeoutMs,
    requirements: hold.requirements.map((one) => ({ ...one, approval: { ...one.approval, onTimeout: 'escalate' as const, escalateTo } })),
  };
}

test('a request that nobody answered asks the next reviewers, once, and is denied when they do not answer either', async () => {
  const { approvals, world, holder, records, escalated, resolved } = bench();
  await putSubject(store.db, later, realWorld);
  const { request, expiresAt } = await approvals.open(holder, escalating());
  await assert.rejects(approvals.answer(request, { who: later, say: 'approve' }), code('FORBIDDEN'));
  world.advance(expiresAt - world.now());
  await approvals.sweep();
  assert.deepEqual(escalated, [{ request, reviewers: ['oncall'], expiresAt: expiresAt + 60_000 }]);
  assert.equal(await statusOf(request), 'waiting');
  world.advance(59_000);
  await approvals.sweep();
  assert.equal(resolved.length, 0);
  world.advance(1_000);
  await approvals.sweep();
  assert.deepEqual(kinds(records), ['approval.requested', 'approval.escalated', 'approval.expired']);
  assert.deepEqual(
    resolved.map(({ status }) => status),
    ['expired'],
  );
  assert.equal(escalated.length, 1);
});

test('after the escalation either group releases the operation, and both see the request', async () => {
  for (const who of [later, bob]) {
    const { approvals, world, holder, records, resolved } = bench();
    const { request, expiresAt } = await approvals.open(holder, escalating());
    const seen = async (viewer: Subject): Promise<boolean> =>
      findRequest(store.db, sealingWith(new Uint8Array(32), realWorld), { viewer, id: request }).then(
        () => true,
        () => false,
      );
    assert.deepEqual([await seen(bob), await seen(later)], [true, false]);
    world.advance(expiresAt - world.now());
    await approvals.sweep();
    assert.deepEqual([await seen(bob), await seen(later)], [true, true]);
    await approvals.answer(request, { who, say: 'approve' });
    assert.deepEqual(kinds(records), ['approval.requested', 'approval.escalated', 'approval.granted']);
    assert.deepEqual(resolved[0]?.by, [who.id]);
  }
});

test('a request that another replica escalated goes on waiting, and its gateway is told', async () => {
  const [first, second] = [bench(), bench()];
  const hold = escalating();
  const two = { ...hold, requirements: hold.requirements.map((one) => ({ ...one, approval: { ...one.approval, quorum: 2 } })) };
  const { request, expiresAt } = await first.approvals.open(first.holder, two);
  for (const { world } of [first, second]) world.advance(expiresAt - world.now());
  await second.approvals.answer(request, { who: bob, say: 'approve' });
  await first.approvals.sweep();
  assert.deepEqual([await statusOf(request), second.escalated], ['waiting', []]);
  assert.deepEqual(first.escalated, [{ request, reviewers: ['oncall'], expiresAt: expiresAt + 60_000 }]);
  await first.approvals.answer(request, { who: carl, say: 'approve' });
  assert.deepEqual(kinds([...first.records, ...second.records]).sort(), [
    ...['approval.answered', 'approval.escalated', 'approval.granted', 'approval.requested'],
  ]);
});

test('half of one group and half of the other are not enough', async () => {
  const { approvals, world, holder, resolved } = bench();
  const two = escalating({ quorum: 2 });
  const hold = { ...two, requirements: two.requirements.map((one) => ({ ...one, approval: { ...one.approval, quorum: 2 } })) };
  const { request, expiresAt } = await approvals.open(holder, hold);
  await approvals.answer(request, { who: bob, say: 'approve' });
  world.advance(expiresAt - world.now());
  await approvals.sweep();
  await approvals.answer(request, { who: later, say: 'approve' });
  assert.equal(resolved.length, 0);
  await approvals.answer(request, { who: carl, say: 'approve' });
  assert.deepEqual(resolved[0]?.status, 'approved');
});

test('an answer in the moment of the escalation counts, and the escalation is recorded once though the store fails', async () => {
  const { approvals, world, holder, records, resolved, escalated, losing } = bench();
  const { expiresAt } = await approvals.open(holder, escalating());
  losing.before = 1;
  world.advance(expiresAt - world.now());
  for (let i = 0; i < 3; i += 1) await approvals.sweep().catch(() => undefined);
  assert.equal(losing.before, 0);
  assert.deepEqual([kinds(records), escalated.length], [['approval.requested', 'approval.escalated'], 1]);
  const second = await approvals.open(holder, escalating());
  world.advance(second.expiresAt - world.now() - 100);
  await approvals.answer(second.request, { who: later, say: 'refuse', comment: 'no' });
  assert.deepEqual(resolved.at(-1)?.by, ['user:olga']);
});

test('one operation may ask again with another decision, and not with the same', async () => {
  const { approvals, holder } = bench();
  const hold = testHold();
  const first = await approvals.open(holder, hold);
  await assert.rejects(approvals.open(holder, hold), code('CONFLICT'));
  const second = await approvals.open(holder, { ...hold, decision: `${hold.decision}x` });
  assert.notEqual(first.request, second.request);
});
