import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import type { DecisionRequest } from '#model';
import { compileBundle } from '../../bundle.ts';
import { decide } from '../../decide/decide.ts';
import { importPolicies } from '../import.ts';
import { admission } from '../testing/admit.ts';
import { readAnnotations } from './annotation.ts';
import { cedarPolicies } from './read.ts';
import { cedarFact } from './evaluate.ts';
import type { CedarFact } from './evaluate.ts';

const file = {
  path: 'policies/orders.cedar',
  text: readFileSync(new URL('../../../../test/corpus/import/cedar/orders.cedar', import.meta.url), 'utf8'),
};
const options = { today: '2026-11-20', mode: 'source', cedar } as const;

function bundle() {
  const compiled = compileBundle(importPolicies([file], options).documents);
  assert.ok(compiled.ok);
  return compiled.bundle;
}

function statement(verb: string, fact?: CedarFact): DecisionRequest {
  const base = admission({});
  const facts = fact === undefined ? {} : { foreign: { orders: { result: fact } } };
  return {
    ...base,
    target: 'sql',
    subject: { ...base.subject, groups: ['engineering'] },
    resource: { type: 'database', id: 'pg:orders', name: 'orders', engine: 'postgres', env: 'prod', owner: 'team:shop', labels: {} },
    attributes: { sql: { verbs: [verb], complete: true } },
    facts,
    can: ['mask', 'approval'],
  };
}

function asked(verb: string) {
  const policies = cedarPolicies(file, cedar);
  assert.ok(policies);
  const fact = cedarFact(cedar, policies, statement(verb));
  return { fact, decision: decide(bundle(), statement(verb, fact)) };
}

test('Cedar decides, and its permit is an allow', () => {
  const { fact, decision } = asked('select');
  assert.deepEqual(fact, { decision: 'permit', determining: ['staff-read'], failed: [] });
  assert.equal(decision.verdict, 'allow');
});

test('annotations of the policy that decided are obligations', () => {
  const { fact, decision } = asked('update');
  assert.equal(decision.verdict, 'pending');
  assert.equal(decision.requirements[0]?.approval?.quorum, 2);
  assert.equal(decision.reason, 'WRITE_NEEDS_APPROVAL');
  assert.ok(fact);
  const select = asked('select').fact;
  const response = decide(bundle(), { ...statement('select', select), phase: 'response' });
  assert.deepEqual(
    response.obligations.map((obligation) => obligation.type),
    ['mask'],
  );
});

test('a forbid says its own reason, and nothing permitted is a refusal', () => {
  const { decision } = asked('drop');
  assert.equal(decision.reason, 'NEVER_DROP');
  assert.equal(decision.message, 'Nothing is dropped here.');
  assert.equal(asked('insert').decision.reason, 'NO_MATCHING_ALLOW');
});

test('without an answer of Cedar, and with a forbid that failed, the operation is refused', () => {
  assert.equal(decide(bundle(), statement('select')).verdict, 'deny');
  const failed = { decision: 'permit', determining: ['staff-read'], failed: ['no-drops'] } as const;
  assert.equal(decide(bundle(), statement('select', failed)).reason, 'CEDAR_EVALUATION_ERROR');
});

test('without the Cedar module a Cedar file is reported and not imported', () => {
  const { documents, findings } = importPolicies([file], { today: '2026-11-20' });
  assert.deepEqual(documents, []);
  assert.equal(findings[0]?.severity, 'unsupported');
});

test('an annotation with a value outside the grammar keeps the whole file out', () => {
  const text = file.text.replace('"dba:2"', '"dba:many"');
  const { documents, findings } = importPolicies([{ ...file, text }], options);
  assert.deepEqual(documents, []);
  assert.ok(findings.some(({ construct, line }) => construct === '@require_approval' && line === 5));
});

test('annotations that ask for nothing are named, known ones are silent', () => {
  const { ignored, mistakes } = readAnnotations({ id: 'x', owner: 'team:a', colour: 'blue', row_limit: 'many' });
  assert.deepEqual(ignored, ['colour']);
  assert.deepEqual(
    mistakes.map((mistake) => mistake.annotation),
    ['row_limit'],
  );
});
