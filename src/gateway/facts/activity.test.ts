import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import fc from 'fast-check';
import { loadInspectors } from '#inspect';
import { activityFactNames } from '#model';
import { bundleOf, factsLaboratory, policyText, session } from '../testing/facts.ts';
import { testWorld } from '../testing/world.ts';
import { Activities } from './activity.ts';
import { Tally } from './tally.ts';

before(loadInspectors);

const minute = 60_000;

describe('a tally', () => {
  test('counts what happened in the last minutes, never less, and at most ten seconds more', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ after: fc.nat(400_000), count: fc.nat(5) }), { maxLength: 60 }),
        fc.nat(1_200_000),
        fc.constantFrom(1, 5, 15),
        (events, later, minutes) => {
          const tally = new Tally();
          let now = 0;
          const happened = events.map(({ after, count }) => {
            now += after;
            tally.add(now, count);
            return { at: now, count };
          });
          now += later;
          const since = (from: number): number => happened.filter(({ at }) => at >= from).reduce((sum, { count }) => sum + count, 0);
          const told = tally.last(now, minutes);
          assert.ok(told >= since(now - minutes * minute), 'never less');
          assert.ok(told <= since(now - minutes * minute - 10_000), 'at most ten seconds more');
          assert.equal(tally.total, since(0));
        },
      ),
    );
  });
});

describe('what sessions and subjects did', () => {
  const activities = (max?: number) => {
    const world = testWorld();
    const made = new Activities(world, max);
    const [ofSession, ofSubject] = made.producers;
    assert.ok(ofSession && ofSubject);
    const request = { now: world.now() } as never; // Nothing else of it is read.
    return {
      world,
      made,
      session: (live: ReturnType<typeof session>) => ofSession.produce({ live, request }) as { value: Record<string, unknown> },
      subject: (live: ReturnType<typeof session>) => ofSubject.produce({ live, request }) as { value: Record<string, unknown> },
    };
  };

  test('has the names that the analysis of policies knows', () => {
    const { session: told } = activities();
    assert.deepEqual(Object.keys(told(session()).value).toSorted(), [...activityFactNames].toSorted());
  });

  test('a new session begins anew, its subject does not', () => {
    const { made, session: ofSession, subject } = activities();
    const [first, second] = [session(), session()];
    made.decided(first, 5, 3);
    made.shown(first, 100);
    assert.deepEqual([ofSession(second).value['denied'], ofSession(first).value['denied']], [0, 3]);
    const told = subject(second).value;
    assert.deepEqual([told['denied_last_5m'], told['operations'], told['rows_last_1m']], [3, 5, 100]);
    assert.equal(subject(session('user:other')).value['denied'], 0);
  });

  test('remembers so many subjects and no more; who was quiet for longest is forgotten', () => {
    const { made, subject } = activities(2);
    for (const id of ['user:a', 'user:b', 'user:a', 'user:c']) made.decided(session(id), 1, 1);
    assert.equal(subject(session('user:a')).value['denied'], 2);
    assert.equal(subject(session('user:b')).value['denied'], 0);
  });
});

test('a rule about denials stops a session that was denied too often, until it was quiet for long enough', async () => {
  const rules = `    - { id: read, effect: allow, match: { sql.verbs: [select] } }
    - { id: patience, effect: deny, when: 'facts.session.denied_last_5m >= 3', reason: TOO_MANY_DENIALS }`;
  const lab = factsLaboratory(bundleOf(policyText('access', rules)));
  const live = session();
  const reason = async (text: string): Promise<string> => {
    const admission = await lab.admit(live, text);
    return admission.kind === 'released' ? 'released' : admission.refusal.reason;
  };
  for (let i = 0; i < 3; i += 1) assert.equal(await reason('DROP TABLE t'), 'NO_MATCHING_ALLOW');
  assert.equal(await reason('SELECT 1'), 'TOO_MANY_DENIALS');
  assert.equal((await lab.admit(session(), 'SELECT 1')).kind, 'released', 'another session');
  lab.world.advance(5 * minute + 10_000);
  assert.equal(await reason('SELECT 1'), 'released');
  assert.equal(lab.records[3]?.decision.reads['facts.session.denied_last_5m'], 3);
});

test('rows that a session was shown count once they are settled', async () => {
  const rules = `    - { id: read, effect: allow, match: { sql.verbs: [select] } }
    - { id: enough, effect: deny, when: 'facts.subject.rows_last_15m > 1000', reason: ENOUGH }`;
  const lab = factsLaboratory(bundleOf(policyText('access', rules)));
  const live = session();
  await lab.settle(await lab.admit(live, 'SELECT 1'), 1000);
  const second = await lab.admit(live, 'SELECT 1');
  await lab.settle(second, 1);
  const third = await lab.admit(session(), 'SELECT 1');
  assert.ok(third.kind === 'refused' && third.refusal.reason === 'ENOUGH');
});
