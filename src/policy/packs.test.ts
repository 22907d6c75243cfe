import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileBundle } from './bundle.ts';
import type { CompileResult } from './bundle.ts';
import { document, policy } from './scenario.ts';

const rules = '  rules: [{ id: r, effect: allow }]';
const manifest = (more = ''): { path: string; text: string } => ({
  path: 'bundle.yaml',
  text: document('Bundle', 'b', `version: "1.0.0"\n${more}`),
});
const inactive = manifest('  inactive: [strict]');
const files = [
  { path: 'plain/a.yaml', text: policy('a', rules) },
  { path: 'strict/b.yaml', text: policy('b', `  requires: { packs: [plain] }\n${rules}`) },
  { path: 'strict/deep/c.yaml', text: policy('c', rules) },
  { path: 'd.yaml', text: policy('d', rules) },
];

function idsOf(result: CompileResult): readonly string[] {
  if (!result.ok) assert.fail(result.problems.map(({ message }) => message).join('\n'));
  return result.bundle.compiled.rules.map(({ id }) => id);
}

function messagesOf(result: CompileResult): readonly string[] {
  return result.ok ? [] : result.problems.filter(({ severity }) => severity === 'error').map(({ message }) => message);
}

test('without a list every folder is in force', () => {
  assert.deepEqual(idsOf(compileBundle([manifest(), ...files])), ['a/r', 'b/r', 'c/r', 'd/r']);
});

test('an inactive pack is not part of the bundle, and everything else is', () => {
  assert.deepEqual(idsOf(compileBundle([inactive, ...files])), ['a/r', 'd/r']);
});

test('what is inactive has no influence on the digest', () => {
  const without = compileBundle([inactive, ...files]);
  const changed = compileBundle([inactive, ...files, { path: 'strict/e.yaml', text: policy('e', rules) }]);
  assert.ok(without.ok && changed.ok);
  assert.equal(without.bundle.ref.digest, changed.bundle.ref.digest);
});

test('the folder of the manifest may lie anywhere', () => {
  const moved = [inactive, ...files].map(({ path, text }) => ({ path: `some/where/${path}`, text }));
  assert.deepEqual(idsOf(compileBundle(moved)), ['a/r', 'd/r']);
});

test('a folder that only begins like an inactive pack is another one', () => {
  const like = { path: 'strict-too/e.yaml', text: policy('e', rules) };
  assert.deepEqual(idsOf(compileBundle([inactive, ...files, like])), ['a/r', 'd/r', 'e/r']);
});

test('asked for by name, a pack brings those it requires and nothing else', () => {
  assert.deepEqual(idsOf(compileBundle([inactive, ...files], { packs: ['strict'] })), ['a/r', 'b/r', 'c/r']);
  assert.deepEqual(idsOf(compileBundle([inactive, ...files], { packs: ['strict/deep'] })), ['c/r']);
});

test('who asks for a pack alone is not held to the baseline of the others', () => {
  const promised = manifest('  baseline: [d/r]');
  assert.deepEqual(idsOf(compileBundle([promised, ...files], { packs: ['plain'] })), ['a/r']);
});

test('a baseline rule in an inactive pack is a mistake', () => {
  const promised = manifest('  inactive: [strict]\n  baseline: [b/r]');
  assert.deepEqual(messagesOf(compileBundle([promised, ...files])), ['there is no rule "b/r"']);
});

test('a pack that is required cannot be inactive', () => {
  const result = compileBundle([manifest('  inactive: [plain]'), ...files]);
  assert.deepEqual(messagesOf(result), ['the pack "plain" is required here, and the manifest says that "plain" is inactive']);
});

test('a pack that does not exist is named, with what was probably meant', () => {
  const result = compileBundle([manifest('  inactive: [strickt]'), ...files]);
  assert.ok(!result.ok);
  const [problem] = result.problems;
  assert.equal(problem?.message, 'there is no pack "strickt"');
  assert.match(problem?.hint ?? '', /strict/);
  assert.deepEqual(messagesOf(compileBundle(files, { packs: ['nothing'] })), ['there is no pack "nothing"']);
});

test('an exception that lifts only inactive rules goes with them, and one of a policy that is nowhere is a mistake', () => {
  const exception = (name: string): string =>
    document(
      'Exception',
      'x',
      `waives: [{ policy: ${name}, rules: [r] }]\n  scope: { match: { resource.id: [a] } }\n  reason: why\n  owner: team:x\n  approvedBy: [user:a]\n  notBefore: 2026-01-01T00:00:00Z\n  expires: 2026-02-01T00:00:00Z`,
    );
  const lifting = (name: string) => compileBundle([inactive, ...files, { path: 'exceptions.yaml', text: exception(name) }]);
  assert.deepEqual(idsOf(lifting('b')), ['a/r', 'd/r']);
  assert.deepEqual(messagesOf(lifting('nowhere')), ['there is no policy "nowhere"']);
});
