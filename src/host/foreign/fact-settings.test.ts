import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Fault, type EngineTerms } from '#model';
import { readFactSettings } from './fact-settings.ts';
import { openEngine } from './open-engine.ts';

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'warder-fact-settings-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

function read(text: string): ReturnType<typeof readFactSettings> {
  const path = join(folder, 'facts.yaml');
  writeFileSync(path, text);
  return readFactSettings(path);
}

test('the file names the OPAs that may be asked, each with where its token is', () => {
  assert.deepEqual(
    read(
      'opa:\n  old: { url: "https://opa.example.com/v1/data/a" }\n  near: { url: "http://127.0.0.1:8181/v1/data/b", token: "env:OPA" }\n',
    ),
    {
      old: { url: 'https://opa.example.com/v1/data/a' },
      near: { url: 'http://127.0.0.1:8181/v1/data/b', token: 'env:OPA' },
    },
  );
  assert.deepEqual(read(''), {});
  assert.deepEqual(readFactSettings(join(folder, 'nothing.yaml')), {});
});

test('what is wrong is refused by where it stands, and a token itself is none', () => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['opa: { old: { url: "http://opa.example.com/v1/data/a" } }', /opa\.old\.url: write an https address/],
    ['opa: { old: { url: "https://me:secret@opa.example.com/" } }', /opa\.old\.url/],
    ['opa: { old: { url: "https://:secret@opa.example.com/" } }', /opa\.old\.url/],
    ['opa: { old: { url: "file:///etc/passwd" } }', /opa\.old\.url/],
    ['opa: { old: { url: "https://opa.example.com/", token: "abc" } }', /opa\.old\.token: a secret is given by reference/],
    ['opa: { old: { url: "https://opa.example.com/", proxy: x } }', /opa\.old/],
    ['opa: { "Not a fact": { url: "https://opa.example.com/" } }', /opa/],
    ['opas: {}', /opas/],
    ['opa: [', /not YAML/],
  ];
  for (const [text, message] of wrong)
    assert.throws(
      () => read(text),
      (error) =>
        error instanceof Fault && error.code === 'CONFIG_INVALID' && message.test(error.message) && !error.message.includes('secret@'),
      text,
    );
});

test('an OPA that the gateway was not told about is never asked, whatever a bundle says', async () => {
  const terms: EngineTerms = {
    ...{ engine: 'opa-remote', fact: 'toString', digest: 'sha256:', input: 'hoop.v1', deadlineMs: 100 },
    breaker: { failures: 1, pauseMs: 1 },
  };
  const engine = openEngine(terms, {});
  const answer = await engine.ask({}, 0);
  assert.ok(!answer.ok && answer.because === 'failed');
  assert.match(answer.why, /facts\.yaml of this gateway does not say where the OPA "toString" answers/);
  await engine.close();
});

test('the file on the page about facts is one', () => {
  const page = readFileSync(new URL('../../../docs/how-to/facts.md', import.meta.url), 'utf8');
  const [, text = ''] = /```yaml file=facts\.yaml\n([\s\S]*?)```/.exec(page) ?? [];
  assert.deepEqual(read(text), { oldSqlRules: { url: 'https://opa.example.com/v1/data/sql/authz', token: 'file:/run/secrets/opa-token' } });
});
