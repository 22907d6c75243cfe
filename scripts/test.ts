/**
 * `npm test`: everything. Installs the real clients the stories need from Debian when they are missing and this user may; says loudly what
 * had to be left out otherwise. With CI set nothing may be left out.
 */
import { spawnSync } from 'node:child_process';
import { run, runTests, testFiles } from './steps.ts';

/** Debian package → how to see that it is there. */
const needs = {
  'postgresql-client': 'command -v psql',
  openssl: 'command -v openssl',
  python3: 'command -v python3',
  bsdutils: 'command -v script',
  asciinema: 'command -v asciinema',
  procps: 'command -v ps',
  rsyslog: 'command -v rsyslogd',
  kcat: 'command -v kcat',
  'rsyslog-gnutls': 'ls /usr/lib/*/rsyslog/lmnsd_gtls.so',
} as const;

function missing(): string[] {
  return Object.entries(needs)
    .filter(([, seen]) => spawnSync('sh', ['-c', `PATH=$PATH:/usr/sbin; ${seen}`]).status !== 0)
    .map(([debianPackage]) => debianPackage);
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
