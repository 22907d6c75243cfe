import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../main.ts', import.meta.url));
let folder: string;

async function check(...args: readonly string[]): Promise<{ status: number; out: string; err: string }> {
  const child = spawn(process.execPath, [main, 'policy', 'check', ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder, NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] },
  });
  const texts = { out: '', err: '' };
  child.stdout.on('data', (piece) => {
    texts.out += String(piece);
  });
  child.stderr.on('data', (piece) => {
    texts.err += String(piece);
  });
  const [status] = await once(child, 'close');
  return { status, ...texts };
}

const manifest = 'apiVersion: warder/v1\nkind: Bundle\nmetadata: { name: b }\nspec: { version: "1.0.0" }\n';
const policy = (rules: string): string =>
  `apiVersion: warder/v1
kind: Policy
metadata: { name: p }
spec:
  owner: team:data
  tier: org
  risk: { class: low }
  review: { last: 2026-11-01, every: P99Y }
  target: sql
  rules:
${rules}---
apiVersion: warder/v1
kind: PolicyTest
metadata: { name: t }
spec: { now: 2026-11-20T00:00:00Z, coverage: { rules: 100 } }
`;

function write(name: string, rules: string): void {
  mkdirSync(join(folder, name));
  writeFileSync(join(folder, name, 'bundle.yaml'), manifest);
  writeFileSync(join(folder, name, 'p.yaml'), policy(rules));
}

describe('warder policy check', () => {
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'warder-check-'));
    write('good', '    - { id: a, effect: allow, match: { subject.groups: [dba] } }\n');
    write(
      'beaten',
      '    - { id: a, effect: allow, match: { resource.env: [prod] } }\n    - { id: d, effect: deny, reason: NOPE, match: { resource.env: [prod] } }\n',
    );
    write('broken', '    - id: a\n      efect: allow\n    - id: d\n      effect: deny\n      match: { resource.evn: [prod] }\n');
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('policies without a mistake give 0', async () => {
    const { status, out, err } = await check('good');
    assert.deepEqual({ status, err }, { status: 0, err: '' });
    assert.match(out, /1 rules, sha256:/);
  });

  test('a rule that can never win is shown with its place, the reason and who shows it', async () => {
    const { status, err } = await check('beaten');
    assert.equal(status, 1);
    assert.match(err, /beaten\/p\.yaml:11:13: error P101 the allow "p\/a" can never win/);
    assert.match(err, /shown by user:eve/);
  });

  test('--json carries the witness, and --sarif writes a log with the same findings', async () => {
    const { status, out } = await check('beaten', '--json', '--sarif', 'log.sarif');
    assert.equal(status, 1);
    const [problem] = (JSON.parse(out) as { problems: { code: string; witness: { resource: { env: string } } }[] }).problems;
    assert.equal(problem?.code, 'P101');
    assert.equal(problem.witness.resource.env, 'prod');
    const log = JSON.parse(readFileSync(join(folder, 'log.sarif'), 'utf8')) as {
      version: string;
      runs: { results: { ruleId: string; level: string; locations: { physicalLocation: unknown }[] }[] }[];
    };
    assert.equal(log.version, '2.1.0');
    const [result] = log.runs[0]?.results ?? [];
    assert.deepEqual([result?.ruleId, result?.level], ['P101', 'error']);
    assert.deepEqual(result?.locations[0]?.physicalLocation, {
      artifactLocation: { uri: 'beaten/p.yaml' },
      region: { startLine: 11, startColumn: 13 },
    });
  });

  test('--fix mends in several rounds, says what it did, and leaves no other file behind', async () => {
    const broken = await check('broken');
    assert.equal(broken.status, 1);
    assert.match(broken.out, /--fix/);
    const { status, out } = await check('broken', '--fix');
    assert.equal(status, 0);
    assert.match(out, /mended broken\/p\.yaml:12: "efect" → "effect"/);
    assert.match(out, /"reason: DENIED_D" is added/);
    assert.match(out, /"resource\.evn" → "resource\.env"/);
    assert.deepEqual(readdirSync(join(folder, 'broken')).sort(), ['bundle.yaml', 'p.yaml']);
    assert.equal((await check('broken')).status, 0);
  });

  test('what cannot be read, and a log without a name, are usage errors', async () => {
    assert.equal((await check('nowhere')).status, 2);
    assert.equal((await check('good', '--sarif')).status, 2);
  });
});
