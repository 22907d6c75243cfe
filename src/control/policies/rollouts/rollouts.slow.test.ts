import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sql } from 'kysely';
import { realWorld } from '#host';
import { Fault } from '#model';
import type { RecordDraft, RolloutOffer } from '#model';
import { compileBundle } from '#policy';
import { putSubject } from '../../identity/subjects.ts';
import { openStore } from '../../store/database.ts';
import type { Store } from '../../store/database.ts';
import { migrate } from '../../store/migrate.ts';
import { fakeWorld } from '../../testing/fake-world.ts';
import { collectingLog, startTestServer } from '../../testing/installation.ts';
import type { TestServer } from '../../testing/installation.ts';
import { openRollouts } from './rollouts.ts';

let server: TestServer;
let store: Store;

before(async () => {
  server = await startTestServer();
  store = await openStore(await server.database(), { world: realWorld, log: collectingLog() });
  await migrate(store);
});

after(async () => {
  await store?.close();
  await server?.stop();
});

const policy = `apiVersion: warder/v1
kind: Policy
metadata: { name: p }
spec:
  owner: team:x
  tier: org
  risk: { class: low }
  review: { last: 2026-01-01, every: P90D }
  target: sql
  rules:
    - { id: new, effect: deny, reason: NEW, match: { sql.verbs: [drop] } }
`;

const rollout = (name: string, more: string): string => `---
apiVersion: warder/v1
kind: Rollout
metadata: { name: ${name} }
spec:
  subject: { policy: p, rules: [new] }
  from: audit
  to: enforce
  key: subject.id
  salt: s
  steps: [{ shadow: true, hold: PT1H }, { percent: 50 }, { percent: 100 }]
  ${more}
`;

interface Bench {
  readonly name: string;
  readonly more: string;
}

let n = 0;

async function bench({ name, more }: Bench) {
  n += 1;
  const origin = `ledger.local/gateway-${n}`;
  const world = fakeWorld();
  const records: RecordDraft[] = [];
  const offers: RolloutOffer[] = [];
  const state = { text: policy + rollout(name, more), by: 'user:alice', away: 0, meanwhile: async () => {} };
  await store.db.insertInto('mirror').values({ origin, vkey: 'k', entries: 0, leaf: '' }).execute();
  const rollouts = openRollouts({
    store,
    world,
    log: collectingLog(),
    ledger: {
      async append(draft) {
        records.push(draft);
        await state.meanwhile();
        return { origin: 'ledger.local/control', index: records.length - 1, leaf: '' };
      },
    },
    bundles: {
      async current() {
        if (state.away > 0 && records.length > 0) {
          state.away -= 1;
          throw new Fault('STORE_UNREACHABLE', 'the store is away');
        }
        const files = [{ path: 'p.yaml', text: state.text }];
        const compiled = compileBundle(files);
        assert.ok(compiled.ok, JSON.stringify(compiled));
        return { by: state.by, source: { ref: compiled.bundle.ref, files, activatedAt: 0, signature: '' } };
      },
    },
    onMoved: (offer) => offers.push(offer),
  });
  let entries = 0;
  const decided = async (count: number, decision: Record<string, unknown> = {}): Promise<void> => {
    const bundle = { name: 'b', version: '1', digest: 'sha256:0' };
    const what = { target: 'sql', resource: 'r', verb: 'select', objects: [], normalized: '', certainty: 'parsed' };
    const rows = Array.from({ length: count }, (_, k) => {
      const i = entries + k;
      const summary = {
        id: `dec_${n}_${i}`,
        verdict: 'allow',
        reason: 'ALLOWED',
        rules: [],
        matched: [],
        obligations: [],
        bundle,
        reads: {},
        ...decision,
      };
      const line = JSON.stringify({
        i,
        t: world.now(),
        session: 's',
        operation: `op_${i}`,
        n: i,
        who: { subject: 'user:a' },
        what,
        decision: summary,
      });
      return { origin, i, kind: 'operation.decided', t: world.now(), session: 's', operation: `op_${i}`, n: i, line };
    });
    await store.db
      .insertInto('record')
      .values(
        rows.map((row) => ({ ...row, decision: null, subject: null, on_behalf_of: null, resource: null, verdict: null, reason: null })),
      )
      .execute();
    entries += count;
    await store.db.updateTable('mirror').set({ entries }).where('origin', '=', origin).execute();
  };
  const view = async () => {
    const found = (await rollouts.list()).find((one) => one.name === name);
    assert.ok(found);
    return found;
  };
  const ledger = (many: number) => store.db.updateTable('mirror').set({ entries: many }).where('origin', '=', origin).execute();
  return { rollouts, world, records, offers, decided, view, state, ledger };
}

const person = (id: string) => ({ type: 'user', id }) as const;
const alice = person('user:alice');
const bob = person('user:bob');
const gates = 'gates: [{ metric: new_denies_per_1000, max: 10, atLeast: 10 }]';
const denied = { verdict: 'deny', reason: 'NEW', rules: ['p/new'] };
const code = (wanted: string) => (error: unknown) => error instanceof Fault && error.code === wanted;

test('a rollout goes from step to step when its gates pass, tells the gateways, and is complete after the last one', async () => {
  const { rollouts, world, offers, decided, view, records } = await bench({ name: 'forward', more: gates });
  await rollouts.look();
  assert.deepEqual([(await view()).step, (await view()).waits], [1, 'new_denies_per_1000: 0 of 10 decisions were made so far']);
  await decided(10);
  await rollouts.look();
  assert.match((await view()).waits ?? '', /this step lasts until/);
  world.advance(3_600_000);
  await rollouts.look();
  assert.deepEqual([(await view()).step, offers.at(-1)?.steps], [2, { forward: 2 }]);
  // What was counted before says nothing about the new step.
  await rollouts.look();
  assert.equal((await view()).step, 2);
  await decided(10);
  await rollouts.look();
  await decided(10);
  await rollouts.look();
  assert.deepEqual([(await view()).step, (await view()).status], [3, 'complete']);
  assert.deepEqual(
    records.flatMap((record) => (record.kind === 'rollout.moved' ? [[record.step, record.status, record.by]] : [])),
    [
      [2, 'running', 'control'],
      [3, 'running', 'control'],
      [3, 'complete', 'control'],
    ],
  );
  assert.deepEqual((await rollouts.offer()).steps, { forward: 3 });
});

test('a gate that fails rolls back by itself, raises an alarm, and stays so until somebody resumes', async () => {
  const { rollouts, offers, decided, view, records } = await bench({ name: 'back', more: gates });
  await rollouts.look();
  await decided(9);
  await decided(1, denied);
  await rollouts.look();
  assert.deepEqual([(await view()).step, (await view()).status, offers.at(-1)?.steps], [0, 'rolled_back', { back: 0 }]);
  assert.match((await view()).reason, /new_denies_per_1000 is 100, at most 10/);
  assert.ok(records.some((record) => record.kind === 'alarm.raised' && record.object === 'back'));
  await decided(50);
  await rollouts.look();
  assert.equal((await view()).status, 'rolled_back');
  await rollouts.act('back', { action: 'resume', by: bob, comment: 'mended' });
  assert.deepEqual([(await view()).step, (await view()).status, (await view()).reason], [1, 'running', 'mended']);
  assert.ok(records.some((record) => record.kind === 'alarm.cleared'));
  assert.equal((await view()).measured?.decisions, 0);
});

test('with onGateFailure: hold the step stays, and nobody more comes in', async () => {
  const { rollouts, decided, view } = await bench({ name: 'holding', more: `${gates}\n  onGateFailure: hold\n  step: 2` });
  await rollouts.look();
  await decided(10, denied);
  await rollouts.look();
  assert.deepEqual([(await view()).step, (await view()).status], [2, 'held']);
  await assert.rejects(rollouts.act('holding', { action: 'hold', by: bob }), code('CONFLICT'));
  const rolled = await rollouts.act('holding', { action: 'rollback', by: bob });
  assert.deepEqual([rolled.step, rolled.status], [0, 'rolled_back']);
});

test('a manual gate is opened for one step by somebody else than who put the bundle in force', async () => {
  const { rollouts, world, view, records } = await bench({ name: 'asking', more: 'gates: [{ metric: manual }]' });
  await rollouts.look();
  await assert.rejects(rollouts.act('asking', { action: 'approve', by: alice }), code('FORBIDDEN'));
  for (const type of ['agent', 'service'] as const)
    await assert.rejects(rollouts.act('asking', { action: 'approve', by: { type, id: `${type}:bot` } }), code('FORBIDDEN'));
  world.advance(3_600_000);
  const view1 = await rollouts.act('asking', { action: 'approve', by: bob });
  assert.deepEqual([view1.step, view1.status], [2, 'running']);
  assert.deepEqual(
    records.flatMap((record) => (record.kind === 'rollout.moved' ? [[record.step, record.by]] : [])),
    [
      [1, 'user:bob'],
      [2, 'control'],
    ],
  );
  await rollouts.look();
  assert.deepEqual([(await view()).step, (await view()).waits], [2, 'somebody must approve this step']);
  await assert.rejects(rollouts.act('nothing', { action: 'approve', by: bob }), code('NOT_FOUND'));
});

test('a changed document begins anew at its own step, and one without gates is moved by nobody', async () => {
  const { rollouts, decided, view, state, world } = await bench({ name: 'changing', more: gates });
  await rollouts.look();
  await decided(10);
  world.advance(3_600_000);
  await rollouts.look();
  assert.equal((await view()).step, 2);
  state.text = policy + rollout('changing', `${gates}\n  step: 1`);
  assert.deepEqual((await rollouts.offer()).steps, {});
  await rollouts.look();
  assert.deepEqual([(await view()).step, (await view()).measured?.decisions], [1, 0]);
  state.text = policy + rollout('changing', 'step: 3');
  await rollouts.look();
  assert.deepEqual([(await view()).step, (await view()).status], [3, 'by_hand']);
  assert.deepEqual((await rollouts.offer()).steps, {});
  await assert.rejects(rollouts.act('changing', { action: 'rollback', by: bob }), code('CONFLICT'));
});

test('decisions from before the step began do not count, whenever they arrive', async () => {
  const { rollouts, decided, view, world } = await bench({ name: 'late', more: gates });
  await rollouts.look();
  world.step(-60_000);
  await decided(20, denied);
  world.step(60_000);
  await decided(5);
  await rollouts.look();
  assert.deepEqual([(await view()).status, (await view()).measured?.decisions], ['running', 5]);
});

test('an approval opens the gate for the bundle that was in force, and for no other one', async () => {
  const { rollouts, world, view, state } = await bench({ name: 'waiting', more: 'gates: [{ metric: manual }]' });
  await rollouts.look();
  await rollouts.act('waiting', { action: 'approve', by: bob });
  assert.match((await view()).waits ?? '', /this step lasts until/);
  state.text = state.text.replace('[drop]', '[drop, delete]');
  world.advance(3_600_000);
  await rollouts.look();
  assert.deepEqual([(await view()).step, (await view()).waits], [1, 'somebody must approve this step']);
  await rollouts.act('waiting', { action: 'approve', by: bob });
  assert.equal((await view()).step, 2);
});

test('gateways that could not be told of a step are told at the next look', async () => {
  const { rollouts, offers, state } = await bench({ name: 'untold', more: gates });
  await rollouts.look();
  state.away = 1;
  await assert.rejects(rollouts.act('untold', { action: 'rollback', by: bob }), code('STORE_UNREACHABLE'));
  assert.deepEqual(offers, []);
  await rollouts.look();
  assert.deepEqual(
    offers.map(({ steps }) => steps),
    [{ untold: 0 }],
  );
  await rollouts.look();
  assert.equal(offers.length, 1);
});

test('a rollback that is said while the first look begins the rollout is not lost', async () => {
  const { rollouts, view, state } = await bench({ name: 'at-once', more: gates });
  let looking: Promise<void> | undefined;
  state.meanwhile = async () => {
    if (looking !== undefined) return;
    looking = rollouts.look();
    const waiting = sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    while ((await waiting.execute(store.db)).rows.length === 0);
  };
  await rollouts.act('at-once', { action: 'rollback', by: bob });
  await looking;
  assert.deepEqual([(await view()).step, (await view()).status], [0, 'rolled_back']);
});

test('whom the one acts for who put the bundle in force does not approve its steps', async () => {
  const { rollouts, state } = await bench({ name: 'delegated', more: 'gates: [{ metric: manual }]' });
  const agent = { id: 'agent:pusher', name: 'pusher', type: 'agent', groups: [], roles: ['policy-author'] } as const;
  await putSubject(store.db, { ...agent, onBehalfOf: { id: 'user:dora', verified: true } }, realWorld);
  state.by = agent.id;
  await assert.rejects(rollouts.act('delegated', { action: 'approve', by: person('user:dora') }), code('FORBIDDEN'));
  assert.equal((await rollouts.act('delegated', { action: 'approve', by: bob })).gates[0]?.state, 'passes');
});

test('an approval of another step than the present one is refused', async () => {
  const { rollouts, view } = await bench({ name: 'twice', more: 'step: 2\n  gates: [{ metric: manual }]' });
  await rollouts.act('twice', { action: 'approve', by: bob, step: 2 });
  assert.equal((await view()).step, 3);
  await assert.rejects(rollouts.act('twice', { action: 'approve', by: person('user:carol'), step: 2 }), code('CONFLICT'));
  assert.equal((await view()).status, 'running');
});

test('no step is taken while decisions of the present one were not looked at yet', async () => {
  const { rollouts, view, world, decided, ledger } = await bench({ name: 'behind', more: gates });
  await rollouts.look();
  await decided(10);
  world.advance(3_600_000);
  await ledger(90_000);
  for (let i = 0; i < 3; i += 1) {
    assert.equal((await view()).step, 1);
    await rollouts.look();
  }
  for (let i = 0; i < 3; i += 1) await rollouts.look();
  assert.equal((await view()).step, 2);
});
