import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admissionOf } from './admission.ts';

const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, spec: {} };
/** As the API server hands it on. */
const placed = { ...pod, metadata: { name: 'a', namespace: 'default' } };

function made(inputs: { object?: unknown; oldObject?: unknown; request?: unknown }, attributes: Record<string, unknown> = {}) {
  return admissionOf(inputs, { ...attributes, ...inputs });
}

test('an object is a CREATE in its namespace', () => {
  const { request, object, oldObject } = made({ object: pod });
  assert.deepEqual(request, {
    operation: 'CREATE',
    kind: 'Pod',
    group: '',
    version: 'v1',
    resource: 'pods',
    namespace: 'default',
    name: 'a',
    namespaceLabels: { 'kubernetes.io/metadata.name': 'default' },
  });
  assert.deepEqual([object, oldObject], [placed, null]);
});

test('with the object before it is an UPDATE, and alone that one is a DELETE', () => {
  const update = made({ object: pod, oldObject: pod });
  assert.equal((update['request'] as { operation: string }).operation, 'UPDATE'); // As made above.
  const removal = made({ oldObject: pod });
  assert.deepEqual(
    [(removal['request'] as { operation: string }).operation, removal['object'], removal['oldObject']],
    ['DELETE', null, placed],
  );
});

test('a DELETE of an object has it as the object before', () => {
  const { object, oldObject } = made({ object: pod, request: { operation: 'DELETE' } });
  assert.deepEqual([object, oldObject], [null, placed]);
});

test('what the request says otherwise holds', () => {
  const { request } = made({
    object: pod,
    request: { resource: 'pods/ephemeralcontainers', namespace: 'shop', namespaceLabels: { env: 'dev' } },
  });
  assert.deepEqual(request, {
    operation: 'CREATE',
    kind: 'Pod',
    group: '',
    version: 'v1',
    resource: 'pods/ephemeralcontainers',
    namespace: 'shop',
    name: 'a',
    namespaceLabels: { 'kubernetes.io/metadata.name': 'shop', env: 'dev' },
  });
});

test('what lives in no namespace is in none', () => {
  const { request, namespaceObject } = made({ object: { ...pod, apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole' } });
  const { namespace, group, resource } = request as Record<string, unknown>; // As made above.
  assert.deepEqual([namespace, group, resource, namespaceObject], ['', 'rbac.authorization.k8s.io', 'clusterroles', null]);
});

test('the namespace of the request is that of the object, unless the object has none', () => {
  const namespaceIn = (value: unknown): unknown => (value as { metadata: { namespace?: string } }).metadata.namespace; // As made above.
  assert.equal(namespaceIn(made({ object: { ...pod, metadata: { name: 'a', namespace: 'shop' } } })['object']), 'shop');
  assert.equal(namespaceIn(made({ object: pod, request: { namespace: 'shop' } })['object']), 'shop');
  assert.equal(namespaceIn(made({ object: { ...pod, kind: 'Node' } })['object']), undefined);
  assert.equal(namespaceIn(made({ object: { ...pod, kind: 'Namespace' } })['object']), undefined);
});

test('a request with a kind is the whole of it', () => {
  assert.deepEqual(made({ object: pod, request: { operation: 'CREATE', kind: 'Pod' } }), {});
});

test('an object that does not say what it is cannot be admitted', () => {
  assert.throws(() => made({ object: { metadata: {} } }), /needs "apiVersion" and "kind"/);
});

test('a member called __proto__ is data', () => {
  const { object } = made({ object: { ...pod, spec: JSON.parse('{"__proto__": {"hostPID": true}, "x": null}') } });
  const spec = (object as { spec: object }).spec; // As made above.
  assert.deepEqual(Object.keys(spec), ['__proto__']);
  assert.equal('hostPID' in spec, false);
});
