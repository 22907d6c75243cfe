import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { inspectSql, loadInspectors } from '#inspect';
import type { DecisionRequest } from '#model';
import { decide } from '../../decide/decide.ts';
import { importPolicies } from '../import.ts';
import { admission, bundleOf } from '../testing/admit.ts';

before(loadInspectors);

function imported(name: string) {
  const text = readFileSync(new URL(`../../../../test/corpus/import/hoop/${name}`, import.meta.url), 'utf8');
  return importPolicies([{ path: name, text }], { today: '2026-11-20', mode: 'source' });
}

function unsupported(name: string): string[] {
  return imported(name)
    .findings.filter((finding) => finding.severity === 'unsupported')
    .map(({ construct, line }) => `${line} ${construct}`);
}

function statement(text: string, database = 'appdb'): DecisionRequest {
  const { facts, certainty } = inspectSql(text, {});
  return {
    ...admission({}),
    target: 'sql',
    point: 'postgres',
    resource: { type: 'database', id: `pg:${database}`, name: database, engine: 'postgres', env: 'prod', owner: 'team:shop', labels: {} },
    context: { certainty },
    attributes: { sql: facts },
    can: ['redact', 'mask'],
  };
}

test('rules of a relay refuse what they refuse there', () => {
  const bundle = bundleOf(imported('relay.yaml').documents);
  const ask = (text: string, database?: string) => decide(bundle, statement(text, database));
  assert.equal(ask('DROP TABLE orders').reason, 'NO_SCHEMA_CHANGES');
  assert.equal(ask('ALTER TABLE orders ADD COLUMN x int').verdict, 'deny');
  assert.equal(ask('UPDATE public.customers SET a = 1 WHERE id = 2').message, 'customers is owned by the CRM');
  assert.equal(ask('SELECT * FROM customers').verdict, 'allow');
  assert.equal(ask("SELECT pg_read_file('/etc/passwd')").reason, 'NO_SERVER_FILES');
  assert.equal(ask('DELETE FROM carts').reason, 'NO_UNBOUNDED_DELETE');
  assert.equal(ask('DELETE FROM carts WHERE id = 1').verdict, 'allow');
  assert.equal(ask('this is no SQL').verdict, 'deny');
});

test('a listener adds to the rules of the file, and an empty list keeps them away', () => {
  const bundle = bundleOf(imported('relay.yaml').documents);
  assert.equal(decide(bundle, statement('SELECT * FROM hr.payroll', 'payroll')).reason, 'PAYROLL_STAYS');
  assert.equal(decide(bundle, statement('SELECT * FROM hr.payroll')).verdict, 'allow');
  assert.equal(decide(bundle, statement('DROP TABLE orders', 'open')).verdict, 'allow');
});

test('mask rules become transforms of the response', () => {
  const bundle = bundleOf(imported('relay.yaml').documents);
  const request = statement('SELECT 1');
  const result = { columns: [{ name: 'a', labels: [], lineage: 'none', type: 'text' }] };
  const decision = decide(bundle, { ...request, phase: 'response', attributes: { ...request.attributes, result } });
  const types = decision.obligations.map((obligation) => obligation.type).sort();
  assert.deepEqual([...new Set(types)], ['mask', 'redact']);
});

test('a word list that is about an effect names the match that says it', () => {
  const { findings } = imported('guardrail.json');
  const hint = findings.find((finding) => finding.construct === '[0].input.rules[0].words');
  assert.equal(hint?.severity, 'hint');
  assert.equal(hint?.suggestion, 'match sql.effects: [write.delete]');
});

function http(path: string, method: string): DecisionRequest {
  return { ...admission({}), target: 'http', attributes: { http: { path, method } } };
}

test('rules for HTTP resources are about HTTP operations', () => {
  const text = `guardrails:
  rules:
    - { name: no-refunds, type: http_resource, resources: ["/refunds/**"], methods: [post], message: refunds go through support }
    - { name: no-errors, type: http_status, statuses: [500] }
listeners: [{ name: api, protocol: http, listen: "127.0.0.1:1" }]
`;
  const { documents, findings } = importPolicies([{ path: 'api.yaml', text }], { today: '2026-11-20', mode: 'source' });
  const bundle = bundleOf(documents);
  assert.equal(decide(bundle, http('/refunds/1/confirm', 'POST')).message, 'refunds go through support');
  assert.equal(decide(bundle, http('/refunds/1', 'GET')).reason, 'NO_MATCHING_ALLOW');
  assert.ok(findings.some(({ severity, line }) => severity === 'unsupported' && line === 4));
});

test('what a relay has and this has not is named with its line', () => {
  assert.deepEqual(unsupported('relay.yaml'), [
    '6 guardrails.rules[0].operations[3]',
    '25 guardrails.rules[5].pattern_regex',
    '26 guardrails.rules[6]',
    '32 mask.rules[1].entities[1]',
    '34 analyzer',
    '46 listeners[3].protocol',
  ]);
  assert.deepEqual(unsupported('guardrail.json'), [
    '6 [0].output.rules[0]',
    '11 [1].supported_entity_types[0].entity_types[2]',
    '12 [1].custom_entity_types[0]',
  ]);
});
