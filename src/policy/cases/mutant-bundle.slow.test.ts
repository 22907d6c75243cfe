import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadInspectors } from '#inspect';
import { decide } from '../decide/decide.ts';
import { isKind, readDocuments } from '../documents/document.ts';
import { MutantBundles } from './mutant-bundle.ts';
import { mutantsOf } from './mutate.ts';
import { requestOf } from './request.ts';
import { compileSubset } from './subset.ts';

await loadInspectors();
const folder = join(import.meta.dirname, '../../../policies/databases');

test('a bundle with one exchanged rule or policy decides like one that was compiled with it', () => {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .map((path) => ({ path, text: readFileSync(join(folder, path), 'utf8') }));
  const { documents } = readDocuments(files);
  const suite = documents.find((document) => isKind(document, 'PolicyTest') && document.name === 'databases');
  assert.ok(suite !== undefined && isKind(suite, 'PolicyTest'));
  const { policies } = suite.spec;
  const compiled = compileSubset(documents, policies);
  assert.ok(compiled.ok);
  const catalogs = new Map();
  const requests = (suite.spec.cases ?? []).map(({ name: _name, tags: _tags, expect: _expect, grants: _grants, ...inputs }) =>
    requestOf(inputs, { test: suite.spec, bundle: compiled.bundle, catalogs }),
  );
  const bundles = new MutantBundles(compiled.bundle, documents);
  let compared = 0;
  for (const mutant of mutantsOf(documents, policies)) {
    const { document, rule, spec } = mutant;
    const fast = rule === undefined ? bundles.withPolicy(document, spec) : bundles.with(document, rule.id, rule.spec);
    const changed = documents.flatMap((other) => (other !== document ? other : spec === undefined ? [] : { ...document, spec }));
    const slow = compileSubset(changed, policies);
    // Dropping a rule that others name keeps a bundle from compiling; the exchanged one is only for decisions.
    if (!slow.ok || fast === undefined) continue;
    compared += 1;
    for (const request of requests) {
      const { bundle: _fast, ...one } = decide(fast, request);
      const { bundle: _slow, ...other } = decide(slow.bundle, request);
      assert.deepEqual(
        { ...one, requirements: one.requirements.length },
        { ...other, requirements: other.requirements.length },
        mutant.name,
      );
    }
  }
  assert.ok(compared > 60, String(compared));
});
