import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileBundle } from '../bundle.ts';
import { formatProblem } from '../problem.ts';
import { allowAll, bundleOf, document, policy, problemsOf } from '../scenario.ts';
import { requestSchema, resolveAttribute } from '../schema/index.ts';
import { attributePage } from './attribute-page.ts';
import { policySchema } from './json-schema.ts';
import { targets } from './kinds/policy.ts';
import { plain } from './node.ts';
import { dateForm, durationMs, instantForm, instantMs } from './time.ts';
import { readYaml } from './yaml.ts';

function complaints(text: string): string[] {
  return readYaml({ path: 'x.yaml', text }).problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

test('what two YAML readers could understand differently is refused where it stands', () => {
  assert.match(complaints('a: 1\na: 2\n')[0] ?? '', /^2:1 .*twice/i);
  assert.match(complaints('%YAML 1.1\n---\na: yes\n')[0] ?? '', /%YAML 1\.1/);
  assert.deepEqual(complaints('%YAML 1.2\n---\na: yes\n'), []);
  assert.match(complaints('a: &x 1\nb: *x\n').join('\n'), /1:7 anchors.*\n.*2:4 aliases/s);
  assert.match(complaints('a: !!str 1\n')[0] ?? '', /tags/);
  assert.match(complaints('a: !!map {}\n')[0] ?? '', /tags/);
  assert.match(complaints('<<: { a: 1 }\n')[0] ?? '', /merge keys/);
  assert.match(complaints('1: a\n')[0] ?? '', /1:1 a key must be a string/);
  assert.match(complaints('a: .inf\n')[0] ?? '', /1:4 the number cannot be kept exactly/);
  assert.match(complaints('a: 12345678901234567890\n')[0] ?? '', /exactly/);
  assert.match(complaints('a: [1\n')[0] ?? '', /^\d+:\d+ /);
});

test('words and numbers mean what the core schema says, not what other YAML says', () => {
  const text = 'a: [no, yes, on, off, NO, 017, 1_000, 12:30:45, 2026-01-01, "1", 0x1F, 0o17, 1e3, true, ~]\n';
  const [node] = readYaml({ path: 'x.yaml', text }).nodes;
  assert.ok(node !== undefined);
  const words = ['no', 'yes', 'on', 'off', 'NO'];
  assert.deepEqual(plain(node), { a: [...words, 17, '1_000', '12:30:45', '2026-01-01', '1', 31, 15, 1000, true, null] });
});

test('a byte order mark, other line ends and empty documents change nothing', () => {
  const one = policy('one', '  rules: [{ id: a, effect: allow, priority: 7 }]');
  const { digest } = bundleOf(one, allowAll).ref;
  const variants = [`\ufeff${one}`, one.replaceAll('\n', '\r\n'), `---\n# nothing\n---\n${one}---\n`];
  for (const variant of variants) assert.equal(bundleOf(variant, allowAll).ref.digest, digest);
});

test('a doubled key hides nothing else that is wrong', () => {
  const found = problemsOf(policy('p', '  tier: team\n  rulez: []\n  rules: [{ id: a, effect: alow }]'));
  assert.deepEqual(
    found.map(({ code }) => code).filter((code) => code !== 'MANIFEST'),
    ['YAML', 'UNKNOWN_KEY', 'SCHEMA'],
  );
});

test('of a very long line only what is around the mistake is shown', () => {
  const values = JSON.stringify(Array.from({ length: 500 }, (_, i) => `value-${i}`));
  const text = `{"apiVersion":"warder/v1","kind":"DataSet","metadata":{"name":"d"},"spec":{"owner":"team:x","values":${values},"valuez":1}}`;
  const [problem] = problemsOf(text).filter(({ code }) => code === 'UNKNOWN_KEY');
  const [line = '', caret = ''] = problem?.caret?.split('\n') ?? [];
  assert.ok(line.length < 200 && line.startsWith('…'));
  assert.equal(line.slice(caret.length - 1, caret.length + 7), '"valuez"');
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

test('the published JSON Schema is that of this engine', () => {
  const published = new URL('../../../docs/formats/policy.schema.json', import.meta.url);
  const hint = 'write it anew: warder policy schema > docs/formats/policy.schema.json';
  assert.deepEqual(JSON.parse(readFileSync(published, 'utf8')), JSON.parse(JSON.stringify(policySchema())), hint);
});

test('the published page of attributes is that of this engine', () => {
  const published = new URL('../../../docs/formats/attributes.md', import.meta.url);
  assert.equal(
    readFileSync(published, 'utf8'),
    attributePage(),
    'write it anew: warder policy schema --attributes > docs/formats/attributes.md',
  );
});

test('an editor is offered the attributes of the target, and every one of them compiles', () => {
  const { oneOf } = policySchema() as { oneOf: { title: string; allOf?: { then: { properties: { spec: Offered } } }[] }[] };
  type Offered = { properties: { match: { properties: Record<string, unknown> } } };
  const offered = oneOf
    .find(({ title }) => title === 'Policy')
    ?.allOf?.map(({ then }) => Object.keys(then.properties.spec.properties.match.properties));
  assert.equal(offered?.length, targets.length);
  assert.ok(offered[targets.indexOf('sql')]?.includes('sql.effects') && offered[targets.indexOf('tool')]?.includes('tool.name'));
  for (const [i, target] of targets.entries()) {
    for (const path of offered[i] ?? []) {
      const found = (['request', 'response'] as const).some((phase) => resolveAttribute(requestSchema(target, phase), path).found);
      assert.ok(found, `${target} ${path}`);
    }
  }
});

test('the JSON Schema names every kind', () => {
  const { oneOf } = policySchema() as { oneOf: { title: string }[] };
  assert.deepEqual(oneOf.map(({ title }) => title).sort(), [
    'Bundle',
    'DataSet',
    'EnforcementPoint',
    'Exception',
    'ForeignEngine',
    'Library',
    'Override',
    'Policy',
    'PolicyTest',
    'RiskAcceptance',
    'Rollout',
  ]);
});
