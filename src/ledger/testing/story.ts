import { createHash } from 'node:crypto';
import type { RecordDraft } from '#model';
import { draftText } from '../entry.ts';
import type { Item } from '../composer.ts';
import { Log, type LogSetting, type Machine } from '../log.ts';
import { decided, recordingChunk, recordingClosed, sessionClosed, sessionOpened, settled } from './drafts.ts';
import { SimulatedDisk } from './simulated-disk.ts';

/** Bytes that look random and are the same for the same seed. */
export function seededRandom(seed: number): (length: number) => Uint8Array {
  let counter = 0;
  return (length) => {
    const blocks: Buffer[] = [];
    for (let filled = 0; filled < length; filled += 32) blocks.push(createHash('sha256').update(`${seed}:${counter++}`).digest());
    return Buffer.concat(blocks).subarray(0, length);
  };
}

/** A number from 0 to sides - 1. SPEC: mulberry32. */
export function seededCoin(seed: number): (sides: number) => number {
  let state = seed >>> 0;
  return (sides) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  };
}

export const setting: LogSetting = {
  directory: '/data/ledger',
  keys: '/keys',
  origin: 'ledger.test/one',
  build: '0.0.0+test',
  boot: 'boot-1',
  reserveBytes: 0,
  stamp: { t: 1_700_000_000_000, mono: 1_000 },
};

/** A log on a disk, driven by hand: time moves a millisecond a record. */
export class Bench {
  readonly disk: SimulatedDisk;
  readonly log: Log;
  #time: number;

  constructor(
    disk = new SimulatedDisk(),
    options: { seed?: number; machine?: Partial<Machine>; setting?: Partial<LogSetting>; time?: number } = {},
  ) {
    this.disk = disk;
    this.#time = options.time ?? 0;
    this.log = new Log({ ...setting, ...options.setting }, { disk, random: seededRandom(options.seed ?? 1), ...options.machine });
  }

  item(draft: RecordDraft): Item {
    this.#time += 1;
    return { draft: draftText(draft), t: setting.stamp.t + this.#time, mono: setting.stamp.mono + this.#time * 1_000 };
  }

  /** Commits; every record must be taken. Returns the indexes. */
  commit(...drafts: readonly RecordDraft[]): number[] {
    return this.log.commit(drafts.map((draft) => this.item(draft))).map((result) => {
      if ('fault' in result) throw new Error(`${result.fault.code}: ${result.fault.message}`);
      return result.index;
    });
  }

  /** One whole session: opened, operations decided and settled one by one, closed. */
  session(id: string, operations: number): void {
    this.commit(sessionOpened(id));
    for (let n = 1; n <= operations; n += 1) {
      const [index = -1] = this.commit(decided(id, n));
      this.commit(settled(id, n, index));
    }
    this.commit(sessionClosed(id, operations));
  }

  /** A chunk of the recording of a session, ready to be committed. */
  chunk(session: string, chunk: number, content: string): Item {
    return { ...this.item(recordingChunk(session, chunk)), content: Buffer.from(content) };
  }

  /** One whole session that had to be recorded, with a chunk for each of these contents. */
  recorded(id: string, contents: readonly string[]): void {
    this.commit(sessionOpened(id));
    const [index = -1] = this.commit({ ...decided(id, 1), recording: 'required' });
    this.log.commit(contents.map((content, k) => this.chunk(id, k + 1, content)));
    this.commit(settled(id, 1, index), recordingClosed(id), sessionClosed(id, 1));
  }

  /** Seals and signs what is there. */
  sign(): void {
    this.log.tick();
    this.log.settle();
  }
}
