import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import fc from 'fast-check';
import { loadInspectors } from '#inspect';
import { limits, type Engine, type EngineAnswer } from '#model';
import { bundleOf, engineText, factsLaboratory, policyText, session, type FactsLaboratory } from '../testing/facts.ts';

before(loadInspectors);

const read = policyText('access', '    - { id: read, effect: allow, match: { sql.verbs: [select] } }');
/** As the import writes it: nothing passes but what the engine allows. */
const wrapper = policyText(
  'wrapper',
  `    - { id: denied, effect: deny, when: 'has(facts.foreign.old.result) ? !facts.foreign.old.result.allow : false', reason: FOREIGN_DENY }
    - { id: allowed, effect: allow, when: 'has(facts.foreign.old.result) ? facts.foreign.old.result.allow : false' }
    - { id: silent, effect: deny, when: '!has(facts.foreign.old.result)', reason: FOREIGN_UNDEFINED }
`,
  '  requires: { facts: [foreign.old] }\n',
);
const wrapped = () => bundleOf(engineText('old'), wrapper);

type Ask = (nowMs: number) => Promise<EngineAnswer>;
function engine(ask: Ask, closed: () => void = () => undefined): Engine {
  return { ask: (_input, nowMs) => ask(nowMs), ready: () => Promise.resolve(), close: () => Promise.resolve(closed()) };
}

async function verdict(lab: FactsLaboratory, text = 'SELECT 1'): Promise<string> {
  const admission = await lab.admit(session(), text);
  return admission.kind === 'released' ? 'released' : admission.refusal.reason;
}

/** Lets everything happen that waits for nothing but other promises. */
async function quiet(): Promise<void> {
  for (let i = 0; i < 50; i += 1) await Promise.resolve();
}

describe('facts of an engine', () => {
  test('nobody is asked when no rule of the target reads a fact', async () => {
    const lab = factsLaboratory(bundleOf(read, engineText('old')));
    assert.equal(await verdict(lab), 'released');
    assert.equal(lab.records[0]?.decision.facts, undefined);
  });

  test('nobody is asked when the match of every rule that reads facts fails without them', async () => {
    const elsewhere = policyText(
      'wrapper',
      `    - { id: denied, effect: deny, reason: NO_ONE, when: 'facts.foreign.old.result == 1' }`,
      '  match: { resource.env: [dev] }\n',
    );
    const lab = factsLaboratory(bundleOf(read, elsewhere, engineText('old')));
    assert.equal(await verdict(lab), 'released');
  });

  test('a rule of the response phase has the facts of the request', async () => {
    const later = policyText(
      'later',
      `    - { id: hide, effect: deny, reason: HIDDEN, match: { result.columns.name: [secret] }, when: 'facts.foreign.old.result == "hide"' }`,
      '  phase: response\n',
    );
    let asked = 0;
    const lab = factsLaboratory(bundleOf(read, later, engineText('old')), () =>
      engine(() => {
        asked += 1;
        return Promise.resolve({ ok: true, result: 'hide' });
      }),
    );
    const admission = await lab.admit(session(), 'SELECT 1');
    assert.ok(admission.kind === 'released');
    const shown = (column: string): string => {
      const guard = lab.guard(admission, column);
      return 'kind' in guard ? guard.kind : guard.reason;
    };
    assert.deepEqual([shown('secret'), shown('other')], ['HIDDEN', 'guard']);
    assert.equal(asked, 1);
  });

  test('in the response phase an engine of the bundle before says nothing, while one that both have does', async () => {
    const later = policyText(
      'later',
      `    - { id: hide, effect: deny, reason: HIDDEN, when: 'facts.foreign.old.result == "hide"' }`,
      '  phase: response\n',
    );
    const lab = factsLaboratory(bundleOf(read, later, engineText('old')), () =>
      engine(() => Promise.resolve({ ok: true, result: 'show' })),
    );
    const admission = await lab.admit(session(), 'SELECT 1');
    const shown = (): string => {
      const guard = lab.guard(admission, 'a');
      return 'kind' in guard ? guard.kind : guard.reason;
    };
    lab.activate(
      bundleOf(
        read,
        later,
        engineText('old'),
        policyText('more', '    - { id: drops, effect: deny, reason: NO_DROPS, match: { sql.verbs: [drop] } }'),
      ),
    );
    assert.equal(shown(), 'guard');
    lab.activate(bundleOf(read, later, engineText('old').replace('hoop.v1', 'authzen')));
    assert.equal(shown(), 'EVALUATION_ERROR');
  });

  test('what an engine said is recorded with its digest and the time it took, and what it said of it', async () => {
    const lab = factsLaboratory(wrapped(), () =>
      engine(() => {
        lab.world.advance(3);
        return Promise.resolve({ ok: true, result: { allow: true } });
      }),
    );
    assert.equal(await verdict(lab), 'released');
    const [record] = lab.records;
    assert.deepEqual(record?.decision.reads['facts.foreign.old.result.allow'] ?? record?.decision.reads['facts.foreign.old.result'], {
      allow: true,
    });
    const [fact, ...others] = record?.decision.facts ?? [];
    assert.deepEqual(others, []);
    assert.deepEqual([fact?.fact, fact?.engine, fact?.status, fact?.latencyUs], ['foreign.old', 'opa-remote', 'answered', 3000]);
    for (const digest of [fact?.digest, fact?.answer]) assert.match(digest ?? '', /^sha256:[0-9a-f]{64}$/);
  });

  test('an engine that falls silent is told to the log once, and once when it speaks again', async () => {
    let answer: EngineAnswer = { ok: false, because: 'late', why: 'no answer within 1 ms' };
    const lab = factsLaboratory(wrapped(), () => engine(() => Promise.resolve(answer)));
    for (let i = 0; i < 3; i += 1) assert.equal(await verdict(lab), 'EVALUATION_ERROR');
    answer = { ok: true, result: { allow: true } };
    for (let i = 0; i < 3; i += 1) assert.equal(await verdict(lab), 'released');
    assert.equal(lab.logged.length, 2);
    assert.match(lab.logged[0] ?? '', /gives no answers; .*"because":"late"/);
    assert.deepEqual(
      lab.records[0]?.decision.facts?.map(({ status, because }) => [status, because]),
      [['unavailable', 'late']],
    );
  });

  test('the rule says what a missing fact means: a deny that skips does nothing, an allow gives nothing', async () => {
    const silent = () => engine(() => Promise.resolve({ ok: false, because: 'failed', why: '' }));
    const skipping = policyText(
      'wrapper',
      `    - { id: denied, effect: deny, when: '!facts.foreign.old.result.allow', onUnavailable: skip, reason: NO_ANSWER }`,
      '  requires: { facts: [foreign.old] }\n',
    );
    assert.equal(await verdict(factsLaboratory(bundleOf(read, skipping, engineText('old')), silent)), 'released');
    const allowing = policyText('wrapper', `    - { id: ok, effect: allow, when: 'facts.foreign.old.result.allow' }`);
    assert.equal(await verdict(factsLaboratory(bundleOf(allowing, engineText('old')), silent)), 'NO_MATCHING_ALLOW');
  });

  test('a batch waits for its facts no longer than all of them may take together', async () => {
    const lab = factsLaboratory(wrapped(), () => engine(() => new Promise(() => undefined)));
    const texts = Array.from({ length: 100 }, (_, n) => `SELECT ${n}`);
    const admitting = lab.admit(session(), ...texts);
    await quiet();
    lab.world.advance(limits.factsMs);
    const admission = await admitting;
    assert.ok(admission.kind === 'refused' && admission.refusal.reason === 'EVALUATION_ERROR');
  });

  test('no more questions of one batch are under way than there may be', async () => {
    let under = 0;
    let most = 0;
    const releases: (() => void)[] = [];
    const lab = factsLaboratory(wrapped(), () =>
      engine(async () => {
        under += 1;
        most = Math.max(most, under);
        await new Promise<void>((resolve) => releases.push(resolve));
        under -= 1;
        return { ok: true, result: { allow: true } };
      }),
    );
    const admitting = lab.admit(session(), ...Array.from({ length: 30 }, (_, n) => `SELECT ${n}`));
    for (let i = 0; i < 30; i += 1) {
      await quiet();
      releases.shift()?.();
    }
    assert.equal((await admitting).kind, 'released');
    assert.equal(most, limits.factsQuestionsMax);
  });

  test('what was found out for one bundle decides nothing under the next', async () => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<EngineAnswer>();
    const lab = factsLaboratory(wrapped(), () =>
      engine(() => {
        asked.resolve();
        return answer.promise;
      }),
    );
    const admitting = verdict(lab);
    await asked.promise;
    lab.activate(bundleOf(policyText('strict', '    - { id: no, effect: deny, reason: CHANGED_MEANWHILE }')));
    answer.resolve({ ok: true, result: { allow: true } });
    assert.equal(await admitting, 'CHANGED_MEANWHILE');
  });

  test('an engine that two bundles share goes on, and one that is gone is closed', async () => {
    const closed: string[] = [];
    let opened = 0;
    const first = bundleOf(engineText('old'), engineText('other'), wrapper);
    const lab = factsLaboratory(first, ({ fact }) => {
      opened += 1;
      return engine(
        () => Promise.resolve({ ok: true, result: { allow: true } }),
        () => closed.push(fact),
      );
    });
    await lab.engines.ready(first);
    assert.equal(opened, 2);
    lab.activate(wrapped());
    assert.equal(await verdict(lab), 'released');
    assert.deepEqual([opened, closed], [2, ['other']]);
  });
});

/** What an engine can do to a question. Only `yes` is an answer that allows. */
const behaviours = ['yes', 'no', 'undefined', 'garbage', 'null', 'truthy', 'late', 'never', 'rejects', 'throws', 'wrong', 'proto'] as const;
type Behaviour = (typeof behaviours)[number];

function behave(behaviour: Behaviour, advance: (ms: number) => void): Promise<EngineAnswer> {
  const said = (result: unknown): Promise<EngineAnswer> => Promise.resolve({ ok: true, result });
  switch (behaviour) {
    case 'yes':
      return said({ allow: true });
    case 'no':
      return said({ allow: false });
    case 'undefined':
      return Promise.resolve({ ok: true });
    case 'garbage':
      return said([['allow', true]]);
    case 'null':
      return said(null);
    case 'truthy':
      return said({ allow: 'true' });
    case 'late':
      advance(limits.factsMs + 1);
      return said({ allow: true });
    case 'never':
      queueMicrotask(() => advance(limits.factsMs + 1));
      return new Promise(() => undefined);
    case 'rejects':
      return Promise.reject(new Error('broken'));
    case 'throws':
      throw new Error('broken');
    case 'wrong':
      // Reason: what no engine should answer is what the test is about.
      return Promise.resolve(7 as unknown as EngineAnswer);
    case 'proto':
      return said(JSON.parse('{"__proto__": {"allow": true}, "constructor": {"allow": true}}'));
  }
}

/** Whether every released operation is one whose engine said yes in time. */
async function neverTooMuch(
  plan: readonly Behaviour[],
  sabotage: (answer: Promise<EngineAnswer>) => Promise<EngineAnswer>,
): Promise<boolean> {
  let at = 0;
  const lab: FactsLaboratory = factsLaboratory(wrapped(), () =>
    engine(() => {
      const behaviour = plan[at] ?? 'never';
      return sabotage(behave(behaviour, (ms) => lab.world.advance(ms)));
    }),
  );
  for (; at < plan.length; at += 1) {
    const released = (await verdict(lab)) === 'released';
    if (released !== (plan[at] === 'yes')) return false;
  }
  return true;
}

const plans = fc.array(fc.constantFrom(...behaviours), { minLength: 1, maxLength: 12 });

test('whatever an engine does and however it changes between questions, nothing passes but what it allowed in time', async () => {
  await fc.assert(
    fc.asyncProperty(plans, (plan) => neverTooMuch(plan, (answer) => answer)),
    { numRuns: 60 },
  );
});

test('the property before this one notices an engine whose failures count as yes', async () => {
  const sabotaged = (answer: Promise<EngineAnswer>): Promise<EngineAnswer> => answer.catch(() => ({ ok: true, result: { allow: true } }));
  const check = await fc.check(
    fc.asyncProperty(plans, (plan) => neverTooMuch(plan, sabotaged)),
    { numRuns: 60 },
  );
  assert.ok(check.failed);
});
