import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { decide } from '../../decide/decide.ts';
import { importPolicies } from '../import.ts';
import { admission, bundleOf } from '../testing/admit.ts';
import type { Admission } from '../testing/admit.ts';
import { globCondition } from './image-glob.ts';

function imported(name: string) {
  const text = readFileSync(new URL(`../../../../test/corpus/import/kyverno/${name}`, import.meta.url), 'utf8');
  return importPolicies([{ path: name, text }], { today: '2026-11-20', mode: 'source' });
}

function decider(name: string) {
  const bundle = bundleOf(imported(name).documents);
  return (of: Admission) => decide(bundle, admission(of));
}

function pod(image: string, { name = 'p', namespace = 'web' } = {}) {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace }, spec: { containers: [{ name: 'c', image }] } };
}

function unsupported(name: string): string[] {
  return imported(name)
    .findings.filter((finding) => finding.severity === 'unsupported')
    .map(({ construct, line }) => `${line} ${construct}`);
}

test('a ValidatingPolicy is a policy with its binding in one document', () => {
  const ask = decider('disallow-latest.yaml');
  assert.equal(ask({ object: pod('nginx:1.27') }).verdict, 'allow');
  assert.equal(ask({ object: pod('nginx:latest') }).verdict, 'deny');
  const untagged = ask({ object: pod('nginx') });
  assert.equal(untagged.verdict, 'deny');
  assert.equal(untagged.reason, 'DISALLOW_LATEST_TAG');
  assert.equal(untagged.message, 'An image tag is required.');
});

test('an exception for images opens the policy only for these images and these objects', () => {
  const ask = decider('disallow-latest.yaml');
  assert.equal(ask({ object: pod('busybox', { namespace: 'tools' }) }).verdict, 'allow');
  assert.equal(ask({ object: pod('busybox') }).verdict, 'deny');
  assert.equal(ask({ object: pod('alpine', { namespace: 'tools' }) }).verdict, 'deny');
});

test('an exception that ends is an Exception with its approvers, and ends', () => {
  const bundle = bundleOf(imported('disallow-latest.yaml').documents);
  const request = admission({ object: pod('nginx:latest', { name: 'migrate-1' }) });
  assert.equal(decide(bundle, request).verdict, 'allow');
  assert.equal(decide(bundle, { ...request, now: request.now + 30 * 86_400_000 }).verdict, 'deny');
});

test('a policy about pods is copied for the controllers it names, as Kyverno does', () => {
  const ask = decider('disallow-latest.yaml');
  const controller = (kind: string, image: string) => ({
    apiVersion: 'apps/v1',
    kind,
    metadata: { name: 'd', namespace: 'web' },
    spec: { template: { spec: { containers: [{ name: 'c', image }] } } },
  });
  assert.equal(ask({ object: controller('Deployment', 'nginx:latest') }).verdict, 'deny');
  assert.equal(ask({ object: controller('Deployment', 'nginx:1.27') }).verdict, 'allow');
  assert.equal(ask({ object: controller('DaemonSet', 'nginx:latest') }).verdict, 'allow');
});

test('a policy about more than pods is not copied, and an unknown controller is named', () => {
  const policy = (controllers: string, resources: string): ReturnType<typeof importPolicies> =>
    importPolicies(
      [
        {
          path: 'x.yaml',
          text: `apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: { name: x }
spec:
  autogen: { podControllers: { controllers: [${controllers}] } }
  matchConstraints: { resourceRules: [{ apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [${resources}] }] }
  validations: [{ expression: "has(object.spec.containers)" }]
`,
        },
      ],
      { today: '2026-11-20' },
    );
  assert.equal(policy('deployments', 'pods, services').documents.length, 1);
  assert.equal(policy('', 'pods').documents.length, 1);
  assert.equal(policy('Deployment, CronJob', 'pods').documents.length, 3);
  const { findings } = policy('deployments, gizmos', 'pods');
  assert.ok(findings.some(({ severity, message }) => severity === 'unsupported' && message.includes('"gizmos" is no controller')));
});

test('what Kyverno has and admission has not is named', () => {
  assert.deepEqual(unsupported('disallow-latest.yaml'), ['52 spec.expiresAt']);
  assert.deepEqual(unsupported('facts.yaml'), ['14 http.Get', '19 kind', '24 kind']);
});

test('functions that fetch become facts, and without the facts the policy fails closed', () => {
  const ask = decider('facts.yaml');
  const facts = {
    kubernetes: { 'get v1 configmaps default registries': { data: { allowed: 'ghcr.io,quay.io' } } },
    imageReferences: { 'ghcr.io/a:1': { registry: 'ghcr.io' }, 'docker.io/a:1': { registry: 'docker.io' } },
    imageMetadata: { 'ghcr.io/a:1': { config: { config: { User: '1000' } } }, 'docker.io/a:1': { config: { config: { User: 'root' } } } },
  };
  assert.equal(ask({ object: pod('ghcr.io/a:1'), facts }).verdict, 'allow');
  assert.equal(ask({ object: pod('docker.io/a:1'), facts }).message, 'The registry is not on the list.');
  assert.equal(ask({ object: pod('ghcr.io/a:1') }).reason, 'EVALUATION_ERROR');
  assert.equal(ask({ object: pod('docker.io/a:1', { namespace: 'other' }), facts }).verdict, 'allow');
});

test('signatures of images are facts by attestor, and only images the globs cover need them', () => {
  const ask = decider('verify-images.yaml');
  const image = 'ghcr.io/acme/shop@sha256:1f';
  const facts = (signers: string[], bomFormat = 'CycloneDX') => ({
    imageSignatures: { [image]: signers },
    imageAttestations: { [image]: { 'verify-images/sbom': signers } },
    imagePayloads: { [image]: { 'verify-images/sbom': { bomFormat } } },
  });
  assert.equal(ask({ object: pod(image), facts: facts(['verify-images/release']) }).verdict, 'allow');
  assert.equal(ask({ object: pod(image), facts: facts([]) }).message, 'Every image must be signed by the release workflow.');
  assert.equal(
    ask({ object: pod(image), facts: facts(['verify-images/release'], 'SPDX') }).message,
    'Every image needs a signed list of its parts.',
  );
  assert.equal(ask({ object: pod('ghcr.io/acme/shop:1'), facts: facts([]) }).verdict, 'deny');
  assert.equal(ask({ object: pod('docker.io/nginx:1'), facts: facts([]) }).verdict, 'allow');
});

test('a mutation may choose between nothing and something, and rules without operations are about what brings an object', () => {
  const text = `apiVersion: policies.kyverno.io/v1
kind: MutatingPolicy
metadata: { name: add-default-label }
spec:
  matchConstraints:
    resourceRules: [{ apiGroups: [""], apiVersions: [v1], resources: [pods] }]
  mutations:
    - patchType: ApplyConfiguration
      applyConfiguration:
        expression: |-
          // Labels that are there are kept.
          has(object.metadata.labels) && 'environment' in object.metadata.labels
          ? Object{}
          : Object{metadata: Object.metadata{labels: {"environment": object.metadata.namespace}}}
`;
  const { documents, findings } = importPolicies([{ path: 'label.yaml', text }], { today: '2026-11-20', mode: 'source' });
  assert.ok(findings.some(({ construct, line }) => construct.endsWith('.operations') && line === 6));
  const bundle = bundleOf(documents);
  const patched = (labels: object): unknown => {
    const object = { ...pod('nginx:1'), metadata: { name: 'p', namespace: 'web', ...labels } };
    return decide(bundle, admission({ object })).obligations.map((obligation) => obligation.type === 'mutate' && obligation.patch);
  };
  assert.deepEqual(patched({ labels: { environment: 'x' } }), []);
  assert.deepEqual(patched({ labels: {} }), [{ op: 'add', path: '/metadata/labels/environment', value: 'web' }]);
  assert.deepEqual(patched({}), [{ op: 'add', path: '/metadata/labels', value: { environment: 'web' } }]);
  assert.equal(decide(bundle, admission({ operation: 'DELETE', oldObject: pod('nginx:1') })).verdict, 'allow');
});

test('globs of image references are anchored and quote what is special in a pattern', () => {
  assert.equal(globCondition('ref', '*'), 'true');
  assert.equal(globCondition('ref', 'ghcr.io/acme/*'), 'ref.startsWith("ghcr.io/acme/")');
  assert.equal(globCondition('ref', '*.example.com/a?'), String.raw`ref.matches("^.*\\.example\\.com/a.$")`);
});

const digest = `sha256:${'6a'.repeat(32)}`;

test('signatures are asked for wherever the images of a pod stand', () => {
  const ask = decider('verify-images.yaml');
  const image = 'ghcr.io/acme/shop:1';
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd', namespace: 'web' },
    spec: { template: { spec: { containers: [{ name: 'c', image }] } } },
  };
  const cron = { ...deployment, apiVersion: 'batch/v1', kind: 'CronJob', spec: { jobTemplate: { spec: deployment.spec } } };
  const facts = (signers: readonly string[]) => ({
    imageSignatures: { [image]: signers },
    imageAttestations: { [image]: { 'verify-images/sbom': signers } },
    imagePayloads: { [image]: { 'verify-images/sbom': { bomFormat: 'CycloneDX' } } },
  });
  for (const object of [deployment, cron]) {
    assert.equal(ask({ object, facts: facts([]) }).verdict, 'deny', object.kind);
    assert.equal(
      ask({ object, facts: { ...facts(['verify-images/release']), images: [] } })
        .decisive.join()
        .includes('validation'),
      false,
      object.kind,
    );
  }
});

test('the parts of an image reference are computed where they stand', () => {
  const parts: readonly (readonly [image: string, part: string, expected: string])[] = [
    ['registry.k8s.io/kube-apiserver', 'registry', 'registry.k8s.io'],
    ['localhost:5000/a', 'registry', 'localhost:5000'],
    ['nginx', 'registry', 'index.docker.io'],
    ['docker.io/nginx', 'registry', 'index.docker.io'],
    ['a/b', 'registry', 'index.docker.io'],
    ['registry.k8s.io/kube-apiserver:1', 'repository', 'kube-apiserver'],
    ['ghcr.io/a/b/c:1', 'repository', 'a/b/c'],
    ['nginx:1', 'repository', 'library/nginx'],
    ['a/b', 'repository', 'a/b'],
    ['nginx', 'tag', 'latest'],
    ['localhost:5000/a', 'tag', 'latest'],
    ['nginx:1.27', 'tag', '1.27'],
    [`nginx@${digest}`, 'tag', ''],
    [`nginx:1@${digest}`, 'tag', '1'],
    ['nginx:1', 'digest', ''],
    [`nginx:1@${digest}`, 'digest', digest],
    ['nginx', 'identifier', 'latest'],
    [`nginx:1@${digest}`, 'identifier', digest],
  ];
  for (const [image, part, expected] of parts) {
    const text = `apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: { name: x }
spec:
  validationActions: [Deny]
  matchConstraints: { resourceRules: [{ apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods] }] }
  validations:
    - { expression: "object.spec.containers.all(c, image(c.image).${part}() == '${expected}' && isImage(c.image))" }
    - { expression: "object.spec.containers.all(c, image(c.image).containsDigest() == ${String(image.includes('@'))})" }
    - { expression: "time.now() == timestamp('2026-11-20T10:00:00Z')" }
`;
    const { documents } = importPolicies([{ path: 'x.yaml', text }], { today: '2026-11-20', mode: 'source' });
    assert.equal(decide(bundleOf(documents), admission({ object: pod(image) })).verdict, 'allow', `${part} of ${image}`);
  }
});

test('in a copy for controllers the namespace stays that of the controller', () => {
  const text = `apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: { name: x }
spec:
  validationActions: [Deny]
  matchConstraints: { resourceRules: [{ apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods] }] }
  validations:
    - { expression: "object.metadata.namespace == 'web' && object.metadata.labels.app == 'shop' && oldObject == null" }
`;
  const { documents } = importPolicies([{ path: 'x.yaml', text }], { today: '2026-11-20', mode: 'source' });
  const deployment = (app: string) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd', namespace: 'web' },
    spec: { template: { metadata: { labels: { app } }, spec: {} } },
  });
  assert.equal(decide(bundleOf(documents), admission({ object: deployment('shop') })).verdict, 'allow');
  assert.equal(decide(bundleOf(documents), admission({ object: deployment('other') })).verdict, 'deny');
});
