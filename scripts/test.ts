/**
 * `npm test`: everything. Installs the real clients the stories need from Debian when they are missing and this user may; says loudly what
 * had to be left out otherwise. With CI set nothing may be left out.
 */
import { spawnSync } from 'node:child_process';
import { run, runTests, testFiles } from './steps.ts';

/** Program → Debian package it comes from. */
const programs = { psql: 'postgresql-client', openssl: 'openssl', python3: 'python3', script: 'bsdutils', ps: 'procps' } as const;

function missing(): string[] {
  return Object.entries(programs)
    .filter(([program]) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0)
    .map(([, debianPackage]) => debianPackage);
}

function install(packages: readonly string[]): void {
  process.stdout.write(`── installing ${packages.join(', ')}\n`);
  const prefix = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const apt = (args: readonly string[]): void => {
    const [program, ...rest] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq', ...args];
    spawnSync(program ?? 'env', rest, { stdio: 'inherit' });
  };
  apt(['update']);
  apt(['install', '-y', '--no-install-recommends', ...packages]);
}

if (missing().length > 0) install(missing());
const absent = missing();
if (absent.length > 0) {
  const message = `these packages are missing and could not be installed: ${absent.join(', ')}`;
  if (process.env['CI']) {
    process.stderr.write(`── ${message}; in CI nothing may be left out\n`);
    process.exit(1);
  }
  process.stderr.write(`── LEFT OUT: the stories, because ${message}\n`);
}

await import('./check.ts');
runTests(
  'slow tests of the folders',
  testFiles('src').filter((file) => file.endsWith('.slow.test.ts')),
  2,
);
run('cases of the shipped policies', ['warder', 'policy', 'test', 'policies']);
if (absent.length === 0) runTests('stories', testFiles('test/stories'), 1);
