import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const main = join(root, 'src/main.ts');
let folder: string;

interface Run {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

async function warder(...args: readonly string[]): Promise<Run> {
  const child = spawn(process.execPath, [main, ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder, NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const texts = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    texts.out += piece;
  });
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    texts.err += piece;
  });
  const [status] = await once(child, 'close');
  return { status, ...texts };
}

function filesBelow(path: string): Record<string, string> {
  const entries = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(entries.map((entry) => join(entry.parentPath, entry.name)).map((file) => [file, readFileSync(file, 'utf8')]));
}

describe('policy import', () => {
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'warder-import-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('the page about importing says what happens', async () => {
    const page = readFileSync(join(root, 'docs/how-to/import-policies.md'), 'utf8');
    for (const [, path = '', text = ''] of page.matchAll(/^```\w+ file=(\S+)\n([\s\S]*?)^```$/gm)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    const steps = [...page.matchAll(/^```console\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) => block.split(/^\$ warder /m).slice(1));
    assert.equal(steps.length, 5);
    for (const step of steps) {
      const [command = '', ...shown] = step.trimEnd().split('\n');
      const { status, out, err } = await warder(...command.split(' '));
      assert.equal(status, shown.includes('exit 1') ? 1 : 0, `${command}\n${out}${err}`);
      for (const line of shown.filter((one) => one !== 'exit 1'))
        assert.ok(`${out}${err}`.includes(line), `${command}: ${line}\n${out}${err}`);
    }
    assert.equal(existsSync(join(folder, 'pipeline')), false);
    assert.match(readFileSync(join(folder, 'enforced/require-team.yaml'), 'utf8'), /owner: team:cluster[\s\S]*mode: enforce/);
  });

  test('a folder with policies of five systems becomes documents that check and test', async () => {
    for (const system of ['kubernetes', 'kyverno', 'gatekeeper', 'hoop', 'cedar'])
      cpSync(join(root, 'test/corpus/import', system), join(folder, 'five', system), { recursive: true });
    const originals = filesBelow(join(folder, 'five'));
    const imported = await warder('policy', 'import', 'five', '--out', 'five-imported', '--json');
    assert.equal(imported.status, 0, imported.err);
    const { findings, sources, engines, written } = JSON.parse(imported.out);
    for (const [construct, path, line] of [
      ['authorizer', 'five/kubernetes/unsupported.yaml', 12],
      ['spec.targets[0].rego', 'five/gatekeeper/rego-only.yaml', 8],
      ['http.Get', 'five/kyverno/facts.yaml', 14],
      ['analyzer', 'five/hoop/relay.yaml', 34],
      ['@colour', 'five/cedar/orders.cedar', 10],
    ])
      assert.ok(
        findings.some((one: Record<string, unknown>) => one['construct'] === construct && one['path'] === path && one['line'] === line),
        `${construct} at ${path}:${line}`,
      );
    for (const { digest } of sources) assert.match(digest, /^sha256:[0-9a-f]{64}$/);
    assert.deepEqual(engines.map((engine: { fact: string }) => engine.fact).sort(), ['access', 'orders']);
    assert.ok(written.length > 40, `${written.length} files`);
    assert.deepEqual(filesBelow(join(folder, 'five')), originals);
    const checked = await warder('policy', 'check', 'five-imported', '--json');
    assert.equal(JSON.parse(checked.out).ok, true, checked.out);
    const tested = await warder('policy', 'test', 'five-imported');
    assert.equal(tested.status, 0, tested.out);
    assert.match(tested.out, /✔ \d\d+ of \d+ cases pass/);
  });

  test('nothing is overwritten unless somebody says so, and then everything is as the files say', async () => {
    const again = await warder('policy', 'import', 'theirs');
    assert.equal(again.status, 0, again.err);
    assert.match(again.out, /6 unchanged/);
    const changed = join(folder, 'policies/imported/require-team.yaml');
    const before = readFileSync(changed, 'utf8');
    appendFileSync(changed, '# somebody was here\n');
    const refused = await warder('policy', 'import', 'theirs');
    assert.equal(refused.status, 2);
    assert.match(refused.err, /policies\/imported\/require-team\.yaml would be overwritten, so nothing is written; use --force/);
    assert.match(readFileSync(changed, 'utf8'), /somebody was here/);
    assert.equal((await warder('policy', 'import', 'theirs', '--force')).status, 0);
    assert.equal(readFileSync(changed, 'utf8'), before);
    rmSync(join(folder, 'theirs/orders.cedar'));
    const fewer = await warder('policy', 'import', 'theirs');
    assert.match(fewer.out, /policies\/imported\/cedar-orders\.yaml is of an earlier import, and no file says it any more/);
    assert.doesNotMatch(fewer.out, /require-team\.yaml is of an earlier/);
  });

  test('other engines are asked before a decision, and who stays silent is named', async () => {
    mkdirSync(join(folder, 'rego'));
    cpSync(join(root, 'test/corpus/rego/policy-bundle.tar.gz'), join(folder, 'rego/policy-bundle.tar.gz'));
    const wrapper = (name: string, entrypoint: string): string =>
      `apiVersion: warder/v1\nkind: ForeignPolicy\nmetadata: { name: ${name} }\nspec: { target: sql, mode: enforce, engine: rego-wasm, files: [policy-bundle.tar.gz], deadline: PT5S, entrypoint: ${entrypoint}, input: hoop.v1, output: { allow: result.allow, deny: '!result.allow' } }\n`;
    writeFileSync(join(folder, 'rego/wrapper.yaml'), wrapper('old-rules', 'data.sql.authz'));
    const request = (sql: string): string =>
      `target: sql\nsubject: { id: "user:eve", groups: [] }\nresource: { id: "pg:orders", env: prod }\nsql: ${sql}\n`;
    writeFileSync(join(folder, 'read.yaml'), request('SELECT id FROM public.orders'));
    writeFileSync(join(folder, 'drop.yaml'), request('DROP TABLE public.orders'));
    assert.equal((await warder('policy', 'import', 'rego', '--mode', 'source', '--out', 'rego-imported')).status, 0);
    const tested = await warder('policy', 'test', 'rego-imported');
    assert.match(tested.out, /4 of 4 cases pass/, tested.err);
    const asked = async (file: string, from = 'rego') => warder('policy', 'eval', 'rego-imported', '--request', file, '--foreign', from);
    assert.match((await asked('read.yaml')).out, /^ALLOW/);
    assert.match((await asked('drop.yaml')).out, /^DENY {2}FOREIGN_DENY/);
    mkdirSync(join(folder, 'broken'));
    cpSync(join(root, 'test/corpus/rego/policy-bundle.tar.gz'), join(folder, 'broken/policy-bundle.tar.gz'));
    writeFileSync(join(folder, 'broken/wrapper.yaml'), wrapper('old-rules', 'data.nothing'));
    const silent = await asked('read.yaml', 'broken');
    assert.match(silent.out, /^DENY/);
    assert.match(silent.err, /facts\.foreign\.oldRules: the policy was not compiled with the entrypoint nothing/);
  });

  test('what is no use is said in one sentence', async () => {
    for (const [args, message] of [
      [[], /missing required argument 'paths'/],
      [['nowhere'], /cannot read nowhere/],
      [['theirs', '--owner', 'me'], /"me" is no owner/],
      [['theirs', '--tier', 'galaxy'], /Allowed choices are system, baseline/],
      [['policies/imported'], /there is nothing to import in policies\/imported/],
    ] as const) {
      const { status, err } = await warder('policy', 'import', ...args);
      assert.equal(status, 2, err);
      assert.match(err, message);
    }
  });
});
