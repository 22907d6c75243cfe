import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('setup.cjs', import.meta.url));
const stub = fileURLToPath(new URL('../bin/warder.cjs', import.meta.url));
let root: string;

/** An npm that writes down its arguments and does what the test wants. */
function npmThat(does: string): string {
  const file = join(root, 'npm.cjs');
  writeFileSync(
    file,
    `const fs = require('fs'); fs.appendFileSync(${JSON.stringify(join(root, 'calls'))}, process.argv.slice(2).join(' ') + '\\n'); ${does}`,
  );
  return file;
}

function setup(npm: string): { status: number | null; stderr: string } {
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts', 'setup.cjs')], {
    encoding: 'utf8',
    env: { ...process.env, npm_execpath: npm },
  });
  return { status, stderr };
}

const calls = (): string[] => (existsSync(join(root, 'calls')) ? readFileSync(join(root, 'calls'), 'utf8').trim().split('\n') : []);
const good = `fs.mkdirSync(${'`'}${'${process.cwd()}'}/node_modules${'`'}, { recursive: true });`;

describe('the set-up before npm start', () => {
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'warder-test-'));
    mkdirSync(join(root, 'scripts'));
    mkdirSync(join(root, 'bin'));
    cpSync(script, join(root, 'scripts', 'setup.cjs'));
    cpSync(stub, join(root, 'bin', 'warder.cjs'));
    writeFileSync(join(root, 'package-lock.json'), '{"lock": 1}');
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  test('installs once, without install scripts, and links the command for npm exec', () => {
    const npm = npmThat(good);
    assert.deepEqual(setup(npm).status, 0);
    assert.equal(setup(npm).stderr, '');
    assert.deepEqual(calls(), ['ci --ignore-scripts --no-audit --no-fund --loglevel=error']);
    assert.equal(readlinkSync(join(root, 'node_modules', '.bin', 'warder')), '../../bin/warder.cjs');
  });

  test('installs again when the lock file changed', () => {
    const npm = npmThat(good);
    setup(npm);
    writeFileSync(join(root, 'package-lock.json'), '{"lock": 2}');
    assert.match(setup(npm).stderr, /installing dependencies/);
    assert.equal(calls().length, 2);
  });

  test('takes an installation that somebody made with npm ci as it is', () => {
    const node = join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin');
    mkdirSync(node, { recursive: true });
    writeFileSync(join(node, 'node'), '');
    writeFileSync(join(root, 'node_modules', '.package-lock.json'), '{}');
    assert.equal(setup(npmThat(good)).status, 0);
    assert.deepEqual(calls(), []);
  });

  test('without network it says what to do, and the next start tries again', () => {
    const { status, stderr } = setup(npmThat("process.stderr.write('npm error code EAI_AGAIN\\n'); process.exit(1);"));
    assert.equal(status, 2);
    assert.match(stderr, /could not reach its registry[\s\S]*Connect to the network/);
    assert.equal(setup(npmThat(good)).status, 0);
    assert.equal(calls().length, 2);
  });

  test('a lock left by a killed set-up does not block', () => {
    const gone = spawnSync(process.execPath, ['-e', '0']);
    writeFileSync(join(root, '.warder-setup.lock'), String(gone.pid));
    assert.equal(setup(npmThat(good)).status, 0);
  });

  test('the command without its Node says how to install it', (t) => {
    const old = join(root, 'old-node.cjs');
    // The stub as an old Node would see it: no bundled Node beside it and a low version.
    writeFileSync(
      old,
      `Object.defineProperty(process.versions, 'node', { value: '20.1.0' }); require(${JSON.stringify(join(root, 'bin', 'warder.cjs'))});`,
    );
    const { status, stderr } = spawnSync(process.execPath, [old, 'version'], { encoding: 'utf8' });
    assert.equal(status, 2);
    assert.match(stderr, /npm ci --ignore-scripts/);
    t.diagnostic(stderr);
  });

  test('the command hands arguments, exit status and signals to the Node it brings along', () => {
    const bin = join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin');
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, 'node'), '#!/bin/sh\necho "$@"\nexit 7\n');
    chmodSync(join(bin, 'node'), 0o755);
    const old = join(root, 'old-node.cjs');
    writeFileSync(
      old,
      `Object.defineProperty(process.versions, 'node', { value: '20.1.0' }); require(${JSON.stringify(join(root, 'bin', 'warder.cjs'))});`,
    );
    const { status, stdout } = spawnSync(process.execPath, [old, 'requests', '--json'], { encoding: 'utf8' });
    assert.equal(status, 7);
    assert.match(stdout, /src\/main\.ts requests --json/);
    writeFileSync(join(bin, 'node'), '#!/bin/sh\nkill -TERM $$\n');
    assert.equal(spawnSync(process.execPath, [old], {}).signal, 'SIGTERM');
  });
});
