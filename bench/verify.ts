import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeLargeLog } from '../src/ledger/testing/large-log.ts';
import { metered } from '../src/ledger/testing/large-torture.ts';

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

interface Row {
  readonly what: string;
  readonly 'records/s of CPU': number;
  readonly 's on the clock': string;
  readonly 'MiB at most': number;
}

function measured(what: string, size: number, command: readonly string[]): Row {
  const started = performance.now();
  const { status, cpuSeconds, memoryMiB } = metered(command);
  if (status !== 0) throw new Error(`${what} ended with ${status}`);
  return {
    what,
    'records/s of CPU': Math.round(size / cpuSeconds),
    's on the clock': ((performance.now() - started) / 1_000).toFixed(1),
    'MiB at most': Math.round(memoryMiB),
  };
}

try {
  const place = { directory: ledger, keys: join(directory, 'keys'), origin: 'ledger.bench/verify' };
  const size = writeLargeLog(place, { seal: true, enough: (written) => written >= records });
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
