import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ApprovalTerms } from '#model';
import { counted, mayAnswer, satisfied } from './quorum.ts';
import type { Answerer, Asked } from './quorum.ts';

const asked: Asked = { requester: { id: 'agent:helper', onBehalfOf: 'user:ann' }, resource: { owner: 'team:shop' } };
const terms = (changes: Partial<ApprovalTerms> = {}): ApprovalTerms => ({
  reviewers: [{ group: 'dba', min: 1 }],
  quorum: 1,
  excludeRequester: true,
  timeoutMs: 1,
  onTimeout: 'deny',
  grant: { uses: 1, ttlMs: 1 },
  ...changes,
});
const person = (id: string, ...groups: string[]): Answerer => ({ id, type: 'user', groups });

test('a reviewer of the group satisfies a quorum of one', () => {
  assert.ok(satisfied(terms(), asked, [person('user:bob', 'dba')]));
  assert.ok(!satisfied(terms(), asked, [person('user:bob', 'engineering')]));
  assert.ok(!satisfied(terms(), asked, []));
});

test('the requester and the one it acts for never count, even where a rule does not exclude them', () => {
  const lenient = terms({ excludeRequester: false });
  assert.ok(!mayAnswer(lenient, asked, person('agent:helper', 'dba')));
  assert.ok(!mayAnswer(lenient, asked, person('user:ann', 'dba')));
});

test('agents and services never count', () => {
  assert.ok(!mayAnswer(terms(), asked, { id: 'agent:other', type: 'agent', groups: ['dba'] }));
  assert.ok(!mayAnswer(terms(), asked, { id: 'service:ci', type: 'service', groups: ['dba'] }));
});

test('the owner of the resource is its group or the person named as owner', () => {
  const byOwner = terms({ reviewers: [{ ownerOf: 'resource', min: 1 }] });
  assert.ok(satisfied(byOwner, asked, [person('user:carl', 'team:shop')]));
  assert.ok(satisfied(byOwner, { ...asked, resource: { owner: 'user:carl' } }, [person('user:carl')]));
  assert.ok(!satisfied(byOwner, asked, [person('user:carl', 'dba')]));
});

test('one person who answers twice is one person', () => {
  const two = terms({ quorum: 2 });
  assert.deepEqual(counted(two, asked, [person('user:bob', 'dba'), person('user:bob', 'dba')]), ['user:bob']);
  assert.ok(!satisfied(two, asked, [person('user:bob', 'dba'), person('user:bob', 'dba')]));
  assert.ok(satisfied(two, asked, [person('user:bob', 'dba'), person('user:eve', 'dba')]));
});

test('each kind of reviewer must be there with its minimum', () => {
  const both = terms({
    quorum: 2,
    reviewers: [
      { group: 'dba', min: 1 },
      { ownerOf: 'resource', min: 1 },
    ],
  });
  assert.ok(!satisfied(both, asked, [person('user:bob', 'dba'), person('user:eve', 'dba')]));
  assert.ok(satisfied(both, asked, [person('user:bob', 'dba'), person('user:carl', 'team:shop')]));
});

const groups = fc.subarray(['dba', 'security', 'team:shop', 'engineering']);
const answerer = fc.record({
  id: fc.constantFrom('user:ann', 'user:bob', 'user:carl', 'user:eve', 'agent:helper'),
  type: fc.constantFrom('user' as const, 'agent' as const, 'service' as const),
  groups,
});
const anyTerms = fc
  .record({
    reviewers: fc.array(fc.record({ group: fc.constantFrom('dba', 'security'), min: fc.integer({ min: 0, max: 3 }) }), {
      minLength: 1,
      maxLength: 3,
    }),
    quorum: fc.integer({ min: 0, max: 4 }),
  })
  .map(terms);

test('whatever the terms, answers of the requester side change nothing and more approvals never take away', () => {
  fc.assert(
    fc.property(anyTerms, fc.array(answerer, { maxLength: 6 }), answerer, (rule, approvers, more) => {
      const outside = approvers.filter((one) => one.id !== 'user:ann' && one.id !== 'agent:helper' && one.type === 'user');
      assert.equal(satisfied(rule, asked, approvers), satisfied(rule, asked, outside));
      if (satisfied(rule, asked, approvers)) assert.ok(satisfied(rule, asked, [...approvers, more]));
      if (satisfied(rule, asked, approvers)) assert.ok(counted(rule, asked, approvers).length >= Math.max(1, rule.quorum));
    }),
  );
});
