import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits, type Decision, type Operation, type Requirement, type ResourceConfig } from '#model';
import { Holds } from './hold.ts';
import type { HoldNotice, LiveSession } from './point.ts';
import { testHoldLink } from './testing/hold-link.ts';
import { testWorld } from './testing/world.ts';

const requirement: Requirement = {
  rule: 'writes/unbounded',
  reason: 'APPROVAL_REQUIRED',
  message: 'A reviewer must agree.',
  bound: 'b'.repeat(64),
  approval: {
    reviewers: [{ group: 'dba', min: 1 }],
    quorum: 1,
    excludeRequester: true,
    timeoutMs: 600_000,
    onTimeout: 'deny',
    grant: { uses: 1, ttlMs: 60_000 },
  },
};

function setup(requirements: readonly Requirement[] = [requirement], text = 'DELETE FROM orders') {
  const world = testWorld();
  const link = testHoldLink(() => world.now());
  const end = new AbortController();
  const cancel = new AbortController();
  const subject = { type: 'user', id: 'user:engineer', name: 'engineer', groups: ['engineering'], roles: [] } as const;
  const resource = {
    type: 'database',
    id: 'pg:orders',
    name: 'orders',
    engine: 'postgres',
    env: 'prod',
    owner: 'team:shop',
    labels: {},
  } as const;
  const live: LiveSession = {
    session: { id: 'ses_1', subject, resource, point: 'postgres', source: '', authentication: '', token: '', client: '', openedAt: 0 },
    config: {} as ResourceConfig,
    ended: end.signal,
    nextOperation: () => ({ id: 'op_1', n: 1 }),
    close: () => Promise.resolve(),
  };
  const operation: Operation = {
    id: 'op_1',
    n: 1,
    target: 'sql',
    verb: 'delete',
    text,
    parameters: [],
    normalized: text,
    objects: [],
    certainty: 'parsed',
    unknown: [],
    attributes: {},
    namespace: '',
    can: [],
  };
  const decision: Decision = {
    verdict: 'pending',
    reason: 'APPROVAL_REQUIRED',
    message: '',
    obligations: [],
    requirements,
    grantsUsed: [],
    decisive: [],
    matched: [],
    bundle: { name: 'b', version: '1', digest: 'sha256:0' },
    warnings: [],
    errors: [],
  };
  const notices: HoldNotice[] = [];
  const holds = new Holds(world, link);
  const answer = holds.ask(
    live,
    { operation, decision, decisionId: 'dec_1' },
    { signal: cancel.signal, onHold: (notice) => notices.push(notice) },
  );
  return { world, link, end, cancel, answer, notices, holds };
}

/** Lets the microtasks of an already answered question run. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('an approval that covers the requirement gives its grant', async () => {
  const { link, answer, notices } = setup();
  await settled();
  assert.equal(notices[0]?.request, link.asked[0]?.id);
  assert.deepEqual(notices[0]?.reviewers, ['dba']);
  link.resolve(link.asked[0]?.id ?? '', 'approved');
  const result = await answer;
  assert.equal(result.kind, 'granted');
  assert.equal(result.kind === 'granted' && result.grants[0]?.bound, requirement.bound);
});

const forgeries: readonly (readonly [string, Parameters<ReturnType<typeof testHoldLink>['resolve']>[2]])[] = [
  ['a changed grant', ({ grant, signature }) => ({ grant: { ...grant, uses: 99 }, signature })],
  ['a signature of nobody', ({ grant }) => ({ grant, signature: Buffer.alloc(64).toString('base64') })],
  ['a signature that is not base64', ({ grant }) => ({ grant, signature: '!' })],
];
for (const [name, change] of forgeries) {
  test(`${name} releases nothing`, async () => {
    const { link, answer } = setup();
    await settled();
    link.resolve(link.asked[0]?.id ?? '', 'approved', change);
    const result = await answer;
    assert.equal(result.kind === 'refused' && result.fault.code, 'APPROVAL_REFUSED');
  });
}

test('a refusal, a timeout, a cancel, a lost session and a lost link each end the hold with their own code', async () => {
  const ends: readonly (readonly [code: string, withdrawn: number, act: (one: ReturnType<typeof setup>) => void])[] = [
    ['APPROVAL_REFUSED', 0, ({ link }) => link.resolve(link.asked[0]?.id ?? '', 'refused')],
    ['APPROVAL_TIMEOUT', 0, ({ link }) => link.resolve(link.asked[0]?.id ?? '', 'expired')],
    ['APPROVAL_TIMEOUT', 1, ({ world }) => world.advance(700_000)],
    ['APPROVAL_WITHDRAWN', 1, ({ cancel }) => cancel.abort()],
    ['APPROVAL_WITHDRAWN', 1, ({ end }) => end.abort()],
    ['CONTROL_UNREACHABLE', 0, ({ link }) => link.lose()],
  ];
  for (const [code, withdrawn, act] of ends) {
    const one = setup();
    await settled();
    act(one);
    const result = await one.answer;
    assert.equal(result.kind === 'refused' && result.fault.code, code);
    assert.equal(one.link.withdrawn.length, withdrawn);
  }
});
test('who waits is told when others are asked, and waits as long as they are', async () => {
  assert.ok(requirement.approval);
  const escalateTo = { reviewers: [{ group: 'oncall', min: 1 }], quorum: 1, timeoutMs: 300_000 };
  const { link, world, answer, notices } = setup([
    { ...requirement, approval: { ...requirement.approval, onTimeout: 'escalate', escalateTo } },
  ]);
  await settled();
  const [{ id, request } = assert.fail('nothing was asked')] = link.asked;
  assert.equal(request.timeoutMs, 900_000);
  link.escalate(id, ['oncall'], 42);
  assert.deepEqual(
    notices.map(({ request: of, reviewers }) => [of, reviewers]),
    [
      [id, ['dba']],
      [id, ['oncall']],
    ],
  );
  world.advance(700_000);
  link.resolve(id, 'approved');
  assert.equal((await answer).kind, 'granted');
});

test('an answer after the end of a hold changes nothing', async () => {
  const { link, cancel, answer } = setup();
  await settled();
  cancel.abort();
  link.resolve(link.asked[0]?.id ?? '', 'approved');
  assert.equal((await answer).kind, 'refused');
});

test('a text that is too long to be read is never put to a reviewer', async () => {
  const { link, answer } = setup([requirement], 'x'.repeat(limits.approvalTextBytesMax + 1));
  const result = await answer;
  assert.equal(result.kind === 'refused' && result.fault.code, 'APPROVAL_TOO_LONG');
  assert.equal(link.asked.length, 0);
});

test('a challenge that nobody could answer on this connection is refused at once', async () => {
  const { link, answer } = setup([{ ...requirement, stepUp: { acr: 'urn:example:loa:3', maxAgeMs: 1 } }]);
  const result = await answer;
  assert.equal(result.kind === 'refused' && result.fault.code, 'CANNOT_ENFORCE');
  assert.equal(link.asked.length, 0);
});
