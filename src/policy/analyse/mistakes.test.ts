import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { formatProblem } from '../problem.ts';
import type { Problem } from '../problem.ts';
import type { SourceFile } from '../source.ts';
import { checkPolicies } from './check.ts';
import type { CheckResult } from './check.ts';
import { fixFiles } from './fix.ts';

/** One planted mistake of the corpus. */
interface Mistake {
  readonly name: string;
  readonly policy: string;
  readonly want: {
    readonly code: string;
    readonly severity: Problem['severity'];
    readonly line: number;
    readonly column: number;
    readonly witness: boolean;
    readonly words: readonly string[];
  };
}

const root = resolve(import.meta.dirname, '../../..');
const corpus = join(root, 'test/corpus/policy-mistakes');
const today = Date.parse('2026-11-20T00:00:00Z');

function check(files: readonly SourceFile[]): CheckResult {
  const steps = checkPolicies(files, today);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

const untested = ({ code, message }: Problem): boolean => code === 'P302' && message.includes('no test is about it');

let mistakes = 0;
for (const file of readdirSync(corpus).sort()) {
  for (const { name, policy, want } of parse(readFileSync(join(corpus, file), 'utf8')) as Mistake[]) {
    mistakes += 1;
    test(`${file.replace('.yaml', '')}: ${name}`, () => {
      const { problems } = check([{ path: 'p.yaml', text: policy }]);
      const shown = problems.map(formatProblem).join('\n');
      const told = problems.filter(({ code, message }) => code === want.code && want.words.every((word) => message.includes(word)));
      assert.equal(told.length, 1, shown);
      const [problem] = told;
      assert.ok(problem !== undefined);
      const { severity, line, column } = problem;
      assert.deepEqual(
        { severity, line, column, witness: 'witness' in problem },
        { severity: want.severity, line: want.line, column: want.column, witness: want.witness },
      );
      // Whoever makes one mistake must not be told of others.
      const others = problems.filter((other) => other.severity === 'error' && other !== problem && !untested(other));
      assert.deepEqual(others.map(formatProblem), []);
    });
  }
}

test('the corpus of mistakes only grows', () => {
  assert.ok(mistakes >= 326);
});

test('the policies that come with Warder have no mistake', () => {
  const folder = join(root, 'policies');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.ya?ml$/.test(path))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(folder, path), 'utf8') }));
  const { problems } = check(files);
  assert.deepEqual(problems.filter(({ severity }) => severity !== 'info').map(formatProblem), []);
});

const head = `apiVersion: warder/v1
kind: Policy
metadata: { name: p }
spec:
  owner: team:data
  tier: org
  risk: { class: low }
  review: { last: 2026-11-01, every: P90D }
  target: sql
`;

function mended(rules: string): string {
  const files = [{ path: 'p.yaml', text: head + rules }];
  const fixed = fixFiles(files, check(files).problems);
  return (fixed.files[0]?.text ?? '').slice(head.length);
}

test('a misspelt key with one possible meaning is mended, and nothing else changes', () => {
  const rules = '  rules:\n    - id: a   # kept\n      efect: allow\n      match: { resource.evn: [prod],   sql.verb: [select] }\n';
  assert.equal(mended(rules), rules.replace('efect', 'effect').replace('resource.evn', 'resource.env').replace('sql.verb:', 'sql.verbs:'));
});

test('a key that could mean several things, or would stand twice, is left alone', () => {
  const twice = '  rules:\n    - id: a\n      effect: allow\n      efect: deny\n';
  assert.equal(mended(twice), twice);
  const unclear = '  rules:\n    - id: a\n      effect: allow\n      match: { context.xyz: [a] }\n';
  assert.equal(mended(unclear), unclear);
});

test('a missing reason is added in the style of its surroundings', () => {
  assert.equal(
    mended('  rules:\n    - id: no-drop\n      effect: deny # never\n'),
    '  rules:\n    - id: no-drop\n      effect: deny # never\n      reason: DENIED_NO_DROP\n',
  );
  assert.equal(mended('  rules: [{ id: d, effect: deny }]\n'), '  rules: [{ id: d, effect: deny, reason: DENIED_D }]\n');
  assert.equal(
    mended('  rules:\r\n    - effect: deny\r\n      id: d\r\n'),
    '  rules:\r\n    - effect: deny\r\n      reason: DENIED_D\r\n      id: d\r\n',
  );
});

test('a rule that stands twice is removed with its lines only, unless something names it', () => {
  const one = '    - id: one\n      effect: allow\n      match: { subject.groups: [dba] }\n';
  const two = one.replace('one', 'two');
  const after = '\n    # about the next\n    - id: three\n      effect: deny\n      reason: NOPE\n      match: { resource.env: [prod] }\n';
  assert.equal(mended(`  rules:\n${one}${two}${after}`), `  rules:\n${one}${after}`);
  const named = `  rules:\n${one}${two}---\napiVersion: warder/v1\nkind: Bundle\nmetadata: { name: b }\nspec: { version: "1.0.0", baseline: [p/two] }\n`;
  assert.equal(mended(named), named);
});

test('an analysis of a broken bundle still tells what is wrong in the files that are whole', () => {
  const broken = { path: 'broken.yaml', text: head.replace('name: p', 'name: q') };
  const whole = {
    path: 'whole.yaml',
    text: `${head}  rules:\n    - { id: a, effect: allow }\n    - { id: d, effect: deny, reason: NOPE }\n`,
  };
  const { ok, problems } = check([broken, whole]);
  assert.equal(ok, false);
  assert.deepEqual(
    [...new Set(problems.map(({ path, code }) => `${path} ${code}`))].sort(),
    ['broken.yaml MANIFEST', 'broken.yaml SCHEMA', 'whole.yaml P101', 'whole.yaml P107', 'whole.yaml P304', 'whole.yaml P305'].sort(),
  );
});

test('all mistakes of one policy are told at once, those that keep it from compiling and the others', () => {
  const text = `${head}  rules:
    - { id: d1, effect: deny, reason: NOPE, mesage: x, match: { sql.effects: ["drop.*"] } }
    - { id: d2, effect: deny, reason: NOPE, message: x, when: 'sql.tabels.exists(t, true)' }
    - { id: d3, effect: deny, reason: NOPE, message: x, when: 'resource.env == "a" && resource.env == "b"' }
    - { id: d4, effect: deny, reason: NOPE, message: x, match: { sql.verbs: [DELETE] } }
`;
  const errors = check([{ path: 'p.yaml', text }]).problems.filter(({ severity }) => severity === 'error');
  const first = text.split('\n').findIndex((line) => line.includes('id: d1')) + 1;
  assert.deepEqual(
    errors.map(({ code, line }) => [code, line - first]),
    [
      ['UNKNOWN_KEY', 0],
      ['P201', 1],
      ['P105', 2],
      ['P204', 3],
    ],
  );
});

test('a slip in an attribute or a word is mended where it stands, in a match and in an expression', () => {
  const rules = `  rules:\n    - id: d\n      effect: deny\n      reason: NOPE\n      match: { sql.verbs: [DELETE] }\n      when: 'sql.effects.exists(e, e == "drop.tabel")'\n`;
  assert.equal(mended(rules), rules.replace('DELETE', 'delete').replace('drop.tabel', 'drop.table'));
});

test('a misspelt key, a missing field and a wrong date hide no mistake in an expression', () => {
  const text = `apiVersion: warder/v1
kind: Policy
metadata: { name: p }
spec:
  ownr: team:data
  tier: org
  risk: { class: low }
  review: { last: 2026-13-01, every: P90D }
  target: sql
  match: { resource.enviroment: [prod] }
  rules:
    - id: one
      effect: deny
      reason: lower
      when: sql.tables.exists(t, t = "public.orders")
    - id: two
      effect: transform
      when: context.rows > 3
      obligations: [{ type: mask, columns: ["*.email"] }]
    - id: three
      efect: deny
      when: size(resource.env) == "1"
`;
  const told = check([{ path: 'p.yaml', text }]).problems.filter(({ severity }) => severity === 'error');
  assert.deepEqual(
    told.map(({ code, line }) => `${code} ${line}`),
    [
      ...['UNKNOWN_KEY 5', 'SCHEMA 5', 'SCHEMA 8', 'P201 10', 'SCHEMA 14', 'CEL 15', 'P201 18', 'SCHEMA 19', 'SCHEMA 19', 'UNKNOWN_KEY 19'],
      ...['SCHEMA 20', 'UNKNOWN_KEY 21', 'CEL 22'],
    ],
  );
});
