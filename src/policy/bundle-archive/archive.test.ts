import assert from 'node:assert/strict';
import { createHash, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { canonicalJson } from '#model';
import { compileBundle } from '../bundle.ts';
import { compareVersions, engineVersion } from '../engine-version.ts';
import { policy } from '../scenario.ts';
import type { SourceFile } from '../source.ts';
import { archiveFiles, buildArchive, droppedBaseline, readArchive } from './archive.ts';
import type { Archive } from './archive.ts';
import { payloadType, preAuthEncoding, statementDifferences, statementOf } from './statement.ts';

const root = join(import.meta.dirname, '../../..');

function manifest(more = '', version = '1.0.0'): string {
  return `apiVersion: warder/v1\nkind: Bundle\nmetadata: { name: b }\nspec:\n  version: "${version}"\n  changelog: [{ version: "${version}", changes: [First] }]\n${more}`;
}

const guard = (mode = 'enforce', effect = 'effect: deny, reason: NO_DROP') =>
  policy('guard', `  rules: [{ id: r, ${effect}, mode: ${mode} }]`);

function archiveOf(...texts: readonly string[]): Archive {
  const built = buildArchive(texts.map((text, i) => ({ path: `${i}.yaml`, text })));
  assert.ok(built.ok, JSON.stringify(built));
  return built.archive;
}

function refusal(files: readonly SourceFile[]): string {
  const built = buildArchive(files);
  assert.ok(!built.ok);
  return built.problems.map(({ code }) => code).join(' ');
}

test('comments, names and order of files, tests and order of keys do not change a byte', () => {
  const one = archiveOf(manifest(), guard());
  const tests = 'apiVersion: warder/v1\nkind: PolicyTest\nmetadata: { name: t }\nspec: { now: 2026-01-01T00:00:00Z }\n';
  const other = archiveOf(
    `# about\n${guard().replace('tier: org\n  risk: { class: low }', 'risk: { class: low }\n  tier: org')}`,
    tests,
    manifest(),
  );
  assert.equal(one.text, other.text);
  assert.equal(one.sha256, createHash('sha256').update(one.text).digest('hex'));
});

test('an archive reads back as the same bundle, and its files push as the same bundle', () => {
  const archive = archiveOf(manifest('  baseline: [guard/r]\n'), guard());
  const read = readArchive({ path: 'a', text: archive.text });
  assert.ok(read.ok);
  assert.deepEqual(read.archive.bundle.ref, archive.bundle.ref);
  const pushed = compileBundle(archiveFiles(archive));
  assert.ok(pushed.ok);
  assert.deepEqual(pushed.bundle.ref, archive.bundle.ref);
});

test('anything but the very bytes is refused', () => {
  const { text } = archiveOf(manifest(), guard());
  for (const changed of [
    `${text} `,
    text.trim(),
    text.replace('{"documents"', '{ "documents"'),
    text.replace('bundle.v1', 'bundle.v2'),
    '{}',
    '',
    '[]',
    '{"format":"warder.bundle.v1"}',
  ]) {
    assert.ok(!readArchive({ path: 'a', text: changed }).ok, changed.slice(0, 40));
  }
});

test('a manifest, a changelog for its version and an engine that is new enough are required', () => {
  const files = (text: string) => [
    { path: 'm', text },
    { path: 'g', text: guard() },
  ];
  assert.equal(refusal([{ path: 'g', text: guard() }]), 'MANIFEST');
  assert.equal(refusal(files(manifest().replace('[{ version: "1.0.0"', '[{ version: "0.9.0"'))), 'CHANGELOG');
  assert.equal(refusal(files(manifest('  minEngine: "99.0.0"\n'))), 'ENGINE');
  assert.ok(buildArchive(files(manifest(`  minEngine: "${engineVersion}"\n`))).ok);
});

test('what a version promised to keep no later version may drop, soften or turn into something else', () => {
  const before = archiveOf(manifest('  baseline: [guard/r]\n'), guard()).bundle;
  assert.deepEqual(droppedBaseline(before, before), []);
  assert.deepEqual(droppedBaseline(before, archiveOf(manifest(), guard()).bundle), ['guard/r']);
  assert.deepEqual(droppedBaseline(before, archiveOf(manifest(), policy('other', '  rules: [{ id: r, effect: allow }]')).bundle), [
    'guard/r',
  ]);
  assert.deepEqual(droppedBaseline(before, archiveOf(manifest('  baseline: [guard/r]\n'), guard('enforce', 'effect: allow')).bundle), [
    'guard/r',
  ]);
});

test('versions are ordered as Semantic Versioning says', () => {
  const ordered = [
    '1.0.0-alpha',
    '1.0.0-alpha.1',
    '1.0.0-alpha.beta',
    '1.0.0-beta',
    '1.0.0-beta.2',
    '1.0.0-beta.11',
    '1.0.0-rc.1',
    '1.0.0',
    '1.2.0',
    '1.10.0',
    '2.0.0',
  ];
  for (const [i, a] of ordered.entries())
    for (const [j, b] of ordered.entries()) assert.equal(Math.sign(compareVersions(a, b)), Math.sign(i - j), `${a} ${b}`);
});

test('the engine has the version of the product', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  assert.equal(engineVersion, version);
});

test('a statement about one archive is not about another', () => {
  const archive = archiveOf(manifest(), guard());
  const statement = statementOf(archive, 'b.json', { commit: 'c', dirty: false });
  assert.deepEqual(statementDifferences(statement, archive), []);
  assert.equal(statementDifferences(statement, archiveOf(manifest('', '1.0.1'), guard())).length, 2);
  for (const wrong of [null, {}, { ...statement, subject: [] }, { ...statement, _type: 'x' }])
    assert.ok(statementDifferences(wrong, archive).length > 0);
});

test('the vectors of the documentation hold', () => {
  const page = readFileSync(join(root, 'docs/formats/bundle.md'), 'utf8');
  const [yaml = '', archive = '', sums = '', envelope = ''] = [...page.matchAll(/```\w*\n([^]*?)```/g)]
    .map(([, block = '']) => block)
    .slice(-4);
  const built = buildArchive([{ path: 'vector.yaml', text: yaml }]);
  assert.ok(built.ok, JSON.stringify(built));
  assert.equal(built.archive.text, archive);
  assert.equal(sums, `archive  sha256 ${built.archive.sha256}\npolicy   ${built.archive.bundle.ref.digest}\n`);
  // SPEC: RFC 8032 §7.1, the secret key of TEST 1.
  const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
  const key = createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
    format: 'der',
    type: 'pkcs8',
  });
  const payload = Buffer.from(canonicalJson(statementOf(built.archive, 'vector.json', { commit: '0'.repeat(40), dirty: false })));
  const signature = sign(null, preAuthEncoding(payloadType, payload), key);
  const keyid = `sha256:${createHash('sha256')
    .update(createPublicKey(key).export({ type: 'spki', format: 'der' }))
    .digest('hex')}`;
  assert.equal(
    envelope,
    `${JSON.stringify({ payloadType, payload: payload.toString('base64'), signatures: [{ keyid, sig: signature.toString('base64') }] })}\n`,
  );
  assert.ok(verify(null, preAuthEncoding(payloadType, payload), createPublicKey(key), signature));
});

test('the encoding that is signed is that of DSSE', () => {
  // SPEC: DSSE v1.0.0, protocol.md, example.
  const encoded = preAuthEncoding('http://example.com/HelloWorld', new TextEncoder().encode('hello world'));
  assert.equal(new TextDecoder().decode(encoded), 'DSSEv1 29 http://example.com/HelloWorld 11 hello world');
});
