import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readObjects } from './objects.ts';

function read(text: string, path = 'a.yaml') {
  return readObjects({ path, text });
}

test('every document of a file is an object with its line', () => {
  const { objects, problems } = read(
    '# first\napiVersion: v1\nkind: Pod\nmetadata: { name: a }\n---\n---\napiVersion: v1\nkind: Pod\nmetadata: { generateName: b-, namespace: shop }\n',
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(
    objects.map(({ kind, name, line }) => [kind, name, line]),
    [
      ['kubernetes', 'Pod a', 2],
      ['kubernetes', 'Pod shop/b-*', 7],
    ],
  );
});

test('the items of a list are objects, and a typed list says what they are', () => {
  const untyped = { apiVersion: 'v1', kind: 'List', items: [{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } }] };
  const typed = { apiVersion: 'apps/v1', kind: 'DeploymentList', items: [{ metadata: { name: 'b' } }] };
  const { objects } = read(JSON.stringify([untyped, typed]), 'a.json');
  assert.deepEqual(
    objects.map(({ name, value }) => [name, value['apiVersion']]),
    [
      ['Pod a', 'v1'],
      ['Deployment b', 'apps/v1'],
    ],
  );
});

test('a manifest is read as the API server will read it: YAML 1.1, anchors and merge keys', () => {
  const { objects } = read('x: &base { privileged: yes }\napiVersion: v1\nkind: Pod\nspec: { <<: *base, hostNetwork: on, mode: 0777 }\n');
  assert.deepEqual(objects[0]?.value['spec'], { privileged: true, hostNetwork: true, mode: 511 });
});

test('dates and times are text', () => {
  const { objects } = read(
    'apiVersion: v1\nkind: Pod\nspec: { day: 2026-11-20, at: 2026-11-20T10:00:00Z, time: 12:30:45, one: 1, half: .5, none: ~ }\n',
  );
  assert.deepEqual(objects[0]?.value['spec'], {
    day: '2026-11-20',
    at: '2026-11-20T10:00:00Z',
    time: '12:30:45',
    one: 1,
    half: 0.5,
    none: null,
  });
});

test('a file that grows without end when it is read is refused', () => {
  const levels = Array.from({ length: 9 }, (_, i) => `l${i + 1}: &l${i + 1} [${Array.from({ length: 10 }, () => `*l${i}`).join(', ')}]`);
  const { objects, problems } = read(`l0: &l0 [x]\n${levels.join('\n')}\n`);
  assert.deepEqual(objects, []);
  assert.match(problems[0]?.message ?? '', /alias/i);
});

test('what is no YAML is refused with its place', () => {
  const { objects, problems } = read('a: 1\nb: [\n');
  assert.deepEqual(objects, []);
  assert.equal(problems[0]?.code, 'UNREADABLE');
  assert.equal(problems[0]?.path, 'a.yaml');
});

test('two values under one key are refused: which of them holds depends on the reader', () => {
  const { problems } = read('apiVersion: v1\nkind: Pod\nspec: { hostPID: true, hostPID: false }\n');
  assert.equal(problems.length, 1);
});

test('a plan of Terraform is one object for each change', () => {
  const change = { actions: ['create'], after: {}, after_unknown: {} };
  const text = JSON.stringify(
    { format_version: '1.2', resource_changes: [{ address: 'a.b', change }, { address: 'm.c[0]', change }, 7] },
    undefined,
    1,
  );
  const { objects } = read(text, 'plan.json');
  assert.deepEqual(
    objects.map(({ kind, name, line }) => [kind, name, line]),
    [
      ['terraform', 'a.b', 5],
      ['terraform', 'm.c[0]', 15],
    ],
  );
});

test('everything else is a request', () => {
  const { objects } = read('name: a question\nsql: SELECT 1\n---\ntool: {}\n');
  assert.deepEqual(
    objects.map(({ kind, name }) => [kind, name]),
    [
      ['question', 'a question'],
      ['question', 'request'],
    ],
  );
});
