import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileBundle } from '../bundle.ts';
import { allowAll, bundleOf, document, policy, problemsOf } from '../scenario.ts';

function first(...texts: readonly string[]): string {
  const [problem] = problemsOf(...texts);
  return `${problem?.code} ${problem?.message}${problem?.hint === undefined ? '' : ` (${problem.hint})`}`;
}
const rule = (text: string, head = ''): string => policy('p', `${head}  rules:\n    - { id: r, ${text} }`);

test('an attribute that this phase does not have is an error with a suggestion', () => {
  assert.match(first(rule('effect: allow, match: { sql.verb: [select] }')), /P201 "sql" has no attribute "verb" \(did you mean "verbs"/);
  assert.match(first(rule('effect: allow, match: { result.columns.name: [x] }')), /P201/);
  assert.match(first(rule('effect: allow, when: "result.columns.size() > 0"')), /P201/);
  assert.doesNotThrow(() =>
    bundleOf(
      rule('effect: transform, when: "result.columns.size() > 0", obligations: [{ type: row_limit, max: 1 }]', '  phase: response\n'),
    ),
  );
});

test('an unguarded read of an optional attribute is an error, in an exemption a warning', () => {
  assert.match(first(rule('effect: allow, when: "context.purpose == \\"x\\""')), /P202/);
  assert.doesNotThrow(() => bundleOf(rule('effect: allow, when: "has(context.purpose) && context.purpose == \\"x\\""')));
  assert.doesNotThrow(() => bundleOf(rule('effect: deny, reason: NOPE, unless: "context.purpose == \\"x\\""')));
});

test('a message may name public attributes only', () => {
  assert.match(first(rule('effect: deny, reason: NOPE, message: "no {sql.normalized}"')), /NOT_PUBLIC/);
  assert.match(first(rule('effect: deny, reason: NOPE, message: "no {resource.nam}"')), /P201.*did you mean "name"/);
});

test('values in a match have the type of their attribute', () => {
  assert.match(first(rule('effect: allow, match: { sql.complete: [yes] }')), /boolean/);
  assert.match(first(rule('effect: allow, match: { sql.statements: [x] }')), /not a single value/);
  assert.match(first(rule('effect: allow, match: { context.source: { cidr: [10.0.0.0/40] } }')), /not a network/);
  assert.match(first(rule('effect: allow, match: { subject.id: { inData: people } }')), /REFERENCE there is no DataSet/);
});

test('limits say what they count, by attributes that exist, and mean the same wherever they are named', () => {
  const limit = (more: string) => rule(`effect: limit, limits: [{ name: n, key: [subject.id], max: 1, per: PT1M${more} }]`);
  assert.match(first(rule('effect: limit')), /needs "limits"/);
  assert.match(first(rule('effect: limit, limits: [{ name: n, key: [subject.idd], max: 1, per: PT1M }]')), /P201 .*subject\.idd/);
  assert.match(first(limit('').replace('PT1M', 'PT0S')), /longer than nothing/);
  assert.match(first(limit('').replace('effect: limit,', 'effect: limit, onStoreError: escalate,')), /must be one of deny, allow, skip/);
  const asks = 'require: { approval: { reviewers: [{ group: dba }], quorum: 1, timeout: PT1M, onTimeout: deny, bind: [subject.idd] } }';
  assert.match(first(limit('').replace('effect: limit,', `effect: limit, ${asks},`)), /a limit asks nobody/);
  assert.match(first(limit('').replace('effect: limit,', `effect: limit, onExceed: escalate, ${asks},`)), /P201 .*subject\.idd/);
  assert.match(first(limit(', cost: "subject.nothing"')), /P201/);
  const other = policy('q', '  rules: [{ id: r, effect: limit, limits: [{ name: n, key: [subject.id], max: 2, per: PT1M }] }]');
  const [problem] = problemsOf(limit(''), other);
  assert.equal(problem?.code, 'P103');
});

test('each effect has its own fields', () => {
  assert.match(first(rule('effect: deny')), /needs "reason"/);
  assert.match(first(rule('effect: require')), /needs "require"/);
  assert.match(first(rule('effect: transform')), /needs "obligations"/);
  assert.match(first(rule('effect: deny, reason: NOPE, obligations: [{ type: row_limit, max: 1 }]')), /cannot ride on/);
  assert.match(
    first(rule('effect: transform, obligations: [{ type: mask, select: { columns: { labels: [x] } }, with: { strategy: drop } }]')),
    /PHASE mask needs the result/,
  );
  assert.match(first(rule('effect: require, require: { stepUp: { acr: x } }', '  phase: response\n')), /PHASE/);
  assert.match(
    first(
      rule(
        'effect: transform, obligations: [{ type: mask, select: { columns: { labels: [x] } }, with: { strategy: partial } }]',
        '  phase: response\n',
      ),
    ),
    /needs "keep"/,
  );
});

const denying = (more: string): string => policy('d', `  rules: [{ id: d, effect: deny, reason: NOPE, ${more} }]`);

const overriding = (name: string, tier = 'org', priority = 500): string =>
  policy('a', `  rules: [{ id: a, effect: allow, overrides: [${name}], priority: ${priority} }]`, { tier });

test('an override must name a deny that it may override', () => {
  assert.match(first(denying(''), overriding('d/x')), /P104.*no such rule/);
  assert.match(first(denying(''), overriding('d/d')), /P104.*higher priority/);
  assert.match(first(denying(''), overriding('d/d', 'team', 900)), /P104.*tier \(org\) is higher/);
  assert.match(first(denying('waivable: false'), overriding('d/d', 'system')), /P104.*not waivable/);
  assert.doesNotThrow(() => bundleOf(denying(''), overriding('d/d', 'org', 501)));
});

const exception = (more: string): string =>
  document(
    'Exception',
    'e',
    `waives: [{ policy: p, rules: [r] }]\n  scope: { match: { subject.id: [user:a] } }\n  reason: r\n  owner: team:x\n  ${more}`,
  );

test('an exception names a waivable rule, ends, and has the approvers its length needs', () => {
  const denial = rule('effect: deny, reason: NOPE');
  const short = 'approvedBy: [user:a]\n  notBefore: 2026-01-01T00:00:00Z\n  expires: 2026-02-01T00:00:00Z';
  assert.doesNotThrow(() => bundleOf(denial, exception(short)));
  assert.match(first(allowAll, exception(short)), /P401 there is no policy "p"/);
  assert.match(first(denial.replace('id: r', 'id: rr'), exception(short)), /P401.*no rule "r".*did you mean "rr"/);
  assert.match(first(rule('effect: deny, reason: NOPE, waivable: false'), exception(short)), /not waivable/);
  assert.match(
    first(denial, exception('approvedBy: [user:a]\n  notBefore: 2026-01-01T00:00:00Z\n  expires: 2026-12-31T00:00:00Z')),
    /two people/,
  );
  assert.match(first(denial, exception('approvedBy: [user:a]\n  expires: 2026-12-31T00:00:00Z')), /two people/);
  assert.match(first(denial, exception('approvedBy: [user:a]')), /needs "expires"/);
  assert.match(first(denial, exception(`${short}\n  maxUses: 0`)), /SCHEMA/);
  assert.doesNotThrow(() => bundleOf(denial, exception(`${short}\n  maxUses: 3`)));
});

const killSwitch = (expires: string, approvers = 'user:a, user:b'): string =>
  document(
    'Override',
    'o',
    `rules: [p/r]\n  mode: off\n  reason: r\n  approvedBy: [${approvers}]\n  notBefore: 2026-01-01T00:00:00Z\n  expires: ${expires}`,
  );

test('an override is short, has two approvers and never drops the baseline', () => {
  const denial = rule('effect: deny, reason: NOPE');
  assert.doesNotThrow(() => bundleOf(denial, killSwitch('2026-01-01T04:00:00Z')));
  assert.match(first(denial, killSwitch('2026-01-01T04:00:01Z')), /four hours/);
  assert.match(first(denial, killSwitch('2026-01-01T01:00:00Z', 'user:a, user:a')), /two different/);
  const manifest = document('Bundle', 'b', 'version: "1.0.0"\n  baseline: [p/r]');
  assert.match(first(denial, manifest, killSwitch('2026-01-01T01:00:00Z')), /part of the baseline/);
});

test('failing open needs a low risk and somebody who accepted it', () => {
  const open = 'effect: deny, reason: NOPE, when: "facts.a", onError: allow';
  assert.match(first(rule(open)), /P302.*nobody accepted/);
  assert.match(first(policy('p', `  rules: [{ id: r, ${open} }]`, { risk: 'high' })), /P302.*risk class low/);
  const acceptance = document('RiskAcceptance', 'a', 'rule: p/r\n  reason: r\n  approvedBy: [user:a]\n  expires: 2027-01-01');
  assert.doesNotThrow(() => bundleOf(rule(open), acceptance));
});

test('a rule that a point cannot enforce is refused unless somebody accepted it', () => {
  const point = document('EnforcementPoint', 'postgres', 'targets: [sql]\n  phases: [request]\n  obligations: [mask]');
  const asks = rule('effect: require, require: { stepUp: { acr: x } }');
  assert.match(first(asks, point), /P301.*stepUp/);
  const records = rule('effect: transform, obligations: [{ type: record, recording: required }]');
  const keeps = document('EnforcementPoint', 'postgres', 'targets: [sql]\n  phases: [request]\n  obligations: [record]');
  assert.match(first(records, keeps), /P301.*recording/);
  assert.doesNotThrow(() => bundleOf(rule('effect: transform, obligations: [{ type: record, recording: best_effort }]'), keeps));
  assert.doesNotThrow(() =>
    bundleOf(policy('p', '  points: [other]\n  rules: [{ id: r, effect: require, require: { stepUp: { acr: x } } }]'), point),
  );
  assert.doesNotThrow(() =>
    bundleOf(
      asks,
      point,
      document('RiskAcceptance', 'a', 'rule: p/r\n  point: postgres\n  reason: r\n  approvedBy: [user:a]\n  expires: 2027-01-01'),
    ),
  );
});

const withVariables = (text: string): string =>
  policy('p', `  variables: { ${text} }\n  rules: [{ id: r, effect: allow, when: "vars.a" }]`);

test('variables may use each other in any order, but not in a circle', () => {
  assert.doesNotThrow(() => bundleOf(withVariables('a: "vars.b && vars.c", b: "vars.c", c: "sql.complete"')));
  const circle = problemsOf(withVariables('x: "vars.a", a: "vars.b && vars.ok", b: "vars.c", c: "vars.a", ok: "true"'));
  assert.deepEqual(
    circle.map(({ code, message, hint }) => [code, message, hint]),
    [['REFERENCE', 'variables use each other in a circle: vars.a → vars.b → vars.c → vars.a', 'write one of them without the others']],
  );
  assert.match(first(withVariables('a: "vars.a"')), /REFERENCE the variable "a" uses itself/);
  assert.match(first(withVariables('a: "size(sql.verbs)"')), /must give a bool/);
});

test('who uses a variable that does not compile is not blamed for it', () => {
  const problems = problemsOf(withVariables('a: "vars.b", b: "sql.complet", d: "vars.a"'));
  assert.deepEqual(
    problems.map(({ message }) => message),
    ['sql.Facts has no attribute complet here'],
  );
});

test('a file that cannot be read is told first, and who looks for what may stand in it is told so', () => {
  const broken = { path: 'zz.yaml', text: 'kind: Policy\nspec: { rules: [' };
  const override = policy('p', '  rules: [{ id: r, effect: allow, overrides: [q/r] }]');
  const result = compileBundle([{ path: 'a.yaml', text: override }, broken]);
  assert.ok(!result.ok);
  assert.equal(result.problems[0]?.code, 'YAML');
  const follow = result.problems.find(({ code }) => code === 'P104');
  assert.match(follow?.hint ?? '', /^Policy "q" may stand in zz.yaml, which cannot be read/);
});

test('a document that has not its shape is told itself, and not by those who refer to it', () => {
  const misshapen = policy('q', '  rules: [{ id: r, effect: denie }]');
  const codes = problemsOf(misshapen, policy('p', '  rules: [{ id: r, effect: allow, overrides: [q/r] }]')).map(({ code }) => code);
  assert.deepEqual(codes, ['SCHEMA']);
});

test('a library serves all policies of its target', () => {
  const library = document(
    'Library',
    'l',
    'owner: team:x\n  target: sql\n  variables: { reads: \'sql.effects.all(e, e.startsWith("read"))\' }',
  );
  assert.doesNotThrow(() => bundleOf(library, rule('effect: allow, when: vars.reads')));
  assert.match(
    first(library, policy('p', '  variables: { reads: "true" }\n  rules: [{ id: r, effect: allow, when: vars.reads }]')),
    /DUPLICATE/,
  );
});

test('a baseline rule is enforced, whatever rollouts say', () => {
  const manifest = document('Bundle', 'b', 'version: "1.0.0"\n  baseline: [p/r]');
  assert.match(first(rule('effect: deny, reason: NOPE, mode: audit'), manifest), /P401.*its mode is audit/);
  const rollout = document(
    'Rollout',
    'o',
    'subject: { policy: p }\n  from: enforce\n  to: off\n  key: subject.id\n  salt: s\n  steps: [{ percent: 100 }]',
  );
  assert.match(first(rule('effect: deny, reason: NOPE'), manifest, rollout), /P401.*no rollout may/);
});

test('a point that cannot hold an operation is told about limits that ask', () => {
  const point = document('EnforcementPoint', 'batch', 'targets: [sql]\n  phases: [request]\n  obligations: [log]');
  const limit = (more: string) => rule(`effect: limit, limits: [{ name: n, key: [subject.id], max: 1, per: PT1M }]${more}`);
  assert.match(first(limit(', onExceed: escalate'), point), /P301 the point "batch" cannot do .*: approval/);
  assert.doesNotThrow(() => bundleOf(limit(''), point));
});

test('an approval that escalates says to whom, and nobody is named who is never asked', () => {
  const asking = (more: string) =>
    rule(`effect: require, require: { approval: { reviewers: [{ group: dba }], quorum: 1, timeout: PT1M, bind: [subject.id], ${more} } }`);
  assert.match(first(asking('onTimeout: escalate')), /needs "escalateTo"/);
  assert.match(
    first(asking('onTimeout: deny, escalateTo: { reviewers: [{ group: a }] }')),
    /"escalateTo" has no effect with "onTimeout: deny"/,
  );
  assert.match(first(asking('onTimeout: escalate, escalateTo: { reviewers: [{ min: 1 }] }')), /either a "group" or "ownerOf: resource"/);
  bundleOf(asking('onTimeout: escalate, escalateTo: { reviewers: [{ group: a }] }'));
});
