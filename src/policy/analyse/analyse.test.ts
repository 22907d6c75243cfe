import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '#model';
import { compileBundle } from '../bundle.ts';
import { decide } from '../decide/decide.ts';
import { formatProblem } from '../problem.ts';
import { document, policy } from '../scenario.ts';
import { analyse, analysis } from './analyse.ts';
import type { Finding } from './finding.ts';

function findings(...texts: readonly string[]): readonly Finding[] {
  const files = texts.map((text, i) => ({ path: `${i}.yaml`, text }));
  const result = compileBundle(files);
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join('\n'));
  return analyse(result.bundle, { files });
}

const codes = (found: readonly Finding[]): string[] =>
  [...new Set(found.map(({ code }) => code))].filter((code) => code !== 'P302' && code !== 'P305').sort();
const rules = (...lines: readonly string[]): string => `  rules:\n${lines.map((line) => `    - { ${line} }\n`).join('')}`;

test('a large bundle is analysed in a bounded time, and what was not looked at is said', () => {
  const count = Math.ceil(Math.sqrt(limits.analysisPairsMax)) + 100;
  const lines = Array.from(
    { length: count },
    (_, i) => `id: r${i}, effect: allow, match: { resource.name: ["svc-${i}-*"], subject.groups: [g${i % 3}] }`,
  );
  lines.push('id: r5-copy, effect: allow, match: { resource.name: ["svc-5-*"], subject.groups: [g2], sql.complete: [true] }');
  const found = findings(policy('p', rules(...lines)));
  assert.ok(found.some(({ code, message }) => code === 'ANALYSIS_CUT' && message.includes('not all pairs')));
  // Rules that stand near each other were compared all the same.
  assert.deepEqual(found.find(({ code }) => code === 'P106')?.rules, ['p/r5-copy', 'p/r5']);
  assert.ok(found.length <= limits.analysisFindingsPerCodeMax + 10);
});

test('an analysis tells how far it has come', () => {
  const files = [
    {
      path: 'p.yaml',
      text: policy('p', rules(...Array.from({ length: 40 }, (_, i) => `id: r${i}, effect: allow, match: { subject.id: ["user:${i}"] }`))),
    },
  ];
  const result = compileBundle(files);
  assert.ok(result.ok);
  const done = [...analysis(result.bundle, { files })].map((step) => step.done);
  assert.ok(done.length > 1);
  assert.deepEqual(
    done,
    [...done].sort((a, b) => a - b),
  );
});

test('a deny that somebody may override, wave or switch off covers nothing', () => {
  const allow = 'id: a, effect: allow, match: { resource.env: [prod] }';
  const deny = 'id: d, effect: deny, reason: NOPE, match: { resource.env: [prod] }';
  assert.deepEqual(codes(findings(policy('p', rules(allow, deny)))), ['P101']);
  assert.deepEqual(codes(findings(policy('p', rules(allow, `${deny}, mode: shadow`)))), []);
  const lifting = 'id: b, effect: allow, priority: 900, overrides: [p/d], match: { subject.groups: [dba] }';
  assert.deepEqual(codes(findings(policy('p', rules(allow, deny, lifting)))), ['P102']);
  const exception = document(
    'Exception',
    'e',
    'waives: [{ policy: p, rules: [d] }]\n  scope: { match: { subject.id: [user:a] } }\n  reason: r\n  owner: team:x\n  approvedBy: [user:b]\n  notBefore: 2026-01-01T00:00:00Z\n  expires: 2026-02-01T00:00:00Z',
  );
  assert.deepEqual(codes(findings(policy('p', rules(allow, deny)), exception)), ['P102']);
});

test('rules for different points, targets and phases are never compared', () => {
  const one = policy('p', `  points: [postgres]\n${rules('id: a, effect: allow')}`);
  const described = rules('id: a, effect: allow, description: everybody may');
  const other = policy('q', `  points: [mysql]\n${rules('id: d, effect: deny, reason: NOPE')}`);
  assert.deepEqual(codes(findings(one, other)), []);
  assert.deepEqual(
    codes(findings(policy('p', described), policy('q', `  phase: response\n${rules('id: d, effect: deny, reason: NOPE')}`))),
    ['P107', 'P304'],
  );
});

test('a deny that could not be shown to apply, because its data may be stale or its fact missing, proves nothing', () => {
  const stale = document('DataSet', 'people', 'owner: team:x\n  values: [user:a]\n  asOf: 2026-01-01\n  maxAge: P1D');
  const allow = 'id: a, effect: allow, match: { subject.id: ["user:a"] }';
  const byData = 'id: d, effect: deny, reason: NOPE, match: { subject.id: { inData: people } }';
  assert.ok(!codes(findings(policy('p', rules(allow, byData)), stale)).includes('P101'));
  const byFact = policy('q', `  requires: { facts: [risk] }\n${rules('id: d, effect: deny, reason: NOPE')}`);
  assert.ok(!codes(findings(policy('p', rules(allow)), byFact)).includes('P101'));
});

test('an exemption that cannot be evaluated is not granted, and the analysis knows it', () => {
  // Without a purpose the exemption is an error, so the deny applies: the allow, which has no purpose, never wins.
  const allow = 'id: a, effect: allow, match: { context.purpose: { exists: false } }';
  const deny = `id: d, effect: deny, reason: NOPE, unless: 'context.purpose == "support"'`;
  assert.deepEqual(codes(findings(policy('p', rules(allow, deny)))), ['P101']);
});

test('an exemption that asks for a difference does not exempt what is absent', () => {
  const allow = 'id: a, effect: allow, match: { context.purpose: { exists: false } }';
  const deny = `id: d, effect: deny, reason: NOPE, unless: 'context.purpose != "support"'`;
  assert.deepEqual(codes(findings(policy('p', rules(allow, deny)))), ['P101']);
});

test('what is absent has no members', () => {
  const line = 'id: d, effect: deny, reason: NOPE, match: { subject.onBehalfOf: { exists: false }, subject.onBehalfOf.verified: [true] }';
  assert.deepEqual(codes(findings(policy('p', rules(line)))), ['P105']);
});

test('an absent attribute satisfies "not in" of a deny, and of an allow it does not', () => {
  const line = (effect: string): string =>
    `id: r, effect: ${effect}, match: { context.purpose: { notIn: [x] } }, when: '!has(context.purpose)'`;
  assert.deepEqual(codes(findings(policy('p', rules(line('allow'))))), ['P105']);
  assert.deepEqual(codes(findings(policy('p', rules(line('deny, reason: NOPE'))))), []);
});

test('a rule inside another one is not superfluous when it outlives what can lift that one', () => {
  const wide = 'id: wide, effect: deny, reason: NOPE, match: { resource.env: [prod] }';
  const narrow = 'id: narrow, effect: deny, reason: NOPE, match: { resource.env: [prod], sql.complete: [true] }';
  const lifting = 'id: a, effect: allow, priority: 900, overrides: [p/wide], match: { subject.groups: [dba] }';
  assert.deepEqual(codes(findings(policy('p', rules(wide, narrow)))), ['P106']);
  assert.ok(!codes(findings(policy('p', rules(wide, narrow, lifting)))).includes('P106'));
  assert.deepEqual(codes(findings(policy('p', rules(wide, `${narrow}, waivable: false`)))), []);
  assert.deepEqual(codes(findings(policy('p', rules(wide, `${narrow}, priority: 900, message: "because"`)))), []);
});

test('an attribute without a type is never taken for something it may not be', () => {
  const head = (name: string, lines: string): string => policy(name, lines).replace('target: sql', 'target: tool');
  const allow = 'id: a, effect: allow, match: { tool.name: [pay] }';
  // Neither true nor false: both conditions are errors, which deny too, but that is another reason than these rules'.
  const denies = [
    `id: d1, effect: deny, reason: NOPE, onError: skip, when: 'tool.args.?urgent.orValue("x") == true'`,
    `id: d2, effect: deny, reason: NOPE, onError: skip, when: 'has(tool.args.urgent) && !tool.args.urgent'`,
  ];
  assert.ok(!codes(findings(head('p', rules(allow, ...denies)))).includes('P101'));
});

test('a witness is decided as its finding says, and unproven conclusions are never errors', () => {
  const text = policy(
    'p',
    rules(
      'id: a, effect: allow',
      `id: d, effect: deny, reason: NOPE, when: 'sql.normalized.matches("^x{3}[0-9]+$")'`,
      `id: e, effect: deny, reason: NOPE, when: '!sql.normalized.matches("^x{3}[0-9]+$")'`,
    ),
  );
  const files = [{ path: 'p.yaml', text }];
  const result = compileBundle(files);
  assert.ok(result.ok);
  for (const finding of analyse(result.bundle, { files })) {
    if (finding.proof === 'unproven') assert.notEqual(finding.severity, 'error');
    if (finding.witness !== undefined && finding.code === 'P101') assert.equal(decide(result.bundle, finding.witness).verdict, 'deny');
  }
});
