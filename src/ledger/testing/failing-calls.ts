import assert from 'node:assert/strict';
import type { RecordDraft } from '#model';
import type { Disk } from '../disk.ts';
import { leafHash } from '../merkle.ts';
import { nodeCrypto, verifyLedger } from '../verify/index.ts';
import { decided, sessionClosed, sessionOpened, settled } from './drafts.ts';
import { withFiles } from './power-cuts.ts';
import { SimulatedDisk } from './simulated-disk.ts';
import { Bench, seededCoin, setting } from './story.ts';

/** What goes wrong at one call. */
export const failures = ['write', 'short write', 'sync', 'truncate', 'open', 'rename', 'sync of a folder', 'no space'] as const;
export type Failure = (typeof failures)[number];

interface FailingRun {
  readonly failure: Failure;
  /** Which call of that sort fails, from 1. */
  readonly call: number;
  readonly seed: number;
  /** A way to break the writer from outside: whether that is noticed. */
  readonly sabotage?: (disk: Disk) => Disk;
}

/**
 * One life of a log in which one call to the disk fails, a power cut, and another start. Throws when the writer goes on after a failure that
 * leaves the disk in an unknown state, when an acknowledged record is gone or changed, or when the verifier does not like what is left.
 * Returns false when there were fewer calls of this sort.
 */
export async function runFailingCall({ failure, call, seed, sabotage }: FailingRun): Promise<boolean> {
  const disk = new SimulatedDisk();
  const acknowledged = new Map<number, string>();
  const failing = new FailingDisk(disk, failure, call);
  try {
    live(sabotage?.(failing.disk) ?? failing.disk, { seed, acknowledged, failing });
  } catch (error) {
    if (!failing.hit || error instanceof assert.AssertionError) throw error;
  }
  if (!failing.hit) return false;
  const coin = seededCoin(seed * 1_000 + call);
  const after = disk.afterPowerCut(coin);
  const bench = new Bench(after, { seed: seed + 900, machine: { segmentEntries: 7 }, time: 4_000 });
  const lines: string[] = [];
  while (lines.length < bench.log.size) lines.push(...bench.log.read(lines.length, 1_000));
  for (const [index, leaf] of acknowledged) {
    const line = lines[index];
    assert.ok(line !== undefined, `acknowledged entry ${index} is gone`);
    assert.equal(leafHash(Buffer.from(line)).toString('hex'), leaf, `acknowledged entry ${index} was changed`);
    if (line.includes('"evidence":')) bench.log.openEvidence(index);
  }
  bench.log.close();
  const report = await verifyLedger(after.source(setting.directory), { crypto: nodeCrypto });
  assert.notEqual(report.status, 'tampered', JSON.stringify(report.findings));
  return true;
}

/** Sessions until the day is over or the disk fails. */
function live(
  disk: Disk,
  { seed, acknowledged, failing }: { seed: number; acknowledged: Map<number, string>; failing: FailingDisk },
): void {
  const bench = new Bench(undefined, { seed, machine: { disk, segmentEntries: 7 } });
  const commit = (drafts: readonly RecordDraft[]): number[] =>
    bench.log.commit(drafts.map((draft) => bench.item(draft))).map((result) => {
      // A full disk refuses, and goes on.
      if ('fault' in result) return -1;
      assert.ok(!failing.fatal, 'a record was acknowledged after the disk had failed');
      acknowledged.set(result.index, result.leaf);
      return result.index;
    });
  for (let round = 0; round < 6; round += 1) {
    const session = `ses_${round}`;
    const text = 'x'.repeat(round % 2 === 0 ? 6_000 : 50);
    const [opened = -1, ...indexes] = commit([sessionOpened(session), decided(session, 1, { text }), decided(session, 2)]);
    // Refused for want of room: nobody is let in.
    if (opened < 0) continue;
    commit([...indexes.flatMap((index, k) => (index < 0 ? [] : [settled(session, k + 1, index)])), sessionClosed(session, 2)]);
    bench.sign();
    assert.ok(!failing.fatal, 'the writer went on after the disk had failed');
  }
  bench.log.close();
}

class FailingDisk {
  readonly disk: Disk;
  hit = false;
  readonly #inner: SimulatedDisk;
  readonly #failure: Failure;
  readonly #call: number;
  #calls = 0;

  constructor(inner: SimulatedDisk, failure: Failure, call: number) {
    this.#inner = inner;
    this.#failure = failure;
    this.#call = call;
    const files = withFiles(inner, (file) => ({
      ...file,
      write: (bytes, position) => {
        if (this.#now('write')) {
          file.write(bytes.subarray(0, bytes.length / 2), position);
          throw eio();
        }
        if (this.#now('no space')) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
        if (this.#now('short write')) return file.write(bytes.subarray(0, bytes.length / 2), position);
        return file.write(bytes, position);
      },
      sync: () => {
        if (this.#now('sync')) this.#inner.loseNextSync();
        file.sync();
      },
      truncate: (length) => this.#call1('truncate', () => file.truncate(length)),
    }));
    this.disk = new Proxy(files, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== 'function') return member;
        const sort = { open: 'open', rename: 'rename', syncFolder: 'sync of a folder' } as const;
        const failing = Object.hasOwn(sort, name) ? sort[name as keyof typeof sort] : undefined;
        return (...args: unknown[]) => {
          const act = (): unknown => Reflect.apply(member, target, args);
          return failing === undefined ? act() : this.#call1(failing, act);
        };
      },
    });
  }

  /** The state of the disk is not known any more. */
  get fatal(): boolean {
    return this.hit && this.#failure !== 'no space';
  }

  #call1<T>(failure: Failure, act: () => T): T {
    if (this.#now(failure)) throw eio();
    return act();
  }

  #now(failure: Failure): boolean {
    if (failure !== this.#failure) return false;
    this.#calls += 1;
    this.hit ||= this.#calls === this.#call;
    return this.#calls === this.#call;
  }
}

function eio(): Error {
  return Object.assign(new Error('input/output error'), { code: 'EIO' });
}

/** The writer tries a sync again that failed, and takes the second answer for true: the kernel has forgotten what it could not write. */
export function retryingSync(disk: Disk): Disk {
  return withFiles(disk, (file) => ({
    ...file,
    sync: () => {
      try {
        file.sync();
      } catch {
        file.sync();
      }
    },
  }));
}
