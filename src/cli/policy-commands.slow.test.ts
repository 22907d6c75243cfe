import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../main.ts', import.meta.url));
let folder: string;

const manifest = `apiVersion: warder/v1
kind: Bundle
metadata: { name: b }
spec:
  version: "1.0.0"
  baseline: [guard/no-drop]
  changelog: [{ version: "1.0.0", changes: [First] }]
`;
const guard = `apiVersion: warder/v1
kind: Policy
metadata: { name: guard }
spec:
  owner: team:x
  tier: org
  risk: { class: low }
  review: { last: 2026-01-01, every: P90D }
  target: sql
  rules:
    - { id: no-drop, effect: deny, reason: NO_DROP, match: { sql.effects: ["drop.*"] } }
    - { id: all, effect: allow, match: { subject.groups: [engineering] } }
`;
const cases = `apiVersion: warder/v1
kind: PolicyTest
metadata: { name: t }
spec:
  now: 2026-01-01T00:00:00Z
  cases:
    - { name: nobody drops, sql: DROP TABLE t, expect: { verdict: deny } }
    - { name: a wrong <expectation>, sql: SELECT 1, expect: { verdict: allow } }
`;

function warder(args: readonly string[], input = ''): { status: number | null; out: string; err: string } {
  const done = spawnSync(process.execPath, [main, ...args], {
    cwd: folder,
    input,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });
  return { status: done.status, out: done.stdout, err: done.stderr };
}

function put(name: string, text: string): void {
  mkdirSync(join(folder, name, '..'), { recursive: true });
  writeFileSync(join(folder, name), text);
}

const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], { cwd: folder, stdio: 'pipe' });

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'warder-policy-'));
  put('policies/bundle.yaml', manifest);
  put('policies/guard.yaml', guard);
  put('policies/cases.yaml', cases);
  git('init', '-q');
  git('add', '.');
  git('commit', '-qm', 'first');
});

after(() => rmSync(folder, { recursive: true, force: true }));

describe('warder policy without an installation', () => {
  test('eval answers every line and decides what if', () => {
    const lines = warder(['policy', 'eval', '--jsonl'], '{"expr":"1+1"}\nnonsense\n\n{"expr":"x","bindings":{"x":{"uint":3}},"id":1}\n');
    assert.equal(lines.status, 0);
    const answers = lines.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual([answers[0], answers[2]], [{ value: 2 }, { id: 1, value: { uint: 3 } }]);
    assert.ok(answers[1]?.['error']);
    const asked = warder(['policy', 'eval', '--request', '-', '--json'], 'sql: DROP TABLE t');
    assert.equal((JSON.parse(asked.out) as { decision: { reason: string } }).decision.reason, 'NO_DROP');
    assert.equal(warder(['policy', 'eval', '--request', '-'], 'sql: DROP TABLE t\nexpect: { verdict: allow }').status, 1);
  });

  test('plan compares a revision with the files, and its exit code tells', () => {
    assert.equal(warder(['policy', 'plan', 'HEAD', '--exit-code']).status, 0);
    put('policies/guard.yaml', guard.replace('"drop.*"', '"drop.table"'));
    const plan = warder(['policy', 'plan', 'HEAD', '--exit-code', '--json']);
    assert.equal(plan.status, 10);
    const { classes } = (JSON.parse(plan.out) as { plan: { classes: { change: string; direction: string }[] } }).plan;
    assert.deepEqual([classes[0]?.change, classes[0]?.direction], ['deny ⇒ allow', 'looser']);
    assert.match(warder(['policy', 'plan', 'HEAD', '--markdown']).out, /\| \*\*deny ⇒ allow\*\*/);
    put('policies/guard.yaml', guard);
    assert.equal(warder(['policy', 'plan', '--exec=x..HEAD']).status, 2);
    assert.equal(warder(['policy', 'plan', 'nothing..HEAD']).status, 2);
  });

  test('bundle builds the same bytes, signs and verifies them, and refuses what was changed or drops its baseline', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    put('key.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
    put('pub.pem', publicKey.export({ type: 'spki', format: 'pem' }).toString());
    put('other.pem', generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString());
    assert.equal(warder(['policy', 'bundle', 'build', '-o', 'a.json']).status, 0);
    assert.equal(warder(['policy', 'bundle', 'sign', 'a.json', '--key', 'key.pem']).status, 0);
    assert.equal(warder(['policy', 'bundle', 'verify', 'a.json', '--keys', 'other.pem', 'pub.pem']).status, 0);
    const stranger = warder(['policy', 'bundle', 'verify', 'a.json', '--keys', 'other.pem']);
    assert.equal(stranger.status, 1);
    assert.match(stranger.err, /not signed by any/);
    const text = readFileSync(join(folder, 'a.json'), 'utf8');
    put('b.json', text.replace('NO_DROP', 'YES_DROP'));
    put('b.json.dsse.json', readFileSync(join(folder, 'a.json.dsse.json'), 'utf8'));
    assert.match(warder(['policy', 'bundle', 'verify', 'b.json', '--keys', 'pub.pem']).err, /not about b\.json/);
    put('policies/bundle.yaml', manifest.replace('baseline: [guard/no-drop]', 'baseline: []'));
    assert.match(
      warder(['policy', 'bundle', 'build', '-o', 'c.json', '--previous', 'a.json']).err,
      /drops what 1\.0\.0 promised to keep: guard\/no-drop/,
    );
    put('policies/bundle.yaml', manifest);
    assert.match(warder(['policy', 'bundle', 'inspect', 'a.json']).out, /keeps\s+guard\/no-drop/);
  });

  test('test writes results for a build server; explain says why', () => {
    const tested = warder(['policy', 'test', '--junit', 'out.xml', '--no-cache']);
    assert.equal(tested.status, 1);
    const xml = readFileSync(join(folder, 'out.xml'), 'utf8');
    assert.match(xml, /<testsuite name="t" tests="2" failures="1" errors="0">/);
    assert.match(xml, /name="a wrong &lt;expectation&gt;"/);
    assert.match(warder(['policy', 'explain', 'nobody']).out, /applies: guard\/no-drop/);
    assert.equal(warder(['policy', 'explain', 'no such case']).status, 6);
  });

  test('check --decisions tells rules that never fired; without that option nothing is said about them', () => {
    const decided = {
      i: 0,
      t: Date.now(),
      kind: 'operation.decided',
      session: 's',
      who: { subject: 'user:eve' },
      what: { target: 'sql', resource: 'pg:orders', verb: 'drop', objects: [], normalized: '', certainty: 'parsed' },
      decision: {
        verdict: 'deny',
        reason: 'NO_DROP',
        rules: ['guard/no-drop'],
        matched: [{ rule: 'guard/no-drop', effect: 'deny', mode: 'enforce' }],
        bundle: { name: 'b', version: '1.0.0', digest: 'sha256:0' },
        reads: {},
      },
    };
    put('decisions.jsonl', `${JSON.stringify(decided)}\n`);
    const found = warder(['policy', 'check', '--decisions', 'decisions.jsonl', '--json']);
    const { problems } = JSON.parse(found.out) as { problems: { code: string; proof?: string; rules?: string[] }[] };
    assert.deepEqual(
      problems.filter(({ proof }) => proof === 'records').map(({ code, rules }) => [code, rules?.[0]]),
      [['P107', 'guard/all']],
    );
    assert.equal(warder(['policy', 'check', '--decisions', 'nothing-here']).status, 3);
    assert.equal(warder(['policy', 'check', '--decisions', 'decisions.jsonl', '--days', 'x']).status, 2);
  });

  test('an answer larger than a pipe reaches its reader whole', () => {
    const rules = Array.from(
      { length: 400 },
      (_, i) => `    - { id: r${i}, effect: deny, reason: R_${i}, match: { resource.id: ["db-${i}"] } }\n`,
    );
    put('many/p.yaml', `${guard.slice(0, guard.indexOf('    - {'))}${rules.join('')}`);
    const { out } = warder(['policy', 'check', 'many', '--json']);
    assert.ok(out.length > 100_000);
    assert.equal((JSON.parse(out) as { rules: number }).rules, 400);
  });

  test('fmt --check tells without touching; fmt writes what check then accepts', () => {
    put('style/a.yaml', guard.replace('  owner: team:x\n  tier: org', '  tier: org\n  owner: team:x'));
    const before = readFileSync(join(folder, 'style/a.yaml'), 'utf8');
    assert.equal(warder(['policy', 'fmt', 'style', '--check']).status, 1);
    assert.equal(readFileSync(join(folder, 'style/a.yaml'), 'utf8'), before);
    assert.equal(warder(['policy', 'fmt', 'style']).status, 0);
    assert.equal(warder(['policy', 'fmt', 'style', '--check']).status, 0);
    assert.match(warder(['policy', 'new', 'dataset', 'hosts']).out, /kind: DataSet/);
    assert.equal(warder(['policy', 'new', 'nothing', 'x']).status, 2);
  });
});
