import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { runCases } from '../cases/index.ts';
import { compileBundle } from '../bundle.ts';
import type { SourceFile } from '../source.ts';
import { importPolicies } from './import.ts';

const corpus = new URL('../../../test/corpus/import/', import.meta.url);

function filesIn(folder: string): SourceFile[] {
  const url = new URL(`${folder}/`, corpus);
  return readdirSync(url, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const absolute = `${entry.parentPath}/${entry.name}`;
      return { path: absolute.slice(url.pathname.length).replace(/^\/+/, ''), text: readFileSync(absolute, 'utf8') };
    })
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

function textsOf(files: readonly SourceFile[]): string[] {
  return importPolicies(files, { today: '2026-11-20' })
    .documents.map(({ text }) => text)
    .sort();
}

const folders = ['kubernetes', 'gatekeeper', 'kyverno', 'hoop', 'rego', 'library'];

for (const folder of folders) {
  for (const mode of ['shadow', 'source'] as const) {
    test(`the cases written for ${folder} pass in the mode ${mode}`, async () => {
      const { documents, cases } = importPolicies(filesIn(folder), { today: '2026-11-20', mode });
      const report = await runCases([...documents, ...cases]);
      const failed = report.results
        .filter((result) => !result.ok)
        .map(({ test: name, name: one, failures }) => `${name}: ${one}: ${failures.join('; ')}`);
      assert.deepEqual(failed, []);
      assert.equal(report.ok, true);
    });
  }
}

test('cases of the sources’ own tests say what their authors expect', () => {
  const gatekeeper = importPolicies(filesIn('gatekeeper'), { today: '2026-11-20' })
    .cases.map(({ text }) => text)
    .join('\n');
  assert.match(gatekeeper, /name: "owners: bare"[^]*?verdict: deny/);
  assert.match(gatekeeper, /name: "owners: labelled"[^]*?shadow: false/);
  const kyverno = importPolicies(filesIn('kyverno'), { today: '2026-11-20' })
    .cases.map(({ text }) => text)
    .join('\n');
  assert.match(kyverno, /name: "tags: floating fail"[^]*?verdict: deny/);
});

test('what the authors of policies expect of objects is all there, in the layouts of their own projects', () => {
  const { cases } = importPolicies(filesIn('library'), { today: '2026-11-20', mode: 'source' });
  const named = (pattern: RegExp): number =>
    cases.map(({ text }) => text.match(pattern)?.length ?? 0).reduce((sum, count) => sum + count, 0);
  assert.equal(named(/name: "users: [^"]+"/g), 9);
  assert.equal(named(/name: "require-probes: [^"]+ (?:pass|fail)"/g), 6);
  assert.equal(named(/name: (?:Pod|Deployment|CronJob) \S+ of \S+ is admitted/g), 4);
  assert.equal(named(/name: (?:Pod|Deployment|CronJob) \S+ of \S+ is refused/g), 3);
});

test('the original is kept by path and digest, with what was made of it', () => {
  const { sources } = importPolicies(filesIn('kyverno'), { today: '2026-11-20' });
  const policy = sources.find((source) => source.name === 'disallow-latest-tag');
  assert.deepEqual(policy?.documents, ['Policy/disallow-latest-tag', 'Policy/disallow-latest-tag-controllers']);
  assert.match(policy?.digest ?? '', /^sha256:[0-9a-f]{64}$/);
  assert.deepEqual(sources.find((source) => source.name === 'toolbox')?.documents, [
    'Policy/disallow-latest-tag',
    'Policy/disallow-latest-tag-controllers',
  ]);
});

test('an import depends on the files alone, not on their order', () => {
  const files = folders.flatMap((folder) => filesIn(folder).map((file) => ({ ...file, path: `${folder}/${file.path}` })));
  assert.deepEqual(textsOf(files.toReversed()), textsOf(files));
});

test('everything that is imported from the whole corpus compiles together', () => {
  const files = folders.flatMap((folder) => filesIn(folder).map((file) => ({ ...file, path: `${folder}/${file.path}` })));
  const compiled = compileBundle(importPolicies(files, { today: '2026-11-20' }).documents);
  assert.equal(compiled.ok, true);
});

test('a generated document that does not compile is left out and reported, and the rest stands', () => {
  const text = `apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: { name: x }
spec:
  matchConstraints: { resourceRules: [{ apiGroups: [""], apiVersions: [v1], operations: ["*"], resources: [pods] }] }
  validations: [{ expression: "object.a == 1" }]
---
apiVersion: policies.kyverno.io/v1
kind: PolicyException
metadata: { name: too-long-for-one-approver }
spec:
  policyRefs: [{ name: x, kind: ValidatingPolicy }]
  expiresAt: "2027-12-01T00:00:00Z"
  properties: { approved-by: dana }
`;
  const { documents, findings, sources } = importPolicies([{ path: 'x.yaml', text }], { today: '2026-11-20' });
  assert.deepEqual(
    documents.map(({ path }) => path),
    ['imported/x.yaml', 'imported/x-controllers.yaml', 'imported/x-cronjobs.yaml'],
  );
  assert.ok(
    findings.some(({ line, severity, message }) => line === 8 && severity === 'unsupported' && message.includes('two people must approve')),
  );
  assert.deepEqual(
    sources.map((source) => source.documents),
    [['Policy/x', 'Policy/x-controllers', 'Policy/x-cronjobs'], []],
  );
});

test('the items of a List are documents of their own', () => {
  const item =
    'apiVersion: policies.kyverno.io/v1\n    kind: ValidatingPolicy\n    metadata: { name: x }\n    spec: { validations: [{ expression: "object.a == 1" }] }\n';
  const { documents } = importPolicies([{ path: 'list.yaml', text: `apiVersion: v1\nkind: List\nitems:\n  - ${item}` }], {
    today: '2026-11-20',
  });
  assert.equal(documents.length, 1);
});

test('documents of kinds that nobody imports, and files that cannot be read, are named', () => {
  const files = [
    {
      path: 'hook.yaml',
      text: 'apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: { name: x }\n',
    },
    { path: 'twice.yaml', text: 'a: 1\na: 2\n' },
    { path: 'nothing.yaml', text: 'just: words\n' },
  ];
  const { findings } = importPolicies(files, { today: '2026-11-20' });
  assert.deepEqual(
    findings.map(({ path, severity }) => `${path} ${severity}`),
    ['hook.yaml unsupported', 'nothing.yaml unsupported', 'twice.yaml unsupported'],
  );
});

test('whatever a document holds, the import answers with documents that compile and findings, never with a failure', () => {
  const word = fc.constantFrom(
    'spec',
    'matchConstraints',
    'resourceRules',
    'validations',
    'expression',
    'variables',
    'name',
    'message',
    'messageExpression',
    'mutations',
    'jsonPatch',
    'applyConfiguration',
    'matchConditions',
    'namespaceSelector',
    'matchLabels',
    'matchExpressions',
    'key',
    'operator',
    'values',
    'match',
    'kinds',
    'parameters',
    'targets',
    'code',
    'source',
    'engine',
    'rules',
    'type',
    'words',
    'input',
    'guardrails',
    'listeners',
    'mask',
    'policyRefs',
    'images',
    'attestors',
    'paramKind',
    'paramRef',
    'output',
    'deny',
    'url',
    'policyName',
    'metadata',
    'labels',
  );
  const leaf = fc.oneof(
    fc.constantFrom(
      'object.spec.x > 1',
      '1 +',
      'variables.a',
      'K8sNativeValidation',
      'operation',
      'drop',
      '',
      '*',
      'In',
      'Deny',
      '[JSONPatch{op: "add", path: "/a", value: 1}]',
      'Object{spec: Object.spec{a: 1}}',
      '!result.allow',
      'params.x',
    ),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 5 }, leaf, fc.array(tie('value'), { maxLength: 3 }), fc.dictionary(word, tie('value'), { maxKeys: 5 })),
  }));
  const kind = fc.constantFrom(
    ['admissionregistration.k8s.io/v1', 'ValidatingAdmissionPolicy'],
    ['admissionregistration.k8s.io/v1', 'ValidatingAdmissionPolicyBinding'],
    ['admissionregistration.k8s.io/v1', 'MutatingAdmissionPolicy'],
    ['templates.gatekeeper.sh/v1', 'ConstraintTemplate'],
    ['constraints.gatekeeper.sh/v1beta1', 'X'],
    ['policies.kyverno.io/v1', 'ValidatingPolicy'],
    ['policies.kyverno.io/v1', 'MutatingPolicy'],
    ['policies.kyverno.io/v1', 'ImageValidatingPolicy'],
    ['policies.kyverno.io/v1', 'PolicyException'],
    ['kyverno.io/v1', 'ClusterPolicy'],
    ['warder/v1', 'ForeignPolicy'],
    ['', ''],
  );
  const document = fc
    .tuple(kind, fc.dictionary(word, value), value)
    .map(([[apiVersion, name], fields, spec]) =>
      stringify({ ...(apiVersion === '' ? {} : { apiVersion, kind: name, metadata: { name: 'x' } }), ...fields, spec }),
    );
  fc.assert(
    fc.property(fc.array(document, { minLength: 1, maxLength: 3 }), (texts) => {
      const { documents } = importPolicies([{ path: 'x.yaml', text: texts.join('---\n') }], { today: '2026-11-20' });
      return compileBundle(documents).ok;
    }),
    { numRuns: 100 },
  );
});
