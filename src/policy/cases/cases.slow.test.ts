import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { SourceFile } from '../source.ts';
import { runCases } from './run.ts';
import type { CaseReport } from './run.ts';

const root = join(import.meta.dirname, '../../..');

function filesBelow(folder: string): SourceFile[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

function failuresOf(report: CaseReport): string[] {
  const problems = report.problems
    .filter(({ severity }) => severity === 'error')
    .map(({ path, line, message }) => `${path}:${line}: ${message}`);
  const failed = report.results
    .filter(({ ok }) => !ok)
    .map(({ path, line, name, failures }) => `${path}:${line}: ${name}\n  ${failures.join('\n  ')}`);
  return [...problems, ...failed];
}

test('the policies of the documentation behave as it says', async () => {
  assert.deepEqual(failuresOf(await runCases(filesBelow('src/policy/cases/fixtures'))), []);
});

test('the shipped policy packs pass their own tests', async () => {
  const report = await runCases(filesBelow('policies'));
  assert.deepEqual(failuresOf(report), []);
  assert.ok(report.results.length > 40);
});
