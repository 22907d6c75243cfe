import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { decide } from '../../decide/decide.ts';
import { importPolicies } from '../import.ts';
import { admission, bundleOf } from '../testing/admit.ts';
import { admissionAttributes } from './admission-review.ts';

interface Rule {
  readonly apiGroups: readonly string[];
  readonly apiVersions: readonly string[];
  readonly operations: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly scope?: string;
}

interface Requirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

interface Request {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subResource: string;
  readonly operation: string;
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly namespaceLabels: Readonly<Record<string, string>>;
}

function names(list: readonly string[], value: string): boolean {
  return list.includes('*') || list.includes(value);
}

/** The matcher of the API server, written as it is there: slow and obvious. SPEC: apiserver `pkg/admission/plugin/webhook/predicates/rules`. */
function ruleMatches(rule: Rule, request: Request): boolean {
  const resource = rule.resources.some((wanted) => {
    const [name = '', sub = ''] = wanted.split('/');
    return (name === '*' || name === request.resource) && (sub === '*' || sub === request.subResource);
  });
  const isNamespace = request.group === '' && request.resource === 'namespaces';
  const scope =
    rule.scope === undefined ||
    rule.scope === '*' ||
    (rule.scope === 'Namespaced' ? !isNamespace && request.namespace !== '' : isNamespace || request.namespace === '');
  const named = rule.resourceNames === undefined || rule.resourceNames.length === 0 || rule.resourceNames.includes(request.name);
  return (
    names(rule.apiGroups, request.group) &&
    names(rule.apiVersions, request.version) &&
    names(rule.operations, request.operation) &&
    resource &&
    scope &&
    named
  );
}

function selects(requirements: readonly Requirement[], labels: Readonly<Record<string, string>>): boolean {
  return requirements.every(({ key, operator, values = [] }) => {
    const present = Object.hasOwn(labels, key);
    const within = values.includes(labels[key] ?? '');
    if (operator === 'In') return present && within;
    if (operator === 'NotIn') return !present || !within;
    return operator === 'Exists' ? present : !present;
  });
}

/** Few of them: a list with everything in it tells wildcards apart from nothing. */
const some = (values: readonly string[]) => fc.subarray([...values], { minLength: 1, maxLength: 2 });
const key = fc.constantFrom('env', 'app.kubernetes.io/name');
const requirement: fc.Arbitrary<Requirement> = fc.oneof(
  fc.record({ key, operator: fc.constantFrom('In', 'NotIn'), values: some(['a', 'b']) }),
  fc.record({ key, operator: fc.constantFrom('Exists', 'DoesNotExist') }),
);
const rule: fc.Arbitrary<Rule> = fc.record(
  {
    apiGroups: some(['', 'apps', '*']),
    apiVersions: some(['v1', 'v1beta1', '*']),
    operations: some(['CREATE', 'UPDATE', 'DELETE', '*']),
    resources: some(['pods', 'pods/status', 'pods/*', '*/scale', '*', '*/*', 'namespaces', 'nodes']),
    resourceNames: some(['one', 'two']),
    scope: fc.constantFrom('*', 'Namespaced', 'Cluster'),
  },
  { requiredKeys: ['apiGroups', 'apiVersions', 'operations', 'resources'] },
);
const labels = fc.dictionary(key, fc.constantFrom('a', 'b', 'c'), { maxKeys: 2 });
const request: fc.Arbitrary<Request> = fc.record({
  group: fc.constantFrom('', 'apps'),
  version: fc.constantFrom('v1', 'v1beta1'),
  resource: fc.constantFrom('pods', 'namespaces', 'nodes', 'deployments'),
  subResource: fc.constantFrom('', 'status', 'scale'),
  operation: fc.constantFrom('CREATE', 'UPDATE', 'DELETE'),
  name: fc.constantFrom('one', 'two', ''),
  namespace: fc.constantFrom('', 'web'),
  labels,
  namespaceLabels: labels,
});
const constraints = fc.record(
  {
    resourceRules: fc.array(rule, { minLength: 1, maxLength: 2 }),
    excludeResourceRules: fc.array(rule, { maxLength: 1 }),
    objectSelector: fc.record({ matchExpressions: fc.array(requirement, { minLength: 1, maxLength: 2 }) }),
    namespaceSelector: fc.record({ matchExpressions: fc.array(requirement, { minLength: 1, maxLength: 2 }) }),
  },
  { requiredKeys: ['resourceRules'] },
);

test('a policy is about exactly the requests that the API server would give it', () => {
  fc.assert(
    fc.property(constraints, fc.array(request, { minLength: 5, maxLength: 10 }), (matchConstraints, requests) => {
      const policy = {
        apiVersion: 'policies.kyverno.io/v1',
        kind: 'ValidatingPolicy',
        metadata: { name: 'x' },
        spec: { matchConstraints: { ...matchConstraints, matchPolicy: 'Exact' }, validations: [{ expression: 'false' }] },
      };
      const bundle = bundleOf(
        importPolicies([{ path: 'x.yaml', text: stringify(policy) }], { today: '2026-11-20', mode: 'source' }).documents,
      );
      for (const one of requests) {
        const { resourceRules, excludeResourceRules = [], objectSelector, namespaceSelector } = matchConstraints;
        const isNamespace = one.resource === 'namespaces' && one.subResource === '';
        const expected =
          resourceRules.some((candidate) => ruleMatches(candidate, one)) &&
          !excludeResourceRules.some((candidate) => ruleMatches(candidate, one)) &&
          (objectSelector === undefined || selects(objectSelector.matchExpressions, one.labels)) &&
          (namespaceSelector === undefined ||
            (isNamespace
              ? selects(namespaceSelector.matchExpressions, one.labels)
              : one.namespace === '' || selects(namespaceSelector.matchExpressions, one.namespaceLabels)));
        const object = { metadata: { labels: one.labels } };
        const { group, version, resource, subResource, operation, name, namespace } = one;
        const review = {
          request: {
            operation,
            name,
            namespace,
            kind: { group, version, kind: 'X' },
            resource: { group, version, resource },
            ...(subResource === '' ? {} : { subResource }),
            ...(operation === 'DELETE' ? { oldObject: object } : { object }),
          },
        };
        const attributes = admissionAttributes(review, { metadata: { labels: one.namespaceLabels } });
        const decision = decide(bundle, { ...admission({}), attributes });
        assert.deepEqual(decision.errors, []);
        assert.equal(decision.verdict, expected ? 'deny' : 'allow', JSON.stringify(one));
      }
    }),
    { numRuns: 100 },
  );
});

function matches(wanted: string, resource: string): boolean {
  const rule = { apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: [wanted] };
  const policy = {
    apiVersion: 'policies.kyverno.io/v1',
    kind: 'ValidatingPolicy',
    metadata: { name: 'x' },
    spec: { matchConstraints: { resourceRules: [rule] }, validations: [{ expression: 'false' }] },
  };
  const { documents } = importPolicies([{ path: 'x.yaml', text: stringify(policy) }], { today: '2026-11-20', mode: 'source' });
  return decide(bundleOf(documents), admission({ resource, object: { metadata: { name: 'x' } } })).verdict === 'deny';
}

test('wildcards of resources mean what they mean to the API server', () => {
  const found = ['pods', 'pods/*', '*', '*/*', '*/scale'].map((wanted) =>
    ['pods', 'pods/exec', 'deployments/scale'].map((resource) => matches(wanted, resource)),
  );
  assert.deepEqual(found, [
    [true, false, false],
    [true, true, false],
    [true, false, false],
    [true, true, true],
    [false, false, true],
  ]);
});
