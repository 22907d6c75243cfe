import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeDisk } from '../src/ledger/disk-node.ts';
import { Log } from '../src/ledger/log.ts';
import { decided, sessionClosed, sessionOpened, settled } from '../src/ledger/testing/drafts.ts';
import type { Disk } from '../src/ledger/disk.ts';
import type { Stamp } from '../src/ledger/entry.ts';

/**
 * How fast a stranger's first look at a log is, each time in a process of its own: the packaged verifier, the second verifier in Python, and
 * `sha256sum` over the same entries, which only reads and hashes them. Records a second of the process's own processor time, because
 * other processes disturb what the clock says; the memory is the most that the process ever had.
 *
 *     node bench/verify.ts [--records 300000]
 */
const at = process.argv.indexOf('--records');
const records = Number(at < 0 ? 300_000 : process.argv[at + 1]);
const directory = mkdtempSync(join(tmpdir(), 'warder-bench-verify-'));
const ledger = join(directory, 'ledger');

/** The log is thrown away afterwards, so nothing of it needs to be durable. */
const unsynced: Disk = {
  ...nodeDisk,
  open: (path, how) => ({ ...nodeDisk.open(path, how), sync: () => undefined }),
  syncFolder: () => undefined,
};

/** Sessions of twenty operations, 64 of them at a time. */
function writeLog(): number {
  let moment = 0;
  const stamp = (): Stamp => ({ t: 1_700_000_000_000 + (moment += 1), mono: moment * 1_000 });
  const setting = { directory: ledger, keys: join(directory, 'keys'), origin: 'ledger.bench/verify', build: 'bench', boot: 'bench' };
  const log = new Log({ ...setting, reserveBytes: 0, stamp: stamp() }, { disk: unsynced, random: randomBytes });
  const commit = (drafts: readonly object[]): number[] =>
    log.commit(drafts.map((draft) => ({ draft: JSON.stringify(draft), ...stamp() }))).map((one) => ('index' in one ? one.index : -1));
  for (let first = 0; log.size < records; first += 64) {
    const sessions = Array.from({ length: 64 }, (_, k) => `ses_bench_${first + k}`);
    commit(sessions.map((session) => sessionOpened(session)));
    for (let n = 1; n <= 20; n += 1) {
      const decisions = sessions.map((session) => decided(session, n));
      const indexes = commit(decisions.map((draft) => ({ ...draft, decision: { ...draft.decision, reads: { risk: '0.5' } } })));
      commit(sessions.map((session, k) => settled(session, n, indexes[k] ?? -1)));
    }
    commit(sessions.map((session) => sessionClosed(session, 20)));
    log.tick();
    log.settle();
  }
  log.close();
  return log.size;
}

interface Row {
  readonly what: string;
  readonly 'records/s of CPU': number;
  readonly 's on the clock': string;
  readonly 'MiB at most': number;
}

/** Runs the command and asks the system what it used. */
function measured(what: string, size: number, command: readonly string[]): Row {
  const started = performance.now();
  const run: SpawnSyncReturns<string> = spawnSync('/bin/sh', ['-c', `exec python3 -c "$METER" "$@"`, 'sh', ...command], {
    encoding: 'utf8',
    env: { ...process.env, METER: meter },
    maxBuffer: 1024 * 1024,
  });
  const seconds = (performance.now() - started) / 1_000;
  const [status, cpu, memory] = run.stderr.trim().split('\n').at(-1)?.split(' ').map(Number) ?? [];
  if (status !== 0) throw new Error(`${what} ended with ${status}: ${run.stderr}`);
  return {
    what,
    'records/s of CPU': Math.round(size / (cpu ?? Number.NaN)),
    's on the clock': seconds.toFixed(1),
    'MiB at most': Math.round((memory ?? Number.NaN) / 1024),
  };
}

/** Node does not tell what its children used. Linux says memory in KiB. */
const meter = `import resource, subprocess, sys
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(status, used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr)`;

try {
  const size = writeLog();
  const verifier = join(directory, 'package');
  const built = spawnSync(process.execPath, [join(import.meta.dirname, '../scripts/verify-package.ts'), verifier], { stdio: 'inherit' });
  if (built.status !== 0) throw new Error('the package of the verifier cannot be built');
  const rows = [
    measured('warder-verify', size, [process.execPath, join(verifier, 'dist/bin.js'), ledger]),
    measured('verify.py', size, ['python3', join(verifier, 'verify.py'), ledger]),
    measured('sha256sum of the entries', size, [
      'sh',
      '-c',
      `find "$1" -type f -exec cat {} + | sha256sum`,
      'sh',
      join(ledger, 'tile/entries'),
    ]),
  ];
  console.log(`${size} records, ${availableParallelism()} cores`);
  console.table(rows);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
