import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Ledger } from '#ledger';
import type { Bundle } from '#policy';
import { Fault, limits, type RecordDraft, type ResourceConfig } from '#model';
import type { BundleInForce } from './bundle.ts';
import type { SessionStart } from './point.ts';
import { LiveSessions } from './sessions.ts';
import { testWorld } from './testing/world.ts';

function setup() {
  const world = testWorld();
  const records: RecordDraft[] = [];
  let failing: Fault | undefined;
  const ledger = {
    append: (draft: RecordDraft) => {
      if (failing) return Promise.reject(failing);
      records.push(draft);
      return Promise.resolve({ origin: 'o', index: records.length, leaf: '' });
    },
  } as unknown as Ledger; // Only `append` is used here.
  const bundle = { current: () => ({ ref: { digest: 'sha256:0' } }) as unknown as Bundle } as BundleInForce;
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const sessions = new LiveSessions({ world, log, ledger, bundle });
  return { world, records, sessions, fail: (fault: Fault | undefined) => void (failing = fault) };
}

function start(name: string, lifeMs = 3_600_000): SessionStart {
  return {
    subject: { type: 'user', id: `user:${name}`, name, groups: [], roles: [] },
    resource: {
      resource: { type: 'database', id: 'pg:x', name: 'x', engine: 'postgres', env: 'prod', owner: 'team:x', labels: {} },
    } as unknown as ResourceConfig,
    point: 'postgres',
    source: '127.0.0.1:1',
    authentication: 'scram-sha-256',
    token: `tok_${name}`,
    expiresAt: testWorld().now() + lifeMs,
    client: 'psql',
  };
}

test('a session ends when its token expires, is revoked, or an operator ends it', async () => {
  const { world, sessions } = setup();
  const expiring = await sessions.open(start('a', 1_000));
  const revoked = await sessions.open(start('b'));
  const ended = await sessions.open(start('c'));
  world.advance(999);
  assert.equal(expiring.ended.aborted, false);
  world.advance(1);
  assert.match(String(expiring.ended.reason), /expired/);
  sessions.revoke(['tok_b', 'tok_unknown']);
  assert.match(String(revoked.ended.reason), /revoked/);
  assert.equal(sessions.terminate(ended.session.id, new Fault('FORBIDDEN', 'because')), true);
  assert.equal(sessions.terminate('ses_unknown', new Fault('FORBIDDEN', 'because')), false);
  assert.match(String(ended.ended.reason), /because/);
});

test('one subject cannot take all places, also not with a burst', async () => {
  const { sessions } = setup();
  const opened = await Promise.allSettled(Array.from({ length: limits.sessionsPerSubjectMax + 20 }, () => sessions.open(start('a'))));
  assert.equal(opened.filter(({ status }) => status === 'fulfilled').length, limits.sessionsPerSubjectMax);
  await sessions.open(start('b'));
});

test('a session that cannot be recorded does not open, and leaves no place taken', async () => {
  const { sessions, fail } = setup();
  fail(new Fault('LEDGER_FULL', 'no room'));
  await assert.rejects(sessions.open(start('a')), { code: 'LEDGER_FULL' });
  fail(undefined);
  await sessions.open(start('a'));
  assert.equal(sessions.count, 1);
});

test('the end of a session is recorded once, with the number of its operations', async () => {
  const { sessions, records } = setup();
  const live = await sessions.open(start('a'));
  assert.deepEqual([live.nextOperation().n, live.nextOperation().n], [1, 2]);
  const end = { reason: 'left', bytesUp: 1, bytesDown: 2 };
  await Promise.all([live.close(end), live.close(end)]);
  const closed = records.filter(({ kind }) => kind === 'session.closed');
  assert.deepEqual(closed, [{ kind: 'session.closed', session: live.session.id, operations: 2, ...end }]);
  assert.equal(sessions.count, 0);
});

test('refused logins take turns after a burst, so that strangers cannot fill the ledger', async () => {
  const { world, sessions, records } = setup();
  const refusal = { claimed: 'x', source: '127.0.0.1:1', point: 'postgres', resource: 'x', reason: 'wrong' };
  const burst = limits.refusalBurst;
  const refused = Array.from({ length: burst + 3 }, () => sessions.refuse(refusal));
  await Promise.all(refused.slice(0, burst));
  assert.equal(records.length, burst);
  world.advance(limits.refusalSpacingMs * 3);
  await Promise.all(refused);
  assert.equal(records.length, burst + 3);
});

test('a flood of refused logins is not even recorded, and passes', async () => {
  const { world, sessions } = setup();
  const refusal = { claimed: 'x', source: '127.0.0.1:1', point: 'postgres', resource: 'x', reason: 'wrong' };
  const flood = Array.from({ length: 1_000 }, () => sessions.refuse(refusal));
  const outcomes = Promise.allSettled(flood);
  world.advance(limits.loginMs + 1_000);
  const limited = (await outcomes).filter((outcome) => outcome.status === 'rejected');
  assert.ok(limited.length > 500);
  world.advance(1_000_000);
  await sessions.refuse(refusal);
});
