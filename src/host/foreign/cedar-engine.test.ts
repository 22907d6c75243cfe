import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cedarEngine } from './cedar-engine.ts';

const terms = { deadlineMs: 10_000, breaker: { failures: 3, pauseMs: 60_000 } };
const policies = {
  read: 'permit (principal, action == Action::"select", resource);',
  'no-drop': 'forbid (principal, action == Action::"drop", resource);',
};

function question(action: string) {
  const principal = { type: 'User', id: 'eve' };
  const resource = { type: 'Database', id: 'pg:orders' };
  return { principal, action: { type: 'Action', id: action }, resource, context: {}, entities: [] };
}

describe('Cedar in a thread of its own', () => {
  test('answers every request that it is asked about', async () => {
    const cedar = cedarEngine({ ...terms, policies });
    try {
      const answer = await cedar.ask([question('select'), question('drop'), question('update')], 0);
      assert.ok(answer.ok);
      assert.deepEqual(answer.result, [
        { decision: 'allow', diagnostics: { reason: ['read'], errors: [] } },
        { decision: 'deny', diagnostics: { reason: ['no-drop'], errors: [] } },
        { decision: 'deny', diagnostics: { reason: [], errors: [] } },
      ]);
    } finally {
      await cedar.close();
    }
  });

  test('gives no answer to what is no request, nor with policies that it does not understand', async () => {
    const cedar = cedarEngine({ ...terms, policies });
    const broken = cedarEngine({ ...terms, policies: { wrong: 'permit (' } });
    try {
      for (const nonsense of [[{}], 7, [{ ...question('select'), context: { n: 1.5 } }]]) {
        const answer = await cedar.ask(nonsense, 0);
        assert.equal(answer.ok, false, JSON.stringify(nonsense));
      }
      const answer = await broken.ask([question('select')], 0);
      assert.ok(!answer.ok && answer.why.startsWith('Cedar does not understand the policies'));
    } finally {
      await Promise.all([cedar.close(), broken.close()]);
    }
  });
});
