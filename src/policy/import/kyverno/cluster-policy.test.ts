import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { decide } from '../../decide/decide.ts';
import { importPolicies } from '../import.ts';
import { admission, bundleOf } from '../testing/admit.ts';
import type { Admission } from '../testing/admit.ts';

const text = readFileSync(new URL('../../../../test/corpus/import/kyverno/cluster-policy.yaml', import.meta.url), 'utf8');
const { documents, findings } = importPolicies([{ path: 'cluster-policy.yaml', text }], { today: '2026-11-20', mode: 'source' });
const bundle = bundleOf(documents);

function ask(of: Admission): string {
  const { verdict, decisive } = decide(bundle, admission(of));
  return verdict === 'deny' ? decisive.join() : verdict;
}

const limited = { name: 'c', image: 'nginx:1', resources: { limits: { memory: '1Gi' } } };

function pod(spec: object, namespace = 'web') {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace }, spec: { containers: [limited], ...spec } };
}

function object(apiVersion: string, kind: string, rest: object) {
  return { apiVersion, kind, metadata: { name: 'x', namespace: 'web' }, ...rest };
}

function deployment(metadata: object, replicas = 2) {
  return object('apps/v1', 'Deployment', { metadata: { name: 'x', namespace: 'web', ...metadata }, spec: { replicas } });
}

function pulled(imagePullPolicy: string) {
  return [limited, { ...limited, image: 'nginx:latest', imagePullPolicy }];
}

test('a field in =() may be absent, and must fit when it is there', () => {
  assert.equal(ask({ object: pod({}) }), 'allow');
  assert.equal(ask({ object: pod({ hostPID: false }) }), 'allow');
  assert.equal(ask({ object: pod({ hostPID: true }) }), 'baseline-host-namespaces/pattern');
});

test('exclusions by namespace and by user hold', () => {
  assert.equal(ask({ object: pod({ hostPID: true }, 'infra-a') }), 'allow');
  assert.equal(ask({ object: pod({ hostPID: true }), username: 'admin' }), 'allow');
});

test('quantities are compared as quantities, and a missing one does not fit', () => {
  assert.equal(
    ask({ object: pod({ containers: [{ ...limited, resources: { limits: { memory: '4Gi' } } }] }) }),
    'baseline-memory-limits/pattern',
  );
  assert.equal(ask({ object: pod({ containers: [{ ...limited, resources: { limits: { memory: '2048Mi' } } }] }) }), 'allow');
  assert.equal(ask({ object: pod({ containers: [{ name: 'c', image: 'nginx:1' }] }) }), 'baseline-memory-limits/pattern');
});

test('a field in () is a condition for its element alone', () => {
  assert.equal(ask({ object: pod({ containers: pulled('Always') }) }), 'allow');
  assert.equal(ask({ object: pod({ containers: pulled('Never') }) }), 'baseline-pull-policy/pattern');
});

test('one of several patterns is enough', () => {
  assert.equal(ask({ object: deployment({ labels: { 'app.kubernetes.io/team': 'shop' } }) }), 'allow');
  assert.equal(ask({ object: deployment({ annotations: { owner: 'li' } }) }), 'allow');
  assert.equal(ask({ object: deployment({ labels: { 'app.kubernetes.io/team': '' } }) }), 'baseline-labels/pattern');
});

test('CEL rules of a ClusterPolicy are imported with their preconditions', () => {
  assert.equal(ask({ object: deployment({ name: 'shop', annotations: { owner: 'li' } }, 1) }), 'baseline-replicas/validation-1');
  assert.equal(ask({ object: deployment({ name: 'exempt', annotations: { owner: 'li' } }, 1) }), 'allow');
  assert.equal(ask({ object: deployment({ name: 'shop', annotations: { owner: 'li' } }, 1), operation: 'UPDATE' }), 'allow');
});

test('negations and fields that must be absent', () => {
  assert.equal(ask({ object: object('v1', 'Service', { spec: { type: 'NodePort' } }) }), 'baseline-block-node-port/pattern');
  assert.equal(ask({ object: object('v1', 'Service', { spec: { type: 'ClusterIP' } }) }), 'allow');
  assert.equal(ask({ object: object('v1', 'Service', { spec: { externalIPs: ['1.2.3.4'] } }) }), 'baseline-block-node-port/pattern');
});

test('rules over JMESPath, context and generation are named and left out', () => {
  const unsupported = findings.filter((finding) => finding.severity === 'unsupported').map(({ construct, line }) => `${line} ${construct}`);
  assert.deepEqual(unsupported, ['54 spec.rules[5].context', '56 spec.rules[5].validate.deny', '59 spec.rules[6].generate']);
});
