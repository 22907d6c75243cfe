import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { DecisionRequest } from '#model';
import { decide } from '../../decide/decide.ts';
import { importPolicies } from '../import.ts';
import { admission, bundleOf } from '../testing/admit.ts';

const corpus = new URL('../../../../test/corpus/import/rego/', import.meta.url);
const files = ['legacy.yaml', 'policy.rego'].map((path) => ({ path, text: readFileSync(new URL(path, corpus), 'utf8') }));
const imported = importPolicies(files, { today: '2026-11-20', mode: 'source' });

function verdict(facts: Readonly<Record<string, unknown>>) {
  const request: DecisionRequest = { ...admission({}), target: 'sql', attributes: { sql: {} }, facts };
  const { verdict, reason } = decide(bundleOf(imported.documents), request);
  return `${verdict} ${reason}`;
}

test('what the engine says becomes the verdict, and silence refuses', () => {
  assert.equal(verdict({ foreign: { legacySqlRego: { result: { allow: true } } } }), 'allow ALLOWED');
  assert.equal(verdict({ foreign: { legacySqlRego: { result: { allow: false } } } }), 'deny FOREIGN_DENY');
  assert.equal(verdict({ foreign: { legacySqlRego: {} } }), 'deny FOREIGN_UNDEFINED');
  assert.equal(verdict({}), 'deny EVALUATION_ERROR');
  assert.equal(verdict({ foreign: { legacySqlRego: { result: 'what' } } }), 'deny EVALUATION_ERROR');
});

test('the engine is described with its deadline and its breaker', () => {
  const [engine] = imported.engines;
  assert.equal(imported.engines.length, 1);
  assert.equal(engine?.engine, 'opa-remote');
  assert.equal(engine?.deadlineMs, 1000);
  assert.deepEqual(engine?.breaker, { failures: 3, pauseMs: 30_000 });
});

test('the wrapper keeps the owner and the tier its author gave it', () => {
  assert.match(imported.documents[0]?.text ?? '', /owner: team:data-platform\n {2}tier: baseline\n {2}risk:\n {4}class: high/);
});

test('a compiled bundle names its files and its entrypoint, and its input may be written as CEL', () => {
  const wrapper = `apiVersion: warder/v1
kind: ForeignPolicy
metadata: { name: compiled }
spec:
  target: sql
  engine: rego-wasm
  files: [policies/bundle.tar.gz]
  entrypoint: sql/authz
  input: { user: subject.id, verbs: sql.verbs, wrong: subject.colour }
  output: { allow: result.allow, deny: "!result.allow" }
`;
  const { engines, findings } = importPolicies([{ path: 'compiled.yaml', text: wrapper }], { today: '2026-11-20' });
  assert.deepEqual(engines[0]?.input, { user: 'subject.id', verbs: 'sql.verbs' });
  assert.ok(findings.some(({ construct, line }) => construct === 'spec.input.wrong' && line === 9));
  const without = importPolicies([{ path: 'compiled.yaml', text: wrapper.replace('  entrypoint: sql/authz\n', '') }], {
    today: '2026-11-20',
  });
  assert.deepEqual(without.documents, []);
});

test('what is not taken over is named', () => {
  const named = imported.findings
    .filter(({ severity }) => severity === 'unsupported')
    .map(({ path, line, construct }) => `${path}:${line} ${construct}`);
  assert.deepEqual(named, [
    'legacy.yaml:21 spec.output.obligations',
    'legacy.yaml:24 spec.tests',
    'legacy.yaml:32 spec.url',
    'policy.rego:1 document',
  ]);
});

const compiledWrapper = `apiVersion: warder/v1
kind: ForeignPolicy
metadata: { name: old-rules }
spec:
  owner: team:shop
  target: sql
  mode: enforce
  engine: rego-wasm
  files: [bundle.tar.gz]
  entrypoint: data.sql.authz
  input: hoop.v1
  output: { deny: '!result.allow' }
  deadline: PT0.25S
  breaker: { failures: 3, pause: PT30S }
`;

test('a compiled bundle comes along as an engine of the bundle, with its module, its data and its terms', () => {
  const file = { path: 'shop/old.yaml', text: compiledWrapper };
  const { documents, findings, engines } = importPolicies([file], {
    ...{ today: '2026-11-20', mode: 'source' },
    compiledRego: ({ files: [name] }) => ({ ok: true, wasm: 'AGFzbQ==', data: { from: name } }),
  });
  assert.deepEqual(findings, []);
  assert.equal(engines.length, 1);
  const [engine, ...others] = bundleOf(documents).engines.values();
  assert.deepEqual(others, []);
  assert.deepEqual(
    { ...engine, digest: '' },
    {
      ...{
        engine: 'rego-wasm',
        fact: 'oldRules',
        digest: '',
        input: 'hoop.v1',
        deadlineMs: 250,
        breaker: { failures: 3, pauseMs: 30_000 },
      },
      ...{ wasm: 'AGFzbQ==', data: { from: 'bundle.tar.gz' }, entrypoint: 'data.sql.authz' },
    },
  );
  assert.match(documents.find(({ path }) => path.includes('foreignengine'))?.text ?? '', /owner: team:shop/);
});

test('a bundle that cannot be read is named, and the wrapper refuses where it is enforced', () => {
  const file = { path: 'shop/old.yaml', text: compiledWrapper };
  const options = { today: '2026-11-20', mode: 'source' } as const;
  const { documents, findings } = importPolicies([file], { ...options, compiledRego: () => ({ ok: false, why: 'it is not there' }) });
  assert.deepEqual(
    findings.map(({ severity, line, message }) => `${severity} ${line} ${message}`),
    ['unsupported 9 the compiled policy cannot be taken along: it is not there'],
  );
  assert.equal(bundleOf(documents).engines.size, 0);
  const request: DecisionRequest = { ...admission({}), target: 'sql', attributes: { sql: {} }, facts: {} };
  assert.equal(decide(bundleOf(documents), request).reason, 'EVALUATION_ERROR');
});

test('where a remote OPA answers does not get into a bundle, and who waits longest is bounded', () => {
  const { documents, findings } = importPolicies(
    files.map(({ path, text }) => ({ path, text: text.replace('PT1S', 'PT10M') })),
    { today: '2026-11-20' },
  );
  assert.ok(documents.every(({ text }) => !text.includes('opa.example.com')));
  assert.ok(findings.some(({ severity, construct }) => severity === 'hint' && construct === 'spec.url'));
  assert.deepEqual(
    [...bundleOf(documents).engines.values()].map(({ engine, deadlineMs }) => [engine, deadlineMs]),
    [['opa-remote', 5000]],
  );
});
