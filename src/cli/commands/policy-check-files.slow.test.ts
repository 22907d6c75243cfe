import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const corpus = join(root, 'test/corpus/policy-packs');
let folder: string;

async function warder(args: readonly string[], input = ''): Promise<{ status: number; out: string; err: string }> {
  const child = spawn(process.execPath, [join(root, 'src/main.ts'), ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder, NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] },
  });
  const texts = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    texts.out += piece;
  });
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    texts.err += piece;
  });
  child.stdin.end(input);
  const [status] = await once(child, 'close');
  return { status, ...texts };
}

describe('warder policy check -f', () => {
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'warder-check-files-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('the page about cases says what happens', async () => {
    const page = readFileSync(join(root, 'docs/how-to/write-a-policy-case.md'), 'utf8');
    for (const [, path = '', text = ''] of page.matchAll(/^```\w+ file=(\S+)\n([\s\S]*?)^```$/gm)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    const steps = [...page.matchAll(/^```console\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) => block.split(/^\$ warder /m).slice(1));
    assert.equal(steps.length, 3);
    for (const step of steps) {
      const [command = '', ...shown] = step.trimEnd().split('\n');
      const { status, out, err } = await warder(command.split(' '));
      assert.equal(status, shown.includes('exit 1') ? 1 : 0, `${command}\n${out}${err}`);
      for (const line of shown.filter((one) => one !== 'exit 1'))
        assert.ok(`${out}${err}`.includes(line), `${command}: ${line}\n${out}${err}`);
    }
  });

  test('each object has its verdict, rule, message and place', async () => {
    const { status, out } = await warder(['policy', 'check', '--pack', 'cost', '--json', '-f', join(corpus, 'terraform')]);
    assert.equal(status, 1);
    const { ok, objects } = JSON.parse(out);
    assert.equal(ok, false);
    const told = objects.map((object: { name: string; line: number; verdict: string; findings: { rule: string }[] }) => {
      return [object.name, object.line, object.verdict, ...object.findings.map((finding) => finding.rule)];
    });
    assert.deepEqual(told, [
      ['aws_s3_bucket.pictures', 6, 'deny', 'plan-safety/deny-public-buckets', 'plan-cost/deny-untagged'],
      ['module.web.aws_security_group.ssh[0]', 14, 'deny', 'plan-safety/deny-open-groups'],
      ['aws_db_instance.orders', 29, 'deny', 'plan-loss/deny-destroying-data'],
      ['aws_instance.shop', 7, 'allow'],
      ['data.aws_ami.linux', 29, 'allow'],
      ['aws_s3_bucket.archive', 37, 'allow'],
    ]);
  });

  test('requests of any target are decided, and what waits for a person is not allowed', async () => {
    const file = join(corpus, 'requests/tools.yaml');
    const { status, out } = await warder(['policy', 'check', '--pack', 'ai/tools', '--target', 'tool', '--json', '-f', file]);
    assert.equal(status, 1);
    assert.deepEqual(
      JSON.parse(out).objects.map((object: { name: string; verdict: string }) => [object.name, object.verdict]),
      [
        ['reading the wiki', 'allow'],
        ['deleting a space', 'pending'],
      ],
    );
  });

  test('SARIF names the rule, the file and the line', async () => {
    const file = join(corpus, 'pod-security/baseline/privileged.fail.yaml');
    const { status, out } = await warder(['policy', 'check', '--pack', 'kubernetes/baseline', '-f', file, '--sarif']);
    assert.equal(status, 1);
    const [run] = JSON.parse(out).runs;
    assert.equal(run.results.length, 4);
    assert.equal(run.results[0].ruleId, 'pod-security-baseline/privileged');
    assert.equal(run.results[1].locations[0].physicalLocation.region.startLine, 12);
  });

  test('facts that only somebody else can know come from a file', async () => {
    const image = `registry.example.com/shop@sha256:${'a'.repeat(64)}`;
    const pod = JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, spec: { containers: [{ name: 'app', image }] } });
    const identity = 'https://github.com/example/shop/.github/workflows/release.yml@refs/tags/v1';
    const signatures = [{ verified: true, issuer: 'https://token.actions.githubusercontent.com', identity }];
    writeFileSync(join(folder, 'facts.json'), JSON.stringify({ images: [{ ref: image, signatures }] }));
    const check = ['policy', 'check', '--pack', 'kubernetes/images', '-f', '-'];
    assert.equal((await warder([...check, '--facts', 'facts.json'], pod)).status, 0);
    const { status, out } = await warder(check, pod);
    assert.equal(status, 1);
    assert.match(out, /EVALUATION_ERROR .*the fact is not available {2}image-signatures\/deny-unsigned/);
  });

  test('compiled Rego that was written for a pipeline is asked about every object', async () => {
    mkdirSync(join(folder, 'theirs'));
    copyFileSync(join(corpus, '../rego/limits.tar.gz'), join(folder, 'theirs/limits.tar.gz'));
    writeFileSync(
      join(folder, 'theirs/wrapper.yaml'),
      `apiVersion: warder/v1
kind: ForeignPolicy
metadata: { name: limits }
spec:
  target: k8s.admission
  mode: enforce
  engine: rego-wasm
  files: [limits.tar.gz]
  entrypoint: main/deny
  input: conftest
  deadline: PT5S
  output: { deny: size(result) > 0, message: Every container needs limits. }
`,
    );
    const deployment = (name: string, resources: object): object => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name },
      spec: { template: { spec: { containers: [{ name: 'app', image: 'x', ...resources }] } } },
    });
    const list = { kind: 'List', items: [deployment('without', {}), deployment('with', { resources: { limits: { cpu: 1 } } })] };
    assert.equal((await warder(['policy', 'import', 'theirs', '--mode', 'source', '--out', 'imported'])).status, 0);
    const check = ['policy', 'check', '--pack', 'imported', '-f', '-'];
    const { status, out } = await warder([...check, '--foreign', 'theirs'], JSON.stringify(list));
    assert.equal(status, 1);
    assert.match(
      out,
      /Deployment without[^]*FOREIGN_DENY Every container needs limits\. {2}limits\/denied\n[^]*2 objects: 1 allowed, 1 not/,
    );
    assert.match((await warder(check, JSON.stringify(list))).out, /2 objects: 0 allowed, 2 not/);
  });

  test('what cannot be read ends with 2 and says where, and the rest is decided all the same', async () => {
    writeFileSync(join(folder, 'broken.yaml'), 'apiVersion: v1\nkind: Pod\n  metadata: {}\n');
    writeFileSync(join(folder, 'nameless.yaml'), 'hello: world\n');
    const file = join(corpus, 'pod-security/baseline/privileged.pass.yaml');
    const { status, out, err } = await warder([
      'policy',
      'check',
      '--pack',
      'kubernetes/baseline',
      '-f',
      'broken.yaml',
      'nameless.yaml',
      file,
    ]);
    assert.equal(status, 2);
    assert.match(err, /broken\.yaml:2:\d+: error UNREADABLE/);
    assert.match(err, /nameless\.yaml:1/);
    assert.match(out, /2 objects: 2 allowed, 0 not, 2 not readable/);
  });

  test('a pack, a file or a target that is not there ends with 2', async () => {
    for (const wrong of [
      ['--pack', 'kubernetes/nothing', '-f', 'facts.json'],
      ['-f', 'nowhere.yaml'],
      ['--target', 'k8s', '-f', 'pods.yaml'],
      ['--default', 'maybe', '-f', 'pods.yaml'],
    ])
      assert.equal((await warder(['policy', 'check', ...wrong])).status, 2, wrong.join(' '));
  });
});
