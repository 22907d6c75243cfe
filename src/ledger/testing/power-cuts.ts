import assert from 'node:assert/strict';
import type { RecordDraft } from '#model';
import type { Disk, DiskFile } from '../disk.ts';
import type { Item } from '../composer.ts';
import type { Machine } from '../log.ts';
import { leafHash } from '../merkle.ts';
import { nodeCrypto, verifyLedger } from '../verify/index.ts';
import { decided, recordingClosed, sessionClosed, sessionOpened, settled } from './drafts.ts';
import { PowerCut, SimulatedDisk } from './simulated-disk.ts';
import { Bench, seededCoin, setting } from './story.ts';

export interface PowerCutOptions {
  readonly seed: number;
  /** Puts something between the writer and its disk: how a sabotage is injected. */
  readonly wrap?: (disk: Disk) => Disk;
  readonly machine?: Partial<Machine>;
  /** Also run the verifier over the recovered log. */
  readonly verify?: boolean;
}

/**
 * Three lives of a log, each ended by a power cut at a random call, then a last start. Throws when an acknowledged record is gone or
 * changed, when the start refuses a log that nobody touched, or when the verifier does not like it.
 */
export async function runPowerCuts(options: PowerCutOptions): Promise<{ records: number; cuts: number }> {
  const coin = seededCoin(options.seed);
  const acknowledged = new Map<number, string>();
  let disk = new SimulatedDisk();
  let cuts = 0;
  for (let life = 0; life < 3; life += 1) {
    disk.fuse = 5 + coin(300);
    try {
      live({ disk, options, coin, life, acknowledged });
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      cuts += 1;
    }
    disk = disk.afterPowerCut(coin);
  }
  const bench = new Bench(disk, { seed: options.seed + 900, machine: machineOf(disk, options), time: 4_000 });
  const lines: string[] = [];
  while (lines.length < bench.log.size) lines.push(...bench.log.read(lines.length, 1_000));
  for (const [index, leaf] of acknowledged) {
    const line = lines[index];
    assert.ok(line !== undefined, `acknowledged entry ${index} is gone`);
    assert.equal(leafHash(Buffer.from(line)).toString('hex'), leaf, `acknowledged entry ${index} was changed`);
  }
  for (const index of acknowledged.keys()) {
    // Whoever is shown a record must be able to open its evidence: keys and blobs are durable before the record.
    if (lines[index]?.includes('"evidence":') === true) bench.log.openEvidence(index);
    if (lines[index]?.includes('"kind":"recording.chunk"') === true) bench.log.disclose(index);
  }
  bench.log.close();
  if (options.verify === true) {
    const report = await verifyLedger(disk.source(setting.directory), { crypto: nodeCrypto });
    // What the cuts left open is said in the log by the starts after them, so nothing is missing.
    assert.equal(report.status, 'proven', JSON.stringify(report.findings.filter(({ severity }) => severity !== 'note')));
    assert.equal(report.size, lines.length);
  }
  return { records: acknowledged.size, cuts };
}

function machineOf(disk: Disk, options: PowerCutOptions): Partial<Machine> {
  // Segments are short in most runs, so that beginning and dropping them happens all the time.
  return { segmentEntries: [4_096, 7, 40, 100][options.seed % 4] ?? 40, ...options.machine, disk: options.wrap?.(disk) ?? disk };
}

interface Life {
  readonly disk: SimulatedDisk;
  readonly options: PowerCutOptions;
  readonly coin: (sides: number) => number;
  readonly life: number;
  readonly acknowledged: Map<number, string>;
}

/** Sessions with batches of every size, until the power goes or the day is over. */
function live({ disk, options, coin, life, acknowledged }: Life): void {
  const bench = new Bench(disk, { seed: options.seed * 10 + life, machine: machineOf(disk, options), time: life * 1_000 });
  for (let round = 0; round < 12; round += 1) {
    const session = `ses_${life}_${round}`;
    const operations = 1 + coin(12);
    const texts = Array.from({ length: operations }, () => 'x'.repeat(coin(3) === 0 ? coin(6_000) : coin(200)));
    const opened = [sessionOpened(session), ...texts.map((text, k) => decided(session, k + 1, { text }))];
    const indexes = commit(bench, opened, acknowledged).slice(1);
    // A few sessions are recorded, sometimes several chunks in one write.
    let recorded = false;
    for (let chunk = 1; coin(3) > 0 && chunk < 9; chunk += 2, recorded = true)
      commitItems(bench, [bench.chunk(session, chunk, 'r'.repeat(coin(9_000))), bench.chunk(session, chunk + 1, 'r')], acknowledged);
    // Now and then an operation is left without outcome and its session open, for the next start to find.
    const ends = [...(recorded ? [recordingClosed(session)] : []), sessionClosed(session, operations)];
    if (coin(4) > 0) commit(bench, [...indexes.map((index, k) => settled(session, k + 1, index)), ...ends], acknowledged);
    if (coin(3) === 0) bench.log.tick();
    for (let steps = coin(6); steps > 0 && bench.log.sealing; steps -= 1) bench.log.sealStep();
  }
}

function commit(bench: Bench, drafts: readonly RecordDraft[], acknowledged: Map<number, string>): number[] {
  return commitItems(
    bench,
    drafts.map((draft) => bench.item(draft)),
    acknowledged,
  );
}

function commitItems(bench: Bench, items: readonly Item[], acknowledged: Map<number, string>): number[] {
  return bench.log.commit(items).map((result) => {
    if ('fault' in result) throw new Error(`${result.fault.code}: ${result.fault.message}`);
    acknowledged.set(result.index, result.leaf);
    return result.index;
  });
}

/** A disk that differs from another in how its files behave. */
export function withFiles(disk: Disk, change: (file: DiskFile, path: string) => DiskFile): Disk {
  return new Proxy(disk, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (name === 'open') return (path: string, how: 'create' | 'existing') => change(target.open(path, how), path);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}
