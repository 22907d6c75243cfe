import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import { checkPolicies } from './analyse/index.ts';
import type { Problem } from './problem.ts';
import { sarifLog } from './sarif.ts';
import { allowAll, policy } from './scenario.ts';
import type { SourceFile } from './source.ts';

const schema: unknown = JSON.parse(readFileSync(new URL('../../test/corpus/sarif/sarif-2.1.0.schema.json', import.meta.url), 'utf8'));
const ajv = new Ajv({ strict: true, strictTypes: false, strictRequired: false, allErrors: true, allowUnionTypes: true });
// SPEC: RFC 3986 §4.1: only these characters, and nothing that is a badly written escape.
ajv.addFormat('uri-reference', /^(?:[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*$/);
ajv.addFormat('uri', /^[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/);
const valid = ajv.compile(schema as object); // The file holds an object, which the compiler checks.

function problemsOf(files: readonly SourceFile[]): readonly Problem[] {
  const steps = checkPolicies(files);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value.problems;
  }
}

const file = (path: string, text: string): SourceFile => ({ path, text });

const folders: Readonly<Record<string, readonly SourceFile[]>> = {
  'findings with witnesses': [
    file('a/deny all.yaml', policy('d', '  rules: [{ id: d, effect: deny, reason: NO_WAY, match: { resource.env: [prod] } }]')),
    file('a/größe.yaml', policy('a', '  rules: [{ id: a, effect: allow, match: { resource.env: [prod] } }]')),
  ],
  'what is only worth knowing': [
    file(
      'p.yaml',
      `${allowAll}\n---\n${policy('d', '  rules: [{ id: d, effect: deny, reason: NO_WAY, match: { resource.env: [prod] } }]')}`,
    ),
  ],
  'a misspelt key that has a fix': [file('p.yaml', policy('p', '  rules: [{ id: r, efect: allow }]'))],
  'a missing reason that has a fix': [file('p.yaml', policy('p', '  rules: [{ id: r, effect: deny }]'))],
  'a file that is not YAML': [file('p.yaml', 'kind: [')],
  'expressions that do not compile': [file('p.yaml', policy('p', '  rules: [{ id: r, effect: allow, when: "subject.nam == 1" }]'))],
  'nothing at all': [file('p.yaml', allowAll)],
};

for (const [what, files] of Object.entries(folders)) {
  test(`the SARIF log of ${what} is valid`, () => {
    const log = sarifLog(problemsOf(files), { version: '1.2.3', folder: 'policies/' });
    // As it is written: what JSON leaves out is left out.
    assert.ok(valid(JSON.parse(JSON.stringify(log))), ajv.errorsText(valid.errors));
  });
}

test('the logs above have results of every kind that there is', () => {
  const results = Object.values(folders).flatMap((files) => problemsOf(files));
  assert.deepEqual([...new Set(results.map(({ severity }) => severity))].sort(), ['error', 'info', 'warning']);
  assert.ok(results.some(({ fix }) => fix !== undefined) && results.some((one) => 'witness' in one));
});

test('a log that is not as the standard says is refused by the schema', () => {
  const problem = problemsOf(folders['a misspelt key that has a fix'] ?? []).find(({ fix }) => fix !== undefined);
  assert.ok(problem);
  const text = JSON.stringify(sarifLog([problem], { version: '1' }));
  for (const [from, to] of [
    ['"level":"error"', '"level":"fatal"'],
    ['"startLine":', '"line":'],
    ['"message":{"text"', '"message":{"texts"'],
    ['"version":"2.1.0"', '"version":"2.0.0"'],
    ['"driver":{', '"drivers":{'],
    ['"uri":"p.yaml"', '"uri":"p q.yaml"'],
    ['"charOffset":', '"offset":'],
  ] as const) {
    assert.ok(text.includes(from), from);
    assert.ok(!valid(JSON.parse(text.replace(from, to))), to);
  }
});
