import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parse } from 'yaml';
import { testPackages } from '../../test/packages.ts';

/** What is read of a log. */
interface Log {
  readonly runs: readonly { results: { ruleId: string; level?: string; message: unknown }[] }[];
}

const root = join(import.meta.dirname, '../..');
const validator = testPackages(join(root, 'test/corpus/sarif/validator'));
const skip = validator.without ?? false;
let folder = '';

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'warder-sarif-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** The log that `policy check` writes about a folder, with every finding there is. */
function logOf(policies: string): string {
  const sarif = join(folder, 'ours.sarif');
  const { stderr } = spawnSync('node', ['bin/warder.cjs', 'policy', 'check', policies, '--info', '--no-cache', '--sarif', sarif], {
    cwd: root,
    encoding: 'utf8',
  });
  assert.doesNotMatch(stderr, /INTERNAL/);
  return readFileSync(sarif, 'utf8');
}

/** What Microsoft's validator calls an error in a log: against the schema of the standard, and against what its text asks for besides. */
function errorsIn(log: string): readonly string[] {
  const program = join(validator.folder ?? '', 'node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool');
  chmodSync(program, 0o755);
  const [given, found] = [join(folder, 'given.sarif'), join(folder, 'found.sarif')];
  writeFileSync(given, log);
  const { status, stdout, stderr } = spawnSync(program, ['validate', given, '--output', found, '--log', 'ForceOverwrite'], {
    encoding: 'utf8',
    env: { ...process.env, DOTNET_SYSTEM_GLOBALIZATION_INVARIANT: '1', DOTNET_CLI_TELEMETRY_OPTOUT: '1' },
  });
  assert.equal(status, 0, stdout + stderr);
  const { runs } = JSON.parse(readFileSync(found, 'utf8')) as Log;
  return runs.flatMap(({ results }) => results.filter(({ level }) => level === 'error').map(({ message }) => JSON.stringify(message)));
}

test("a log about every planted mistake is valid to Microsoft's validator", { skip }, () => {
  const corpus = join(root, 'test/corpus/policy-mistakes');
  const policies = join(folder, 'mistakes');
  mkdirSync(policies);
  const mistakes = readdirSync(corpus).flatMap((file) => parse(readFileSync(join(corpus, file), 'utf8')) as { policy: string }[]);
  mistakes.forEach(({ policy }, n) => writeFileSync(join(policies, `größe ${n}.yaml`), policy));
  const log = logOf(policies);
  const found = (JSON.parse(log) as Log).runs[0]?.results.length ?? 0;
  assert.ok(found > mistakes.length, `${found} results`);
  assert.deepEqual(errorsIn(log), []);
});

test("a log about the shipped policies is valid to Microsoft's validator", { skip }, () => {
  assert.deepEqual(errorsIn(logOf('policies')), []);
});

test('the validator sees a member that the standard does not know, and one that is missing', { skip }, () => {
  const log = JSON.parse(logOf('policies')) as Log;
  const results = log.runs[0]?.results ?? [];
  Object.assign(results[0] ?? {}, { unknown: true });
  delete (results[1] as { message?: unknown }).message;
  assert.equal(errorsIn(JSON.stringify(log)).length, 2);
});
