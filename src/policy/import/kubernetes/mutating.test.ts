import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { decide } from '../../decide/decide.ts';
import { importPolicies } from '../import.ts';
import { admission, bundleOf } from '../testing/admit.ts';

const text = readFileSync(new URL('../../../../test/corpus/import/kubernetes/mutating.yaml', import.meta.url), 'utf8');
const { documents, findings } = importPolicies([{ path: 'mutating.yaml', text }], { today: '2026-11-20', mode: 'source' });

function patches(metadata: object, spec: object = {}) {
  const object = { apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'web', ...metadata }, spec };
  const decision = decide(bundleOf(documents), admission({ object }));
  const made = decision.obligations.flatMap((obligation) =>
    obligation.type === 'mutate' ? [[obligation.patch.path, obligation.patch.value] as const] : [],
  );
  return { verdict: decision.verdict, reason: decision.reason, made: Object.fromEntries(made) };
}

const always = {
  '/spec/automountServiceAccountToken': false,
  '/metadata/annotations/example.com~1by': 'warder',
  '/spec/priorityClassName': 'low',
};

test('mutations are patches, with parameters and attributes filled in', () => {
  const { verdict, made } = patches({ name: 'p', labels: { a: 'b' } });
  assert.equal(verdict, 'allow');
  assert.deepEqual(made, { ...always, '/metadata/labels/team': 'shop', '/metadata/labels/pod': 'p' });
});

test('a map that is not there is added together with what goes into it', () => {
  assert.deepEqual(patches({ name: 'p' }).made, { ...always, '/metadata/labels': { team: 'shop', pod: 'p' } });
});

test('a condition of a patch and a match condition of the policy hold', () => {
  const { made } = patches({ name: 'p', labels: {} }, { priorityClassName: 'high' });
  assert.equal(Object.hasOwn(made, '/spec/priorityClassName'), false);
  assert.deepEqual(patches({ name: 'p', annotations: { 'opt-out': 'yes' } }).made, {});
});

test('a patch whose value cannot be computed fails as failurePolicy says, and leaves no gap', () => {
  const { verdict, reason } = patches({ generateName: 'p-', labels: {} });
  assert.equal(verdict, 'deny');
  assert.equal(reason, 'EVALUATION_ERROR');
});

test('patches that are computed from lists, and lists that are merged, are named', () => {
  const unsupported = findings.filter((finding) => finding.severity === 'unsupported').map(({ construct, line }) => `${line} ${construct}`);
  assert.deepEqual(unsupported, ['39 spec.mutations[3].jsonPatch.expression', '42 spec.mutations[4].applyConfiguration.expression']);
});

test('a MutatingPolicy of Kyverno is the same in one document', () => {
  const kyverno = text
    .split('---\n')[0]
    ?.replace('admissionregistration.k8s.io/v1beta1', 'policies.kyverno.io/v1alpha1')
    .replace('MutatingAdmissionPolicy', 'MutatingPolicy')
    .replace(/ {2}paramKind.*\n/, '')
    .replace('params.data.team', `"'shop'"`);
  const imported = importPolicies([{ path: 'kyverno.yaml', text: kyverno ?? '' }], { today: '2026-11-20', mode: 'source' });
  const object = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'web', labels: {} }, spec: {} };
  const decision = decide(bundleOf(imported.documents), admission({ object }));
  assert.equal(decision.obligations.filter((obligation) => obligation.type === 'mutate').length, 5);
});

const defaults = readFileSync(new URL('../../../../test/corpus/import/library/defaults/defaults.yaml', import.meta.url), 'utf8');

function defaulted(metadata: object, spec: object) {
  const imported = importPolicies([{ path: 'defaults.yaml', text: defaults }], { today: '2026-11-20', mode: 'source' });
  const object = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'web', ...metadata }, spec };
  const { verdict, obligations } = decide(bundleOf(imported.documents), admission({ object }));
  assert.equal(verdict, 'allow');
  return Object.fromEntries(
    obligations.flatMap((obligation) => (obligation.type === 'mutate' ? [[obligation.patch.path, obligation.patch.value] as const] : [])),
  );
}

const certificates = { name: 'certificates', configMap: { name: 'ca' } };

test('what is there stays, and what is missing is filled in, with the map around it where that is missing too', () => {
  assert.deepEqual(defaulted({}, {}), {
    '/spec/securityContext': { runAsNonRoot: true, runAsUser: 1000, fsGroup: 3000 },
    '/spec/volumes': [certificates],
  });
  assert.deepEqual(defaulted({ labels: { shared: 'yes' } }, { securityContext: { runAsUser: 7 }, volumes: [{ name: 'v' }] }), {
    '/spec/securityContext/runAsNonRoot': true,
    '/spec/securityContext/fsGroup': 2000,
    '/spec/volumes/-': certificates,
  });
  assert.deepEqual(defaulted({ labels: { shared: 'yes' } }, { volumes: [certificates] }), {
    '/spec/securityContext': { runAsNonRoot: true, runAsUser: 1000, fsGroup: 2000 },
  });
});
