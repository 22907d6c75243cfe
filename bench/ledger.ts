import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLedger } from '#ledger';
import { directorySource, nodeCrypto, verifyLedger } from '#ledger/verify';
import { decided, realWorld, sessionClosed, sessionOpened, settled } from '../src/ledger/testing/drafts.ts';

/**
 * Records a second with 1, 16 and 64 writers, each waiting for its record to be durable before it writes the next, and the verifier's
 * speed over what they wrote. The disk decides: figures of two machines cannot be compared.
 *
 *     node bench/ledger.ts [--seconds 3] [--directory /somewhere/on/the/disk/to/measure]
 */
const argument = (name: string, fallback: string): string => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : (process.argv[at + 1] ?? fallback);
};
const seconds = Number(argument('seconds', '3'));
const directory = mkdtempSync(join(argument('directory', tmpdir()), 'warder-bench-ledger-'));

interface Row {
  readonly what: string;
  readonly 'records/s': number;
  readonly 'p50 ms': string;
  readonly 'p99 ms': string;
  readonly 'main thread µs/record': string;
}

async function measureWriters(writers: number): Promise<Row> {
  const ledger = await openLedger({
    directory: join(directory, `ledger-${writers}`),
    origin: `ledger.bench/${writers}`,
    keys: join(directory, `keys-${writers}`),
    world: realWorld,
    build: 'bench',
    onFatal: (fault) => {
      throw fault;
    },
  });
  const latencies: number[] = [];
  const end = performance.now() + seconds * 1_000;
  const busyBefore = performance.eventLoopUtilization();
  const started = performance.now();
  const timed = async <T>(record: Promise<T>): Promise<T> => {
    const from = performance.now();
    const result = await record;
    latencies.push(performance.now() - from);
    return result;
  };
  const write = async (writer: number): Promise<void> => {
    const session = `ses_bench_${writer}`;
    await timed(ledger.append(sessionOpened(session)));
    let n = 0;
    while (performance.now() < end) {
      n += 1;
      const permit = await timed(ledger.decide(decided(session, n)));
      await timed(ledger.append(settled(session, n, permit.receipt.index)));
    }
    await timed(ledger.append(sessionClosed(session, n)));
  };
  await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
  const took = performance.now() - started;
  const { active } = performance.eventLoopUtilization(busyBefore);
  await ledger.close();
  latencies.sort((a, b) => a - b);
  const at = (share: number): string => (latencies[Math.floor(latencies.length * share)] ?? 0).toFixed(2);
  return {
    what: `${writers} writers`,
    'records/s': Math.round((latencies.length / took) * 1_000),
    'p50 ms': at(0.5),
    'p99 ms': at(0.99),
    'main thread µs/record': ((active * 1_000) / latencies.length).toFixed(0),
  };
}

async function measureVerify(writers: number): Promise<Row> {
  const cpuBefore = process.cpuUsage();
  const started = performance.now();
  const report = await verifyLedger(directorySource(join(directory, `ledger-${writers}`)), { crypto: nodeCrypto });
  const took = performance.now() - started;
  const { user, system } = process.cpuUsage(cpuBefore);
  if (report.counts.tampered > 0) throw new Error(`the bench's own log does not verify: ${JSON.stringify(report.findings[0])}`);
  const perCore = Math.round((report.size / (user + system)) * 1e6);
  return {
    what: `verify ${report.size} records (${perCore}/s of CPU)`,
    'records/s': Math.round((report.size / took) * 1_000),
    'p50 ms': '',
    'p99 ms': '',
    'main thread µs/record': '',
  };
}

try {
  const rows: Row[] = [];
  for (const writers of [1, 16, 64]) rows.push(await measureWriters(writers));
  rows.push(await measureVerify(64));
  console.log(`ledger on ${directory}, ${availableParallelism()} cores, ${seconds} s each`);
  console.table(rows);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
