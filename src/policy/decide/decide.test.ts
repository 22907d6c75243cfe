import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Decision, Grant } from '#model';
import { allowAll, bundleOf, document, noon, policy, requestWith } from '../scenario.ts';
import { decide } from './decide.ts';

function told({ verdict, reason }: Decision): string {
  return `${verdict} ${reason}`;
}
const deny = (name: string, more = '', rest: { tier?: string } = {}): string =>
  policy(name, `  rules: [{ id: r, effect: deny, reason: ${name.toUpperCase()}${more} }]`, rest);

test('what no rule allows is denied, and a deny beats every allow that does not override it', () => {
  assert.equal(told(decide(bundleOf(), requestWith())), 'deny NO_MATCHING_ALLOW');
  assert.equal(told(decide(bundleOf(allowAll), requestWith())), 'allow ALLOWED');
  assert.equal(told(decide(bundleOf(allowAll, deny('nope')), requestWith())), 'deny NOPE');
  const override = policy(
    'rescue',
    '  rules: [{ id: r, effect: allow, overrides: [nope/r], priority: 600, match: { subject.groups: [dba] } }]',
  );
  assert.equal(told(decide(bundleOf(override, deny('nope')), requestWith({ groups: ['dba'] }))), 'allow ALLOWED');
  assert.equal(told(decide(bundleOf(override, deny('nope')), requestWith())), 'deny NOPE');
});

test('the strongest tier tells the reason, and all denies are named', () => {
  const decision = decide(bundleOf(deny('aaa', '', { tier: 'team' }), deny('zzz', '', { tier: 'system' })), requestWith());
  assert.equal(decision.reason, 'ZZZ');
  assert.deepEqual(decision.decisive, ['zzz/r', 'aaa/r']);
});

test('an allow rule does not apply to what was not understood unless it says so', () => {
  const partial = requestWith({ context: { certainty: 'partial' } });
  assert.equal(decide(bundleOf(allowAll), partial).verdict, 'deny');
  assert.equal(decide(bundleOf(allowAll), requestWith({ context: { certainty: undefined } })).verdict, 'deny');
  const explicit = policy('explicit', '  rules: [{ id: r, effect: allow, match: { context.certainty: [partial] } }]');
  assert.equal(decide(bundleOf(explicit), partial).verdict, 'allow');
});

test('an error in a condition has the consequence the rule names', () => {
  const verdict = (onError: string): string => told(decide(bundleOf(allowAll, deny('nope', `, when: "facts.x"${onError}`)), requestWith()));
  assert.equal(verdict(''), 'deny EVALUATION_ERROR');
  assert.equal(verdict(', onError: skip'), 'allow ALLOWED');
  assert.equal(verdict(', onError: escalate'), 'pending EVALUATION_ERROR');
  const decision = decide(bundleOf(allowAll, deny('nope', ', when: "facts.x"')), requestWith());
  assert.deepEqual(
    decision.errors.map(({ rule, part, path }) => ({ rule, part, path })),
    [{ rule: 'nope/r', part: 'when', path: 'facts.x' }],
  );
});

test('an exemption that cannot be shown is not granted, and the error is kept', () => {
  const decision = decide(bundleOf(allowAll, deny('nope', ', unless: "facts.x"')), requestWith());
  assert.equal(told(decision), 'deny NOPE');
  assert.equal(decision.errors[0]?.part, 'unless');
});

const needingVariable = policy(
  'nope',
  '  variables: { x: "facts.deep.x" }\n  rules: [{ id: r, effect: deny, reason: NOPE, when: "vars.x || !sql.complete" }]',
);

test('a variable that cannot be computed fails only the conditions that need it, and tells what it lacked', () => {
  const [error] = decide(bundleOf(allowAll, needingVariable), requestWith()).errors;
  assert.equal(error?.path?.startsWith('facts.deep'), true, JSON.stringify(error));
  assert.equal(told(decide(bundleOf(allowAll, needingVariable), requestWith({ sql: { complete: false } }))), 'deny NOPE');
});

const needingFact = (more: string): string =>
  policy('nope', `  requires: { facts: [images] }\n  rules: [{ id: r, effect: deny, reason: NOPE, when: "false"${more} }]`);

test('a fact that is not there is unavailable, not false', () => {
  assert.equal(told(decide(bundleOf(allowAll, needingFact('')), requestWith())), 'deny EVALUATION_ERROR');
  assert.equal(told(decide(bundleOf(allowAll, needingFact(', onUnavailable: skip')), requestWith())), 'allow ALLOWED');
  assert.equal(told(decide(bundleOf(allowAll, needingFact('')), requestWith({ request: { facts: { images: [] } } }))), 'allow ALLOWED');
});

const approve = policy(
  'approve',
  `  rules:
    - id: r
      effect: require
      reason: APPROVAL_REQUIRED
      message: "Ask somebody about {resource.name}."
      require:
        approval: { reviewers: [{ group: dba }], quorum: 1, timeout: PT10M, onTimeout: deny, bind: [subject.id, sql.fingerprint] }
        justification: {}`,
);

function grantFor(decision: Decision, more: Partial<Grant> = {}): Grant {
  const [requirement] = decision.requirements;
  return {
    id: 'g1',
    rule: requirement?.rule ?? '',
    kinds: ['approval', 'justification'],
    bound: requirement?.bound ?? '',
    expiresAt: noon + 1,
    usesLeft: 1,
    ...more,
  };
}

test('a challenge is open until a grant with the same rule, kind and binding answers it', () => {
  const bundle = bundleOf(allowAll, approve);
  const asked = decide(bundle, requestWith());
  assert.equal(told(asked), 'pending APPROVAL_REQUIRED');
  assert.equal(asked.message, 'Ask somebody about orders.');
  assert.deepEqual(asked.requirements[0]?.approval?.reviewers, [{ group: 'dba', min: 1 }]);
  assert.match(asked.requirements[0]?.bound ?? '', /^[0-9a-f]{64}$/);
  const verdictWith = (grant: Grant, parts = {}): string => decide(bundle, requestWith({ ...parts, request: { grants: [grant] } })).verdict;
  const allowed = decide(bundle, requestWith({ request: { grants: [grantFor(asked)] } }));
  assert.equal(allowed.verdict, 'allow');
  assert.deepEqual(allowed.grantsUsed, ['g1']);
  assert.equal(verdictWith(grantFor(asked, { expiresAt: noon })), 'pending');
  assert.equal(verdictWith(grantFor(asked, { usesLeft: 0 })), 'pending');
  assert.equal(verdictWith(grantFor(asked, { rule: 'approve/other' })), 'pending');
  assert.equal(verdictWith(grantFor(asked), { sql: { fingerprint: 'other' } }), 'pending');
  assert.equal(decide(bundle, requestWith({ request: { grants: [grantFor(asked)], binding: 'other' } })).verdict, 'pending');
  assert.equal(
    decide(bundleOf(allowAll, approve, deny('never', ', when: "false"')), requestWith({ request: { grants: [grantFor(asked)] } })).verdict,
    'pending',
  );
});

test('only what is not answered yet is asked', () => {
  const bundle = bundleOf(allowAll, approve);
  const asked = decide(bundle, requestWith());
  const half = decide(bundle, requestWith({ request: { grants: [grantFor(asked, { kinds: ['approval'] })] } }));
  assert.equal(half.verdict, 'pending');
  assert.equal(half.requirements[0]?.approval, undefined);
  assert.deepEqual(half.requirements[0]?.justification, { minLength: 1 });
});

test('an approval does not replace an allow', () => {
  const asked = decide(bundleOf(approve), requestWith());
  assert.equal(told(decide(bundleOf(approve), requestWith({ request: { grants: [grantFor(asked)] } }))), 'deny NO_MATCHING_ALLOW');
});

test('a recording that is required needs a point that records; one that is only wished for does not', () => {
  const recording = (level: string): string =>
    policy('rec', `  rules: [{ id: r, effect: transform, obligations: [{ type: record, recording: ${level} }] }]`);
  const verdict = (level: string, can: readonly string[]): string =>
    told(decide(bundleOf(allowAll, recording(level)), requestWith({ request: { can } }))).split(' ')[0] ?? '';
  assert.deepEqual(
    [
      verdict('required', ['record']),
      verdict('required', ['record', 'recording']),
      verdict('best_effort', ['record']),
      verdict('off', ['record']),
    ],
    ['deny', 'allow', 'allow', 'allow'],
  );
});

test('what a point cannot do is a deny, and a deny stays one when its notification cannot be sent', () => {
  assert.equal(told(decide(bundleOf(allowAll, approve), requestWith({ request: { can: ['approval'] } }))), 'deny CANNOT_ENFORCE');
  const cap = policy('cap', '  rules: [{ id: r, effect: transform, obligations: [{ type: row_limit, max: 5 }] }]');
  assert.equal(told(decide(bundleOf(allowAll, cap), requestWith({ request: { can: [] } }))), 'deny CANNOT_ENFORCE');
  const loud = deny('nope', ', obligations: [{ type: notify, to: x, topic: y }]');
  const decision = decide(bundleOf(loud), requestWith({ request: { can: [] } }));
  assert.equal(told(decision), 'deny NOPE');
  assert.deepEqual(decision.obligations, []);
  assert.match(decision.warnings[0] ?? '', /notify/);
  assert.equal(decide(bundleOf(loud), requestWith()).obligations.length, 1);
});

const decisionIn = (mode: string): Decision =>
  decide(bundleOf(allowAll, deny('nope', `, mode: ${mode}, message: "not here"`)), requestWith());

test('audit records and warns, shadow only records, off does nothing', () => {
  const audit = decisionIn('audit');
  assert.equal(audit.verdict, 'allow');
  assert.deepEqual(audit.shadow, { verdict: 'deny', rules: ['nope/r'] });
  assert.deepEqual(audit.warnings, ['not enforced yet: not here']);
  const shadow = decisionIn('shadow');
  assert.deepEqual([shadow.shadow?.verdict, shadow.warnings], ['deny', []]);
  const off = decisionIn('off');
  assert.deepEqual([off.shadow, off.matched.length], [undefined, 1]);
});

const exceptionWith = (instead: string): string =>
  document(
    'Exception',
    'purge',
    `waives: [{ policy: nope, rules: [r] }]\n  scope: { match: { subject.groups: [dba] } }\n  instead: ${instead}\n  reason: r\n  owner: team:x\n  approvedBy: [user:a, user:b]\n  notBefore: 2027-01-01T00:00:00Z\n  expires: 2027-02-01T00:00:00Z`,
  );

test('an exception lifts a rule inside its scope and its time, and leaves a trace', () => {
  const dba = requestWith({ groups: ['dba'] });
  const decision = decide(bundleOf(allowAll, deny('nope'), exceptionWith('waive')), dba);
  assert.equal(decision.verdict, 'allow');
  assert.deepEqual(
    decision.matched.find(({ rule }) => rule === 'nope/r'),
    { rule: 'nope/r', effect: 'deny', mode: 'off', by: 'exception:purge' },
  );
  assert.equal(decide(bundleOf(allowAll, deny('nope'), exceptionWith('waive')), requestWith()).verdict, 'deny');
  assert.equal(
    decide(bundleOf(allowAll, deny('nope'), exceptionWith('waive')), { ...dba, now: Date.parse('2027-02-01T00:00:00Z') }).verdict,
    'deny',
  );
  assert.equal(
    decide(bundleOf(allowAll, deny('nope'), exceptionWith('waive')), { ...dba, context: { certainty: 'opaque' } }).verdict,
    'deny',
  );
  assert.equal(decide(bundleOf(allowAll, deny('nope'), exceptionWith('audit')), dba).shadow?.verdict, 'deny');
  assert.equal(
    decide(bundleOf(allowAll, deny('nope'), exceptionWith('{ require: { stepUp: { acr: high } } }')), dba).requirements[0]?.stepUp?.acr,
    'high',
  );
  assert.deepEqual(
    decide(bundleOf(allowAll, deny('nope'), exceptionWith('{ transform: [{ type: row_limit, max: 3 }] }')), dba).obligations,
    [{ type: 'row_limit', max: 3 }],
  );
});

test('what depends on the request is worked out for each, also where the same rules apply', () => {
  const told = (text: string): string => decide(bundleOf(allowAll, text), requestWith()).message;
  assert.equal(told(deny('nope', ', message: "not you"')), 'not you');
  const bundle = bundleOf(allowAll, policy('nope', '  rules: [{ id: r, effect: deny, reason: NOPE, message: "not {subject.name}" }]'));
  const messages = ['eve', 'bob'].map(
    (name) => decide(bundle, requestWith({ request: { subject: { ...requestWith().subject, name } } })).message,
  );
  assert.deepEqual(messages, ['not eve', 'not bob']);
  const cap = bundleOf(allowAll, policy('cap', '  rules: [{ id: r, effect: transform, obligations: [{ type: row_limit, max: 5 }] }]'));
  const verdicts = [['row_limit'], [], ['row_limit']].map((can) => decide(cap, requestWith({ request: { can } })).verdict);
  assert.deepEqual(verdicts, ['allow', 'deny', 'allow']);
  const twice = [1, 2].map(() => decide(cap, requestWith()));
  assert.deepEqual(twice[0], twice[1]);
  assert.ok(Object.isFrozen(twice[1]));
});

test('an exception with so many uses is counted by operations it lets pass, and is none once they are made', () => {
  const dba = requestWith({ groups: ['dba'] });
  const bundle = bundleOf(allowAll, deny('nope'), exceptionWith('waive\n  maxUses: 2'));
  const decision = decide(bundle, dba);
  const [charge] = decision.limits ?? [];
  assert.deepEqual([decision.verdict, charge?.name, charge?.burst, charge?.max], ['allow', 'exception:purge', 2, 0]);
  const after = (made: number) => decide(bundle, { ...dba, exceptionUses: { [`${charge?.name} ${charge?.key}`]: made } });
  assert.deepEqual([after(1).verdict, after(2).verdict, after(2).limits], ['allow', 'deny', undefined]);
  assert.deepEqual(after(2).matched.find(({ rule }) => rule === 'nope/r')?.by, undefined);
  const twice = bundleOf(allowAll, deny('nope'), deny('other'), exceptionWith('waive\n  maxUses: 2'));
  assert.deepEqual([decide(twice, dba).verdict, decide(twice, dba).limits], ['deny', undefined]);
  assert.equal(decide(bundle, requestWith()).limits, undefined);
});

test('a kill switch works for its hours', () => {
  const override = document(
    'Override',
    'incident',
    'rules: [nope/r]\n  mode: off\n  reason: r\n  approvedBy: [user:a, user:b]\n  notBefore: 2027-01-15T07:00:00Z\n  expires: 2027-01-15T10:00:00Z',
  );
  const bundle = bundleOf(allowAll, deny('nope', ', waivable: false'), override);
  assert.equal(decide(bundle, requestWith()).verdict, 'allow');
  assert.equal(decide(bundle, requestWith()).matched.find(({ rule }) => rule === 'nope/r')?.by, 'override:incident');
  assert.equal(decide(bundle, requestWith({ request: { now: Date.parse('2027-01-15T10:00:00Z') } })).verdict, 'deny');
});

const rolledOutTo = (step: number) =>
  bundleOf(
    allowAll,
    deny('nope', ', mode: audit'),
    document(
      'Rollout',
      'slow',
      `subject: { policy: nope }\n  from: audit\n  to: enforce\n  key: subject.id\n  salt: s\n  step: ${step}\n  steps: [{ shadow: true }, { percent: 10 }, { percent: 60 }, { percent: 100 }]`,
    ),
  );

test('a rollout only adds members while its percentage grows', () => {
  const subjects = Array.from({ length: 200 }, (_, i) => `user:${i}`);
  const members = (step: number): string[] => {
    const bundle = rolledOutTo(step);
    return subjects.filter(
      (id) => decide(bundle, { ...requestWith(), subject: { type: 'user', id, name: id, groups: [] } }).verdict === 'deny',
    );
  };
  const [none, few, many, all] = [members(1), members(2), members(3), members(4)];
  assert.equal(none.length, 0);
  assert.ok(few.length > 5 && few.length < 40 && many.length > 90 && many.length < 150, `${few.length} ${many.length}`);
  assert.ok(few.every((id) => many.includes(id)));
  assert.equal(all.length, 200);
});

test('stale data is an evaluation error, not silence', () => {
  const people = document('DataSet', 'people', 'owner: team:x\n  values: [user:eve]\n  asOf: 2027-01-01\n  maxAge: P20D');
  const allow = policy('p', '  rules: [{ id: r, effect: allow, match: { subject.id: { inData: people } } }]');
  const block = policy('q', '  rules: [{ id: r, effect: deny, reason: NOPE, when: "!(subject.id in data.people)" }]');
  assert.equal(told(decide(bundleOf(people, allow, block), requestWith())), 'allow ALLOWED');
  const late = requestWith({ request: { now: Date.parse('2027-01-21T00:00:00Z') } });
  assert.equal(told(decide(bundleOf(people, allow), late)), 'deny NO_MATCHING_ALLOW');
  assert.equal(told(decide(bundleOf(people, allowAll, block), late)), 'deny EVALUATION_ERROR');
});

test('attributes of a target cannot pose as the subject', () => {
  const allow = policy('p', '  rules: [{ id: r, effect: allow, match: { subject.groups: [dba] } }]');
  const forged = requestWith({
    request: { attributes: { subject: { groups: ['dba'] }, context: { certainty: 'parsed' }, data: {}, sql: {} } },
  });
  assert.equal(decide(bundleOf(allow), forged).verdict, 'deny');
});

test('whatever a request holds, the answer is a decision', () => {
  const bundle = bundleOf(allowAll, approve, deny('nope', ', when: "sql.verbs.exists(v, v == \\"x\\")"'));
  for (const broken of [
    {},
    { attributes: null },
    { grants: null },
    { context: null, subject: null },
    { now: Number.NaN, target: 'sql', phase: 'request' },
  ]) {
    // A caller in JavaScript, or a bug, can hand over anything.
    const decision = decide(bundle, { ...requestWith(), ...broken } as never);
    assert.ok(['deny', 'pending', 'allow'].includes(decision.verdict));
  }
  const fault = decide(bundle, { ...requestWith(), grants: null } as never);
  assert.equal(told(fault), 'deny POLICY_FAULT');
});

test('the response phase needs no allow and can only tighten', () => {
  const cap = policy('cap', '  phase: response\n  rules: [{ id: r, effect: transform, obligations: [{ type: row_limit, max: 5 }] }]');
  const decision = decide(bundleOf(cap), requestWith({ request: { phase: 'response' } }));
  assert.equal(decision.verdict, 'allow');
  assert.deepEqual(decision.obligations, [{ type: 'row_limit', max: 5 }]);
});

test('a mutation is made for every element of its loop', () => {
  const text = policy('pin', '').replace('target: sql', 'target: k8s.admission');
  const pin = `${text}  rules:\n    - id: r\n      effect: transform\n      obligations:\n        - type: mutate\n          forEach: { var: i, in: facts.images }\n          patch: { op: replace, path: "{i.path}", value: "{i.name}@{i.digest}" }\n`;
  const allow = allowAll.replace('target: sql', 'target: k8s.admission');
  const request = requestWith({ request: { target: 'k8s.admission', facts: { images: [{ path: '/a', name: 'x', digest: 'd' }] } } });
  assert.deepEqual(decide(bundleOf(pin, allow), request).obligations, [
    { type: 'mutate', patch: { op: 'replace', path: '/a', value: 'x@d' } },
  ]);
  assert.equal(told(decide(bundleOf(pin, allow), { ...request, facts: {} })), 'deny EVALUATION_ERROR');
});

test('a rule fails open only while somebody accepts it, and never for what was not understood', () => {
  const open = deny('nope', ', when: "facts.x", onError: allow');
  const acceptance = document('RiskAcceptance', 'a', 'rule: nope/r\n  reason: r\n  approvedBy: [user:a]\n  expires: 2027-02-01');
  const bundle = bundleOf(open, acceptance);
  assert.equal(decide(bundle, requestWith()).verdict, 'allow');
  assert.equal(told(decide(bundle, requestWith({ request: { now: Date.parse('2027-02-01') } }))), 'deny EVALUATION_ERROR');
  assert.equal(told(decide(bundle, requestWith({ context: { certainty: 'opaque' } }))), 'deny EVALUATION_ERROR');
});

test('a policy may depend on the time of the request, and knows no other clock', () => {
  const night = deny('night', ', when: "now.getHours(\\"Europe/Berlin\\") < 9"');
  const at = (instant: string): string => decide(bundleOf(allowAll, night), requestWith({ request: { now: Date.parse(instant) } })).verdict;
  assert.deepEqual([at('2027-01-15T07:59:59Z'), at('2027-01-15T08:00:00Z')], ['deny', 'allow']);
});

test('a rule that only observes changes no verdict, and what it wants done is done either way', () => {
  const watch = policy('watch', '  rules: [{ id: r, effect: observe, obligations: [{ type: log, level: alert }] }]');
  const log = [{ type: 'log', level: 'alert' }];
  const denied = decide(bundleOf(watch), requestWith());
  assert.deepEqual([told(denied), denied.obligations], ['deny NO_MATCHING_ALLOW', log]);
  const allowed = decide(bundleOf(watch, allowAll), requestWith());
  assert.deepEqual([told(allowed), allowed.obligations], ['allow ALLOWED', log]);
  assert.deepEqual(decide(bundleOf(watch, deny('nope')), requestWith()).obligations, log);
});

test('whatever stands in the attributes, a decision comes out and only an allow rule allows', () => {
  const bundle = bundleOf(
    allowAll,
    approve,
    deny('nope', ', when: "sql.verbs.exists(v, v == \\"x\\") || facts.n > 3", match: { sql.tables: ["a*b"] }'),
  );
  fc.assert(
    fc.property(
      fc.jsonValue(),
      fc.jsonValue(),
      fc.dictionary(fc.constantFrom('verbs', 'tables', 'complete', 'fingerprint'), fc.jsonValue()),
      (facts, context, sql) => {
        const request = { ...requestWith(), facts, context, attributes: { sql } };
        const decision = decide(bundle, request as never); // Whatever came over a wire.
        assert.notEqual(decision.verdict, 'allow');
      },
    ),
  );
});
