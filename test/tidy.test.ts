/**
 * The laws of the house, executable: who may import whom, how large files may grow, which names are banned, which dependencies there are
 * and why, and that every enforcement point is complete.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';

const root = resolve(import.meta.dirname, '..');
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(root, file)));
const sources = files.filter((file) => file.startsWith('src/') && file.endsWith('.ts'));
const product = sources.filter((file) => !isTestFile(file));

/** Folder → doors it may use. A folder may always use itself. */
const law: Readonly<Record<string, readonly string[]>> = {
  model: [],
  inspect: ['model'],
  policy: ['model', 'inspect'],
  'ledger/verify': ['model'],
  ledger: ['model'],
  gateway: ['model', 'inspect', 'policy', 'ledger'],
  host: ['model'],
  control: ['model', 'inspect', 'policy', 'ledger', 'host'],
  cli: ['model', 'inspect', 'policy', 'policy/cel', 'policy/cases', 'policy/import', 'ledger/verify', 'host'],
  'main.ts': ['model', 'host', 'cli', 'control', 'gateway', 'ledger', 'policy', 'inspect'],
};

function isTestFile(file: string): boolean {
  return file.endsWith('.test.ts') || file.includes('/fixtures/') || file.includes('/testing/');
}

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

function folderOf(file: string): string {
  const inside = relative('src', file);
  if (inside.startsWith('ledger/verify/')) return 'ledger/verify';
  return inside.includes('/') ? inside.slice(0, inside.indexOf('/')) : inside;
}

function importsOf(file: string): string[] {
  const text = read(file);
  return [...text.matchAll(/(?:^|\n)\s*(?:import|export)\s[^'"`;]*?from\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/g)].map(
    (match) => match[1] ?? match[2] ?? '',
  );
}

test('every folder imports only what the import law allows, through doors', () => {
  const offences: string[] = [];
  for (const file of product) {
    const folder = folderOf(file);
    const allowed = law[folder];
    if (!allowed) {
      offences.push(`${file}: folder ${folder} has no place in the import law`);
      continue;
    }
    for (const specifier of importsOf(file)) {
      if (specifier.startsWith('#')) {
        const door = specifier.slice(1);
        if (!allowed.includes(door) && !(door === folder)) offences.push(`${file}: ${folder} may not import ${specifier}`);
      } else if (specifier.startsWith('.')) {
        const target = relative(root, resolve(root, dirname(file), specifier));
        if (folderOf(target) !== folder) offences.push(`${file}: reaches into ${target}; use its door`);
        if (!existsSync(join(root, target))) offences.push(`${file}: ${specifier} does not exist`);
      }
    }
  }
  assert.deepEqual(offences, []);
});

test('a point never imports another point', () => {
  const offences = product.flatMap((file) => {
    const own = /^src\/gateway\/points\/([a-z0-9-]+)\//.exec(file)?.[1];
    if (!own) return [];
    return importsOf(file)
      .filter((specifier) => specifier.startsWith('.'))
      .map((specifier) => relative(root, resolve(root, dirname(file), specifier)))
      .filter((target) => target.startsWith('src/gateway/points/') && !target.startsWith(`src/gateway/points/${own}/`))
      .map((target) => `${file}: ${target}`);
  });
  assert.deepEqual(offences, []);
});

test('there are no import cycles, except inside one folder where a grammar is walked', () => {
  const graph = new Map(product.map((file) => [file, valueImports(file)]));
  const state = new Map<string, 'open' | 'done'>();
  const cycles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      const cycle = [...path.slice(path.indexOf(file)), file];
      // Mutually recursive walkers of one grammar live side by side; a cycle that leaves the folder means two ideas that are one.
      if (new Set(cycle.map((one) => dirname(one))).size > 1) cycles.push(cycle.join(' → '));
      return;
    }
    state.set(file, 'open');
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    state.set(file, 'done');
  };
  for (const file of graph.keys()) visit(file, []);
  assert.deepEqual(cycles, []);
});

/** Relative imports that exist at run time: `import type` is erased. */
function valueImports(file: string): string[] {
  const text = read(file);
  return [...text.matchAll(/(?:^|\n)(?:import|export)\s+(?!type\b)[^'"`;]*?from\s*['"](\.[^'"]+)['"]/g)]
    .map((match) => relative(root, resolve(root, dirname(file), match[1] ?? '')))
    .filter((target) => product.includes(target));
}

test('files stay short enough to have one idea', () => {
  const long = product.map((file) => ({ file, lines: read(file).split('\n').length })).filter(({ lines }) => lines > 500);
  assert.deepEqual(long, []);
});

test('names say what a thing is', () => {
  const banned = /(^|[-_/])(utils?|helpers?|common|misc|manager|base|v2)([-_./]|$)/;
  assert.deepEqual(
    sources.filter((file) => banned.test(file)),
    [],
  );
});

test('every folder has a door that says what it is for', () => {
  const doors = [
    'model',
    'inspect',
    'policy',
    'policy/cel',
    'policy/cases',
    'ledger',
    'ledger/verify',
    'gateway',
    'control',
    'host',
    'cli',
  ];
  const silent = doors.filter((door) => !read(`src/${door}/index.ts`).startsWith('/**'));
  assert.deepEqual(silent, []);
});

test('the pure folders never touch the clock, randomness or the process', () => {
  const banned = /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bprocess\.|\bset(Timeout|Interval|Immediate)\b|from 'node:/;
  const offences = product
    .filter((file) => ['model', 'inspect', 'policy'].includes(folderOf(file)))
    .filter((file) => banned.test(withoutComments(read(file))));
  assert.deepEqual(offences, []);
});

test('clock, randomness and environment are read in their one place', () => {
  const banned = /\bDate\.now\b|\bMath\.random\b|\brandomBytes\(|\brandomUUID\(|\bprocess\.env\b|\bset(Timeout|Interval)\(/;
  const home = new Set(['model', 'host', 'cli', 'main.ts']);
  const offences = product
    .filter((file) => !home.has(folderOf(file)))
    .filter((file) => banned.test(withoutComments(read(file)).replaceAll(/world\.randomBytes\(/g, '')))
    .filter((file) => !allowedClocks.has(file));
  assert.deepEqual(offences, []);
});

/** Files with a reason of their own. */
const allowedClocks = new Set<string>([]);

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '$1');
}

test('every direct dependency is in the golden list with its reason', () => {
  const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string> | undefined>;
  const direct = ['dependencies', 'devDependencies', 'optionalDependencies'].flatMap((kind) => Object.keys(manifest[kind] ?? {})).sort();
  const golden = read('deps.golden')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  const listed = golden.map((line) => line.slice(0, line.indexOf(' ')));
  assert.deepEqual(listed, direct);
  for (const line of golden) assert.match(line, /^\S+ {1,40}\S.{15,}$/, `no reason: ${line}`);
});

test('every enforcement point is complete', () => {
  const listed = [...read('src/gateway/points/index.ts').matchAll(/from '\.\/([a-z0-9-]+)\/index\.ts'/g)].map((match) => match[1]);
  assert.ok(listed.length > 0);
  for (const point of listed) {
    for (const part of ['README.md', 'wire.ts', 'operations.ts', 'respond.ts', 'adapter.ts', 'index.ts', 'bypass.test.ts', 'fixtures']) {
      assert.ok(existsSync(join(root, 'src/gateway/points', point ?? '', part)), `points/${point}/${part} is missing`);
    }
  }
});

test('the pipeline stays one short function to read', () => {
  assert.ok(read('src/gateway/pipeline.ts').split('\n').length <= 250);
});

test('a TODO has an owner and a condition', () => {
  const bare = sources.filter((file) => /\b(TODO|FIXME|XXX)\b(?!\([a-z]+: )/.test(read(file)));
  assert.deepEqual(bare, []);
});

test('the code map names every folder of the source, and only what there is', () => {
  const map = read('ARCHITECTURE.md').split('\n## The pipeline')[0] ?? '';
  const named = [...map.matchAll(/`((?:src|policies|test|bench|packages|scripts|bin)(?:\/[a-z.-]+)*)\/?`/g)].map(([, path = '']) => path);
  const absent = named.filter((path) => !files.some((file) => file === path || file.startsWith(`${path}/`)));
  assert.deepEqual(absent, [], 'named, but not there');
  const folders = new Set(product.map((file) => dirname(file).split('/').slice(0, 3).join('/')));
  const missing = [...folders].filter((folder) => folder !== 'src' && !folder.endsWith('/testing') && !named.includes(folder));
  assert.deepEqual(missing, [], 'there, but not named');
});

test('the product speaks of itself alone', () => {
  const strays = files
    .filter((file) => /\.(ts|cjs|md|ya?ml|json|txt|sh)$/.test(file) && file !== 'package-lock.json' && file !== 'test/tidy.test.ts')
    .filter((file) => /\/work\/|\.\.\/shared|\bsubagent|\.library\b|DEVELOPERS\.md|\/tmp\/brief/.test(read(file)));
  assert.deepEqual(strays, []);
});

test('every fault code is explained in the documentation, and no other', () => {
  const codes = [...read('src/model/faults.ts').matchAll(/^ {2}([A-Z][A-Z_]+): \{/gm)].map((match) => match[1] ?? '').sort();
  const documented = [...read('docs/faults.md').matchAll(/^\| `([A-Z_]+)`/gm)].map((match) => match[1] ?? '').sort();
  assert.deepEqual(documented, codes);
});
