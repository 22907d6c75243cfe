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
