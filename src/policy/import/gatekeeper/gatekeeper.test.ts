import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { decide } from '../../decide/decide.ts';
import { importPolicies } from '../import.ts';
import { admission, bundleOf } from '../testing/admit.ts';
import type { Admission } from '../testing/admit.ts';
import { withDefaults } from './parameters.ts';

function imported(name: string) {
  const text = readFileSync(new URL(`../../../../test/corpus/import/gatekeeper/${name}`, import.meta.url), 'utf8');
  return importPolicies([{ path: name, text }], { today: '2026-11-20', mode: 'source' });
}

function decider(name: string) {
  const bundle = bundleOf(imported(name).documents);
  return (of: Admission) => decide(bundle, admission(of));
}

function namespace(name: string, labels?: Record<string, string>) {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, namespace: name, ...(labels === undefined ? {} : { labels }) } };
}

function pod(namespaceName: string, ...images: string[]) {
  const containers = images.map((image, i) => ({ name: `c${i}`, image }));
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: namespaceName }, spec: { containers } };
}

test('required labels: missing and malformed labels are refused with the constraint’s own words', () => {
  const ask = decider('required-labels.yaml');
  const missing = ask({ object: namespace('shop') });
  assert.equal(missing.verdict, 'deny');
  assert.equal(missing.reason, 'TEAM_LABELS');
  assert.equal(missing.message, 'a label is missing; all of these are needed: owner, cost-centre');
  assert.equal(ask({ object: namespace('shop', { owner: 'team-shop', 'cost-centre': '42' }) }).verdict, 'allow');
  assert.equal(
    ask({ object: namespace('shop', { owner: 'shop', 'cost-centre': '42' }) }).message,
    'a label does not have the form it needs',
  );
});

test('excluded namespaces and other kinds are not looked at', () => {
  const ask = decider('required-labels.yaml');
  assert.equal(ask({ object: namespace('kube-public') }).verdict, 'allow');
  assert.equal(ask({ object: pod('shop', 'x') }).verdict, 'allow');
});

test('allowed registries: prefixes and exemptions hold for every container', () => {
  const ask = decider('allowed-repos.yaml');
  assert.equal(ask({ object: pod('web', 'registry.example.com/shop:1', 'docker.io/istio/proxyv2:1.24') }).verdict, 'allow');
  const refused = ask({ object: pod('team-a', 'registry.example.com/shop:1', 'docker.io/library/nginx:1') });
  assert.equal(refused.verdict, 'deny');
  assert.equal(refused.message, 'images must come from registry.example.com/, not …');
  assert.equal(ask({ object: pod('other', 'docker.io/library/nginx:1') }).verdict, 'allow');
});

test('a template without CEL and a constraint without template are named', () => {
  const { documents, findings } = imported('rego-only.yaml');
  assert.deepEqual(documents, []);
  const unsupported = findings.filter((finding) => finding.severity === 'unsupported').map(({ construct, line }) => `${line} ${construct}`);
  assert.deepEqual(unsupported, ['8 spec.targets[0].rego', '13 kind']);
});

test('defaults of the schema are filled in at every depth, and never over what is there', () => {
  const schema = { properties: { a: { default: 1 }, list: { items: { properties: { b: { default: 'x' } } } } } };
  assert.deepEqual(withDefaults({ list: [{}, { b: 'y' }] }, schema), { a: 1, list: [{ b: 'x' }, { b: 'y' }] });
});
