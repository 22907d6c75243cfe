import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { DecisionRequest } from '#model';
import { inspectSql, loadInspectors } from '#inspect';
import { foreignInput, projections } from './projection.ts';

before(loadInspectors);

const base: Omit<DecisionRequest, 'target' | 'attributes'> = {
  phase: 'request',
  point: 'x',
  now: 0,
  subject: { type: 'user', id: 'user:eve', name: 'eve@example.com', groups: ['engineering'] },
  resource: { type: 'database', id: 'pg:orders', name: 'orders', env: 'prod' },
  context: { session: 's1' },
  can: [],
  binding: '',
  grants: [],
};

function sql(text: string): DecisionRequest {
  return { ...base, target: 'sql', attributes: { sql: inspectSql(text).facts } };
}

test('hoop.v1 tells operation, tables, effects and who asks', () => {
  const input = foreignInput({ input: 'hoop.v1' }, sql('DELETE FROM orders; SELECT 1')) as Record<string, unknown>; // Reason: an object, as the test shows.
  assert.deepEqual(
    { operation: input['operation'], tables: input['tables'], context: input['context'] },
    {
      operation: 'delete',
      tables: ['orders'],
      context: {
        principal: 'user:eve',
        email: 'eve@example.com',
        groups: ['engineering'],
        session_id: 's1',
        connection: 'orders',
        environment: 'prod',
      },
    },
  );
  assert.deepEqual(input['relations'], [{ schema: '', name: 'orders', access: 'write' }]);
});

test('authzen asks as subject, action and resource', () => {
  const { context, ...asked } = foreignInput({ input: 'authzen' }, sql('SELECT 1')) as Record<string, unknown>; // Reason: an object, as the test shows.
  assert.deepEqual(asked, {
    subject: {
      type: 'user',
      id: 'user:eve',
      properties: { name: 'eve@example.com', groups: ['engineering'], onBehalfOf: undefined },
    },
    action: { name: 'select' },
    resource: { type: 'database', id: 'pg:orders', properties: { name: 'orders', env: 'prod' } },
  });
  assert.ok(context !== undefined);
});

test('admission-review, conftest and envoy have the forms their policies were written for', () => {
  const object = { kind: 'Pod' };
  const admission: DecisionRequest = {
    ...base,
    target: 'k8s.admission',
    attributes: { admission: { operation: 'CREATE' }, object, oldObject: null },
  };
  assert.deepEqual(foreignInput({ input: 'admission-review' }, admission), {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: { operation: 'CREATE', object, oldObject: null },
  });
  assert.deepEqual(foreignInput({ input: 'conftest' }, admission), object);
  const http = {
    method: 'GET',
    host: 'a',
    scheme: 'https',
    path: '/x/y',
    query: 'q=1&q=2&r',
    headers: { h: 'v' },
    requestBytes: 0,
    bodyComplete: false,
  };
  assert.deepEqual(foreignInput({ input: 'envoy' }, { ...base, target: 'http', attributes: { http } }), {
    attributes: {
      request: { http: { method: 'GET', host: 'a', scheme: 'https', path: '/x/y?q=1&q=2&r', headers: { h: 'v' }, size: 0 } },
      source: { principal: 'user:eve', address: undefined },
    },
    parsed_path: ['x', 'y'],
    parsed_query: { q: ['1', '2'], r: [''] },
    truncated_body: true,
  });
});

test('an input written in CEL has the members that could be evaluated', () => {
  const input = { user: 'subject.id', verbs: 'sql.verbs', ticket: 'facts.ticket.id', at: 'now', groups: 'size(subject.groups)' };
  assert.deepEqual(foreignInput({ input }, sql('SELECT 1')), {
    user: 'user:eve',
    verbs: ['select'],
    at: '1970-01-01T00:00:00Z',
    groups: 1,
  });
  assert.equal(foreignInput({ input: { user: 'nonsense(' } }, sql('SELECT 1')), undefined);
});

test('every projection can be made of every target, and another one cannot', () => {
  for (const input of projections)
    for (const target of ['sql', 'http', 'ssh', 'tool', 'k8s.admission', 'ci'] as const)
      assert.notEqual(foreignInput({ input }, { ...base, target, attributes: {} }), undefined);
  assert.equal(foreignInput({ input: 'nothing' }, sql('SELECT 1')), undefined);
});
