import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { decide } from '../../decide/decide.ts';
import { importPolicies } from '../import.ts';
import type { ImportOptions } from '../options.ts';
import { admission, bundleOf } from '../testing/admit.ts';
import type { Admission } from '../testing/admit.ts';

const corpus = new URL('../../../../test/corpus/import/kubernetes/', import.meta.url);

function imported(name: string, options: Partial<ImportOptions> = {}) {
  const text = readFileSync(new URL(name, corpus), 'utf8');
  return importPolicies([{ path: name, text }], { today: '2026-11-20', mode: 'source', ...options });
}

function decider(name: string) {
  const bundle = bundleOf(imported(name).documents);
  return (of: Admission) => decide(bundle, admission(of));
}

function deployment(replicas: number) {
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'shop', namespace: 'web' }, spec: { replicas } };
}

function pod(spec: object, metadata: object = {}) {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'web', ...metadata }, spec };
}

const nginx = { name: 'nginx', image: 'nginx:1.27.1' };

test('parameters of the binding that selects the namespace decide how many replicas there may be', () => {
  const ask = decider('replica-limit.yaml');
  const inTest = { namespaceLabels: { environment: 'test' } };
  const refused = ask({ object: deployment(5), ...inTest });
  assert.equal(refused.verdict, 'deny');
  assert.equal(refused.reason, 'FORBIDDEN');
  assert.equal(refused.message, 'Deployments may have at most 3 replicas in web');
  assert.equal(ask({ object: deployment(3), ...inTest }).verdict, 'allow');
  assert.equal(ask({ object: deployment(5), namespaceLabels: { environment: 'prod' } }).verdict, 'allow');
});

test('integers of a JSON document can be counted with', () => {
  const ask = decider('replica-limit.yaml');
  const odd = ask({ object: deployment(2), namespaceLabels: { environment: 'test' } });
  assert.equal(odd.verdict, 'deny');
  assert.match(odd.message, /must be odd/);
});

test('a binding that only warns is imported in the mode audit', () => {
  const ask = decider('replica-limit.yaml');
  const decision = ask({ object: deployment(101), namespaceLabels: { environment: 'prod' } });
  assert.equal(decision.verdict, 'allow');
  assert.equal(decision.shadow?.verdict, 'deny');
  assert.match(decision.warnings.join(), /at most 100 replicas/);
});

test('a match condition that is false skips the policy', () => {
  const ask = decider('replica-limit.yaml');
  const username = 'system:serviceaccount:kube-system:generic-garbage-collector';
  assert.equal(ask({ object: deployment(5), namespaceLabels: { environment: 'test' }, username }).verdict, 'allow');
});

test('failurePolicy Fail refuses a request whose namespace labels are unknown', () => {
  const decision = decider('replica-limit.yaml')({ object: deployment(1) });
  assert.equal(decision.verdict, 'deny');
  assert.equal(decision.reason, 'EVALUATION_ERROR');
});

test('an audit annotation is an observation that applies when it has a value', () => {
  const ask = decider('replica-limit.yaml');
  const observed = (replicas: number) =>
    ask({ object: deployment(replicas), namespaceLabels: { environment: 'prod' } }).matched.filter((match) => match.effect === 'observe')
      .length;
  assert.equal(observed(5), 1);
  assert.equal(observed(3), 0);
});

test('imports start in shadow: they record a refusal and refuse nothing', () => {
  const { documents } = imported('pod-security.yaml', { mode: 'shadow' });
  const decision = decide(bundleOf(documents), admission({ object: pod({ hostNetwork: true, containers: [nginx] }), namespaceLabels: {} }));
  assert.equal(decision.verdict, 'allow');
  assert.equal(decision.shadow?.verdict, 'deny');
});

test('pod security: what the examples of Kubernetes refuse is refused', () => {
  const ask = decider('pod-security.yaml');
  const verdict = (spec: object, metadata?: object) => ask({ object: pod(spec, metadata), namespaceLabels: {} }).verdict;
  assert.equal(verdict({ containers: [nginx] }), 'allow');
  assert.equal(verdict({ containers: [{ ...nginx, securityContext: { privileged: true } }] }), 'deny');
  assert.equal(verdict({ containers: [nginx], initContainers: [{ ...nginx, securityContext: { privileged: true } }] }), 'deny');
  assert.equal(verdict({ containers: [nginx], hostPID: true }), 'deny');
  assert.equal(verdict({ containers: [{ name: 'n', image: 'nginx' }] }), 'deny');
  assert.equal(verdict({ containers: [{ name: 'n', image: 'nginx:latest' }] }), 'deny');
  assert.equal(verdict({ containers: [{ ...nginx, resources: { limits: { memory: '3Gi' } } }] }), 'deny');
  assert.equal(verdict({ containers: [{ ...nginx, resources: { limits: { memory: '512Mi' } } }] }), 'allow');
});

test('selectors and excluded resources keep a policy away from what it is not about', () => {
  const ask = decider('pod-security.yaml');
  const bad = { containers: [nginx], hostNetwork: true };
  assert.equal(ask({ object: pod(bad), namespaceLabels: {} }).verdict, 'deny');
  assert.equal(ask({ object: pod(bad, { labels: { 'policy-exempt': 'yes' } }), namespaceLabels: {} }).verdict, 'allow');
  assert.equal(ask({ object: pod(bad, { name: 'node-agent' }), namespaceLabels: {} }).verdict, 'allow');
  assert.equal(ask({ object: pod(bad), namespaceLabels: { 'kubernetes.io/metadata.name': 'kube-system' } }).verdict, 'allow');
  assert.equal(ask({ object: pod(bad), resource: 'pods/ephemeralcontainers', namespaceLabels: {} }).verdict, 'deny');
  assert.equal(ask({ object: pod(bad), resource: 'pods/status', namespaceLabels: {} }).verdict, 'allow');
  assert.equal(ask({ operation: 'DELETE', oldObject: pod(bad), namespaceLabels: {} }).verdict, 'allow');
});

test('a message says what is public and leaves out what reads the object', () => {
  const { documents, findings } = imported('pod-security.yaml');
  assert.match(documents[0]?.text ?? '', /Memory limits end at 2147483648, and … of \{request\.name\} has more/);
  assert.ok(
    findings.some(
      (finding) => finding.severity === 'hint' && finding.construct === 'spec.validations[3].messageExpression' && finding.line === 47,
    ),
  );
});

test('what cannot be said here is named with its line, and the rest is imported', () => {
  const { documents, findings } = imported('unsupported.yaml');
  const unsupported = findings.filter((finding) => finding.severity === 'unsupported').map(({ construct, line }) => `${line} ${construct}`);
  assert.deepEqual(unsupported, ['10 spec.retryPolicy', '12 authorizer', '14 soundex', '17 variables.later', '24 spec.policyName']);
  const bundle = bundleOf(documents);
  assert.equal(decide(bundle, admission({ object: pod({}) })).shadow?.verdict, 'deny');
  assert.equal(decide(bundle, admission({ object: pod({}, { labels: { team: 'shop' } }) })).shadow, undefined);
});

test('parameters that are not among the files are reported, and parameterNotFoundAction Deny refuses', () => {
  const text = readFileSync(new URL('replica-limit.yaml', corpus), 'utf8').split('---').slice(0, 2).join('---');
  const { documents, findings } = importPolicies([{ path: 'x.yaml', text }], { today: '2026-11-20', mode: 'source' });
  assert.ok(findings.some(({ severity, message }) => severity === 'unsupported' && message.includes('ReplicaLimit "replica-limit-test"')));
  const decision = decide(bundleOf(documents), admission({ object: deployment(1), namespaceLabels: { environment: 'test' } }));
  assert.equal(decision.reason, 'PARAMETERS_MISSING');
});

function conditional(failurePolicy: string, condition: string): string {
  return `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: { name: x }
spec:
  failurePolicy: ${failurePolicy}
  matchConstraints: { resourceRules: [{ apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods] }] }
  matchConditions: [{ name: a, expression: "${condition}" }, { name: b, expression: "object.spec.there" }]
  validations: [{ expression: "true" }]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: { name: x }
spec: { policyName: x, validationActions: [Deny] }
`;
}

function verdict(failurePolicy: string, condition: string, there: boolean): string {
  const { documents } = importPolicies([{ path: 'x.yaml', text: conditional(failurePolicy, condition) }], {
    today: '2026-11-20',
    mode: 'source',
  });
  return decide(bundleOf(documents), admission({ object: pod({ there }) })).verdict;
}

test('a match condition that cannot be evaluated counts as failurePolicy says, even where the validation would pass', () => {
  assert.equal(verdict('Fail', 'object.spec.missing == 1', true), 'deny');
  assert.equal(verdict('Ignore', 'object.spec.missing == 1', true), 'allow');
  // SPEC: one condition that is false skips the policy, whatever the others do.
  assert.equal(verdict('Fail', 'object.spec.missing == 1', false), 'allow');
});

function limit(name: string, tier: string, max: number): string {
  return `---
apiVersion: rules.example.com/v1
kind: Limit
metadata: { name: ${name}, namespace: web, labels: { tier: ${tier} } }
max: ${max}
`;
}

test('parameters are chosen by label, and every one of them must be satisfied', () => {
  const text = `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: { name: limits }
spec:
  paramKind: { apiVersion: rules.example.com/v1, kind: Limit }
  matchConstraints: { resourceRules: [{ apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments] }] }
  validations: [{ expression: "object.spec.replicas <= params.max" }]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: { name: limits }
spec:
  policyName: limits
  validationActions: [Deny]
  paramRef: { selector: { matchLabels: { tier: gold } }, parameterNotFoundAction: Deny }
${limit('a', 'gold', 9)}${limit('b', 'gold', 5)}${limit('c', 'lead', 1)}`;
  const bundle = bundleOf(importPolicies([{ path: 'limits.yaml', text }], { today: '2026-11-20', mode: 'source' }).documents);
  const ask = (replicas: number, namespace = 'web') => {
    const object = { ...deployment(replicas), metadata: { name: 'shop', namespace } };
    return decide(bundle, admission({ object })).reason;
  };
  assert.equal(ask(5), 'ALLOWED');
  assert.equal(ask(7), 'INVALID');
  // Without a namespace of their own, parameters are looked up in the namespace of the request.
  assert.equal(ask(1, 'other'), 'PARAMETERS_MISSING');
});
