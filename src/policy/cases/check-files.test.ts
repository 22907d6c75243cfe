import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileBundle } from '../bundle.ts';
import type { Bundle } from '../bundle.ts';
import { checkFiles } from './check-files.ts';
import type { CheckOptions } from './check-files.ts';

const head = 'spec:\n  owner: team:x\n  tier: org\n  risk: { class: low }\n  review: { last: 2026-01-01, every: P90D }\n';

function bundleOf(target: string, rules: string): Bundle {
  const text = `apiVersion: warder/v1\nkind: Policy\nmetadata: { name: p }\n${head}  target: ${target}\n  rules:\n${rules}`;
  const compiled = compileBundle([{ path: 'p.yaml', text }]);
  if (!compiled.ok) assert.fail(compiled.problems.map(({ message }) => message).join('\n'));
  return compiled.bundle;
}

async function verdicts(bundle: Bundle, text: string, options: Partial<CheckOptions> = {}): Promise<readonly string[]> {
  const { objects, problems } = await checkFiles(bundle, [{ path: 'a.yaml', text }], { now: 0, ...options });
  return [...objects.map(({ verdict, reason }) => `${verdict} ${reason}`), ...problems.map(({ message }) => message)];
}

const pod = 'apiVersion: v1\nkind: Pod\nmetadata: { name: a, namespace: shop }\nspec: { hostPID: true }\n';
const noHostPid = bundleOf(
  'k8s.admission',
  '    - { id: d, effect: deny, reason: HOST_PID, when: "object.spec.hostPID", message: "{request.kind} {request.name} in {request.namespace}" }\n',
);

test('a Kubernetes object is decided as if it were created in its namespace', async () => {
  const { ok, objects } = await checkFiles(noHostPid, [{ path: 'a.yaml', text: pod }], { now: 0 });
  assert.equal(ok, false);
  assert.deepEqual(objects, [
    {
      path: 'a.yaml',
      line: 1,
      name: 'Pod shop/a',
      target: 'k8s.admission',
      verdict: 'deny',
      reason: 'HOST_PID',
      findings: [{ rule: 'p/d', reason: 'HOST_PID', message: 'Pod a in shop' }],
      warnings: [],
    },
  ]);
});

test('a field that is null is not set, as for the API server', async () => {
  assert.deepEqual(await verdicts(noHostPid, pod.replace('hostPID: true', 'hostPID: false, x: null')), ['allow ALLOWED']);
  const bundle = bundleOf('k8s.admission', '    - { id: d, effect: deny, reason: HAS_X, when: "has(object.spec.x)" }\n');
  assert.deepEqual(await verdicts(bundle, pod.replace('hostPID: true', 'x: null')), ['allow ALLOWED']);
});

test('policies that only refuse allow what they do not refuse, unless somebody says otherwise', async () => {
  const service = 'apiVersion: v1\nkind: Service\nmetadata: { name: a }\nspec: { hostPID: false }\n';
  assert.deepEqual(await verdicts(noHostPid, service), ['allow ALLOWED']);
  assert.deepEqual(await verdicts(noHostPid, service, { byDefault: 'deny' }), ['deny NO_MATCHING_ALLOW']);
  const granting = bundleOf('k8s.admission', '    - { id: a, effect: allow, match: { request.kind: [Pod] } }\n');
  assert.deepEqual(await verdicts(granting, service), ['deny NO_MATCHING_ALLOW']);
});

test('a rule that cannot be evaluated says why', async () => {
  const { objects } = await checkFiles(noHostPid, [{ path: 'a.yaml', text: pod.replace('{ hostPID: true }', '{}') }], { now: 0 });
  assert.equal(objects[0]?.findings[0]?.reason, 'EVALUATION_ERROR');
  assert.match(objects[0]?.findings[0]?.message ?? '', /hostPID/);
});

test('a request is decided for the target that is asked for', async () => {
  const bundle = bundleOf('tool', '    - { id: a, effect: allow, match: { tool.name: [search] } }\n');
  const text =
    'subject: { id: "agent:a" }\ntool: { server: s, name: search }\n---\nsubject: { id: "agent:a" }\ntool: { server: s, name: delete }\n';
  assert.deepEqual(await verdicts(bundle, text, { target: 'tool' }), ['allow ALLOWED', 'deny NO_MATCHING_ALLOW']);
});

test('a statement goes through the parser', async () => {
  const bundle = bundleOf('sql', '    - { id: a, effect: allow, when: "sql.effects.all(e, e == \'read\')" }\n');
  assert.deepEqual(await verdicts(bundle, 'sql: SELECT 1\n---\nsql: "SELECT 1; DROP TABLE t"\n'), [
    'allow ALLOWED',
    'deny NO_MATCHING_ALLOW',
  ]);
});

test('what is no object and no request is said, and does not pass', async () => {
  const { ok, objects, problems } = await checkFiles(noHostPid, [{ path: 'a.yaml', text: 'hello: world\n' }], { now: 0 });
  assert.deepEqual([ok, objects.length, problems[0]?.path, problems[0]?.line], [false, 0, 'a.yaml', 1]);
});
