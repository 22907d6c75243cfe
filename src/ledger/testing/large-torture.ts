import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { openLedger } from '../index.ts';
import { realWorld, sessionOpened } from './drafts.ts';
import { walBytes, writeLargeLog } from './large-log.ts';

const origin = 'ledger.test/large';

/**
 * Opens a log whose write-ahead log has so many bytes, as after a kill while the signer was away, and one that has as many entries sealed. Processor time
 * is what is bounded: other processes disturb what the clock says. Returns what each start took, ms of processor and of clock until the first record.
 */
export async function runLongStarts(folder: string, bytes: number): Promise<{ what: string; cpuMs: number; wallMs: number }[]> {
  const results: { what: string; cpuMs: number; wallMs: number }[] = [];
  // As many entries are sealed the second time as made so many bytes the first time.
  let entries = 0;
  for (const seal of [false, true]) {
    const place = { directory: join(folder, 'ledger'), keys: join(folder, 'keys'), origin };
    const wanted = entries;
    const enough = (size: number): boolean => size > 1 && (seal ? size >= wanted : walBytes(place.directory) >= bytes);
    entries = writeLargeLog(place, { seal, enough });
    const before = process.cpuUsage();
    const started = performance.now();
    const onFatal = (fault: Error): never => {
      throw fault;
    };
    const ledger = await openLedger({ ...place, world: realWorld, build: 'test', reserveBytes: 0, onFatal });
    const { user, system } = process.cpuUsage(before);
    await ledger.append(sessionOpened('first'));
    const wallMs = Math.round(performance.now() - started);
    await ledger.close();
    results.push({
      what: `${entries} entries ${seal ? 'sealed' : 'in the write-ahead log'}`,
      cpuMs: Math.round((user + system) / 1_000),
      wallMs,
    });
    rmSync(folder, { recursive: true, force: true });
  }
  return results;
}

/** Node does not tell what its children used; Linux says memory in KiB. */
const meter = `import resource, subprocess, sys
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(status, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)`;

/** Runs a command; returns its exit status, the processor time it took (s), and the most memory it had (MiB). */
export function metered(command: readonly string[]): { status: number; cpuSeconds: number; memoryMiB: number } {
  const { stdout } = spawnSync('python3', ['-c', meter, ...command], { encoding: 'utf8' });
  const [status = -1, cpuSeconds = 0, memoryMiB = 0] = stdout.trim().split('\n').at(-1)?.split(' ').map(Number) ?? [];
  return { status, cpuSeconds, memoryMiB };
}

/** A stranger's first look at a log of so many entries, by the packaged verifier in a process of its own. */
export function runVerifyLarge(folder: string, entries: number): { size: number; cpuSeconds: number; memoryMiB: number } {
  const place = { directory: join(folder, 'ledger'), keys: join(folder, 'keys'), origin };
  const size = writeLargeLog(place, { seal: true, enough: (written) => written >= entries });
  const made = join(folder, 'package');
  const built = spawnSync(process.execPath, [join(import.meta.dirname, '../../../scripts/verify-package.ts'), made], { encoding: 'utf8' });
  assert.equal(built.status, 0, built.stderr);
  const { status, cpuSeconds, memoryMiB } = metered([process.execPath, join(made, 'dist/bin.js'), place.directory]);
  assert.equal(status, 0);
  return { size, cpuSeconds, memoryMiB };
}
