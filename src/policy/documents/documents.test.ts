import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileBundle } from '../bundle.ts';
import { formatProblem } from '../problem.ts';
import { allowAll, bundleOf, document, policy, problemsOf } from '../scenario.ts';
import { policySchema } from './json-schema.ts';
import { dateForm, durationMs, instantForm, instantMs } from './time.ts';
import { readYaml } from './yaml.ts';

function complaints(text: string): string[] {
  return readYaml({ path: 'x.yaml', text }).problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

test('what two YAML readers could understand differently is refused where it stands', () => {
  assert.match(complaints('a: 1\na: 2\n')[0] ?? '', /^2:1 .*unique/i);
  assert.match(complaints('a: &x 1\nb: *x\n').join('\n'), /1:7 anchors.*\n.*2:4 aliases/s);
  assert.match(complaints('a: !!str 1\n')[0] ?? '', /tags/);
  assert.match(complaints('a: !!map {}\n')[0] ?? '', /tags/);
  assert.match(complaints('<<: { a: 1 }\n')[0] ?? '', /merge keys/);
  assert.match(complaints('1: a\n')[0] ?? '', /1:1 a key must be a string/);
  assert.match(complaints('a: .inf\n')[0] ?? '', /1:4 the number cannot be kept exactly/);
  assert.match(complaints('a: 12345678901234567890\n')[0] ?? '', /exactly/);
  assert.match(complaints('a: [1\n')[0] ?? '', /^\d+:\d+ /);
});

test('nesting without end is refused, not a crash', () => {
  assert.match(complaints('['.repeat(100_000))[0] ?? '', /nested|flow/i);
  assert.match(complaints(`a: ${'['.repeat(80)}${']'.repeat(80)}`)[0] ?? '', /deeper than/);
});

test('any text is answered with nodes or problems, never an exception', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string({ unit: 'binary' }),
        fc
          .array(fc.constantFrom('a: ', '- ', '{', '}', '[', '|', '\n', '  ', '"', "'", '#', '&x ', '*x', '!'))
          .map((parts) => parts.join('')),
      ),
      (text) => {
        readYaml({ path: 'x.yaml', text });
        compileBundle([{ path: 'x.yaml', text }]);
      },
    ),
    { numRuns: 300 },
  );
});

test('problems of all files are reported at once, in reading order', () => {
  const found = problemsOf(
    policy('one', '  rules: [{ id: a, effect: deny }]'),
    policy('two', '  rulez: []\n  rules: [{ id: a, effect: allov }]'),
    'kind: Polcy\n',
  );
  assert.deepEqual(
    found.map(({ path }) => path),
    ['0.yaml', '1.yaml', '1.yaml', '2.yaml'],
  );
  assert.match(
    formatProblem(found[1] ?? assert.fail()),
    /^1\.yaml:10:3: error UNKNOWN_KEY spec has no field "rulez"\n {8}rulez: \[\]\n {6}\^\n|did you mean "rules"/m,
  );
  assert.match(found[1]?.hint ?? '', /did you mean "rules"/);
  assert.match(found[2]?.hint ?? '', /did you mean "allow"/);
  assert.match(found[3]?.hint ?? '', /did you mean "Policy"/);
});

test('a problem inside an expression points at its characters, also in folded and quoted text', () => {
  const folded = policy(
    'one',
    '  rules:\n    - id: a\n      effect: allow\n      when: >-\n        sql.complete &&\n        sql.verbz.size() > 0',
  );
  const [problem] = problemsOf(folded);
  const line = folded.split('\n')[(problem?.line ?? 0) - 1] ?? '';
  assert.ok(
    line.slice((problem?.column ?? 0) - 1).startsWith('sql.verbz') || line.slice((problem?.column ?? 0) - 1).startsWith('verbz'),
    `${problem?.line}:${problem?.column}`,
  );
  const quoted = policy('one', "  rules: [{ id: a, effect: allow, when: 'subject.name == ''x'' && sql.verbz == 1' }]");
  const [second] = problemsOf(quoted);
  assert.match((quoted.split('\n')[(second?.line ?? 0) - 1] ?? '').slice((second?.column ?? 0) - 1), /^(sql\.)?verbz/);
});

test('the digest changes with the meaning and with nothing else', () => {
  const one = policy('one', '  rules: [{ id: a, effect: allow, priority: 7 }]');
  const digest = bundleOf(one, allowAll).ref.digest;
  assert.match(digest, /^sha256:[0-9a-f]{64}$/);
  const commented = one.replace(
    '  rules: [{ id: a, effect: allow, priority: 7 }]',
    '  # a comment\n  rules: [{ priority: 7, effect: allow, id: "a" }]',
  );
  assert.equal(bundleOf(`${allowAll}---\n${commented}`).ref.digest, digest);
  assert.equal(bundleOf(one, allowAll, document('PolicyTest', 't', 'now: 2026-01-01T00:00:00Z')).ref.digest, digest);
  assert.notEqual(bundleOf(one.replace('priority: 7', 'priority: 8'), allowAll).ref.digest, digest);
});

test('a name exists once', () => {
  assert.match(problemsOf(allowAll, allowAll)[0]?.message ?? '', /exists twice/);
});

test('durations and instants are read exactly', () => {
  assert.equal(durationMs('PT1H30M'), 5_400_000);
  assert.equal(durationMs('P1W2DT3S'), 9 * 86_400_000 + 3000);
  fc.assert(
    fc.property(fc.date({ min: new Date('1970-01-01T00:00:00Z'), max: new Date('2400-01-01T00:00:00Z'), noInvalidDate: true }), (date) => {
      assert.equal(instantMs(date.toISOString()), date.getTime());
    }),
  );
  assert.equal(instantMs('2026-11-20T10:00:00+01:30'), Date.parse('2026-11-20T08:30:00Z'));
  assert.ok(dateForm.test('2024-02-29') && !dateForm.test('2023-02-29') && !instantForm.test('2026-04-31T10:00:00Z'));
  assert.equal(instantMs('2024-02-29'), Date.parse('2024-02-29'));
});

test('the JSON Schema names every kind', () => {
  const { oneOf } = policySchema() as { oneOf: { title: string }[] };
  assert.deepEqual(oneOf.map(({ title }) => title).sort(), [
    'Bundle',
    'DataSet',
    'EnforcementPoint',
    'Exception',
    'Library',
    'Override',
    'Policy',
    'PolicyTest',
    'RiskAcceptance',
    'Rollout',
  ]);
});
