import { crc32 } from 'node:zlib';
import { Fault, limits } from '#model';
import { Notary, type Question } from './checkpoint.ts';
import type { InDoubt } from './contract.ts';
import { type Disk, folderOf, isNoSpace, makeFolders, type PlainFault, writeDurably } from './disk.ts';
import { Composer, full, type Item, type Parsed, usesReserve } from './composer.ts';
import type { composeEntry, Draft, Stamp } from './entry.ts';
import { discloseEvidence, type Evidence, openEvidence, type SealedEvidence } from './evidence.ts';
import { SessionKeys } from './keys.ts';
import { leafHash } from './merkle.ts';
import type { OpenSessions } from './open-sessions.ts';
import { type ChunkRecord, openChunk } from './recording/open-chunk.ts';
import { RecordingFiles } from './recording/files.ts';
import { checkSize, corrupt, type Found, refuseSealed, scanWal, startOf } from './recover.ts';
import { Reserve } from './reserve.ts';
import { Sealer } from './sealer.ts';
import { type LogSigning, Signing } from './signing.ts';
import { type HeldKey, RemoteSigning } from './signer/remote-signing.ts';
import type { Unsettled } from './unsettled.ts';
import { WalEnd, type WalSetting } from './wal.ts';
import type { PruneOrder } from './upkeep.ts';
import { type Checksum, segmentName, sessionsName } from './wal-format.ts';

export interface LogSetting {
  readonly directory: string;
  readonly keys: string;
  readonly origin: string;
  readonly build: string;
  /** Id of the machine's boot, within which `mono` is comparable. */
  readonly boot: string;
  readonly reserveBytes: number;
  /** What the first record says of the log that this one continues. */
  readonly continuing?: { readonly continues: string; readonly reason: string };
  /** Nothing is written before `begin` is called. */
  readonly held?: boolean;
  /** The log's key, when another process holds it. */
  readonly signedBy?: HeldKey;
  /** When the log is opened. */
  readonly stamp: Stamp;
}

interface StoredEntry extends ChunkRecord {
  readonly kind: string;
  readonly evidence?: SealedEvidence;
}

/** What an entry committed to, with the salt of the commitment. */
export interface Disclosed {
  readonly salt: Uint8Array;
  readonly content: Uint8Array;
}

/** What the log is made of. Only tests put other parts in. */
export interface Machine {
  readonly disk: Disk;
  readonly random: (length: number) => Uint8Array;
  readonly checksum?: Checksum;
  readonly segmentEntries?: number;
  readonly aheadBytes?: number;
  readonly compose?: typeof composeEntry;
}

/** Where an item became durable, with the hex leaf hash of its entry, or why it was refused. */
export type Appended = { readonly index: number; readonly leaf: string } | { readonly fault: PlainFault };

/**
 * The writer: one log, one owner, everything synchronous. Runs in the ledger's thread, or inline under a simulator.
 *
 * INVARIANT: when `commit` returns a receipt its entry is durable. Anything thrown from here ends the process: after a failed write
 * or sync the state of the file is unknown, and the kernel may report the next sync as good.
 */
export class Log {
  readonly signing: LogSigning;
  readonly recovery: { readonly torn: number; readonly inDoubt: readonly InDoubt[] };
  readonly #setting: LogSetting;
  readonly #disk: Disk;
  readonly #composer: Composer;
  readonly #keys: SessionKeys;
  readonly #recordings: RecordingFiles;
  readonly #notary: Notary;
  readonly #sealer: Sealer;
  readonly #reserve: Reserve;
  readonly #walSetting: WalSetting;
  readonly #unsettled: Unsettled;
  readonly #sessions: OpenSessions;
  /** First indexes of the segments on disk, the open one last. */
  readonly #segments: number[];
  readonly #start: Pick<Found, 'torn'> & { readonly inDoubt: ReturnType<Unsettled['all']>; readonly lost: ReturnType<OpenSessions['all']> };
  #wal: WalEnd;
  #prev: Buffer;

  /** Opens the log, recovering it: there is no other start. Faults: LEDGER_CORRUPT, LEDGER_ROLLBACK. */
  constructor(setting: LogSetting, machine: Machine) {
    this.#setting = setting;
    this.#disk = machine.disk;
    const { directory, keys, origin } = setting;
    makeFolders(machine.disk, directory);
    makeFolders(machine.disk, keys);
    this.#walSetting = {
      disk: machine.disk,
      folder: `${directory}/wal`,
      origin,
      checksum: machine.checksum ?? crc32,
      segmentEntries: machine.segmentEntries ?? limits.ledgerSegmentEntriesMax,
      ...(machine.aheadBytes === undefined ? {} : { aheadBytes: machine.aheadBytes }),
    };
    const found = scanWal(this.#walSetting);
    this.signing =
      setting.signedBy === undefined
        ? Signing.open(
            { ...machine, directory, keys, origin },
            { isNew: found.entries.length === 0 && found.base === 0, now: setting.stamp.t, rotations: found.rotations },
          )
        : new RemoteSigning({ ...machine, directory, keys, origin }, setting.signedBy, found.rotations);
    refuseSealed(found, origin);
    this.#notary = Notary.open({ disk: machine.disk, directory, keys }, this.signing);
    checkSize(found.base + found.entries.length, this.#notary.last);
    this.#sealer = this.#resumeSealer(found);
    this.#keys = new SessionKeys({ ...machine, keys, origin });
    this.#recordings = new RecordingFiles({ ...machine, directory, origin, keys: this.#keys });
    this.#composer = new Composer(setting, { ...machine, directory, origin, keys: this.#keys, recordings: this.#recordings });
    this.#reserve = new Reserve(machine.disk, directory, setting.reserveBytes);
    this.#prev = found.prev;
    this.#unsettled = found.unsettled;
    this.#sessions = found.sessions;
    this.#segments = [...found.segments];
    this.#wal = this.#resumeWal(found);
    const inDoubt = found.unsettled.all();
    this.recovery = { torn: found.torn, inDoubt: inDoubt.map(({ session, operation, index }) => ({ session, operation, index })) };
    this.#start = { torn: found.torn, inDoubt, lost: found.sessions.all() };
    if (setting.held !== true) this.begin();
  }

  /** Writes what the start has to say, and signs. Called once. */
  begin(): void {
    this.#writeStart();
    this.tick();
    // What a long write-ahead log left to seal is sealed while work goes on: it is durable, and nobody waits for its signature.
    if (this.#sealer.backlog <= backlogFilesMax) this.settle();
  }

  /** The newest signed note, once. */
  takeSigned(): string | undefined {
    return this.#notary.take();
  }

  /** What another process is to sign, once. */
  takeQuestion(): Question | undefined {
    return this.#notary.takeQuestion();
  }

  /** The signature line that another process gave for this size. A full disk postpones it. */
  countersign(size: number, line: string): void {
    try {
      this.#notary.countersign(size, line);
    } catch (error) {
      if (!isNoSpace(error)) throw error;
      this.#reserve.markFull();
      return;
    }
    this.#sealer.tidy();
    this.#dropSegments();
  }

  /** Changes the key that signs; returns the new one's public form. Both are durable before the change is recorded. */
  rotateKey(stamp: Stamp): string {
    const rotation = this.signing.prepare();
    const [result] = this.commit([{ draft: JSON.stringify({ kind: 'key.rotated', ...rotation }), ...stamp }]);
    if (result === undefined || 'fault' in result) throw new Fault('LEDGER_FULL', 'the change of keys could not be recorded');
    this.signing.finish(stamp.t);
    this.settle();
    this.tick();
    this.settle();
    return this.signing.vkey;
  }

  /** Entries below this are needed by nobody who writes: they are signed, settled, and not in the write-ahead log. */
  prunable(): number {
    const end = Math.min(this.#segments[0] ?? 0, this.#unsettled.low(this.size), this.#notary.last?.size ?? 0);
    return Math.floor(end / 256) * 256;
  }

  /** Records what may be removed, once this record is witnessed; returns its index. */
  recordPruning(stamp: Stamp, { from, to, by, reason, holds }: PruneOrder): number {
    const [result] = this.commit([{ draft: JSON.stringify({ kind: 'log.pruned', from, to, by, reason, holds }), ...stamp }]);
    if (result === undefined || 'fault' in result) throw new Fault('LEDGER_FULL', 'the pruning could not be recorded');
    return result.index;
  }

  /** Records that the key of a session is erased, and erases it with its copies. False when there is none of them. */
  shred(
    stamp: Stamp,
    request: { readonly session: string; readonly by: string; readonly reason: string; readonly copies?: readonly string[] },
  ): boolean {
    const { session, by, reason } = request;
    const copies = (request.copies ?? []).filter((path) => this.#disk.size(path) !== undefined);
    const own = this.#keys.forOpening(session) !== undefined;
    if (!own && copies.length === 0) return false;
    const [result] = this.commit([{ draft: JSON.stringify({ kind: 'evidence.shredded', session, by, reason }), ...stamp }]);
    if (result === undefined || 'fault' in result) throw new Fault('LEDGER_FULL', 'the erasing could not be recorded');
    if (own) this.#keys.erase(session);
    for (const path of copies) {
      this.#disk.remove(path);
      this.#disk.syncFolder(folderOf(path));
    }
    return true;
  }

  /** Records that nothing follows. The caller closes the log. */
  seal(stamp: Stamp, why: { readonly by: string; readonly reason: string }): void {
    const [result] = this.commit([{ draft: JSON.stringify({ kind: 'log.sealed', ...why }), ...stamp }]);
    if (result === undefined || 'fault' in result) throw new Fault('LEDGER_FULL', 'the end of the log could not be recorded');
  }

  /** A note that others have signed too. Losing it costs nothing: they can sign again. */
  keepCosigned(note: string): void {
    try {
      writeDurably(this.#disk, `${this.#setting.directory}/cosigned`, Buffer.from(note));
    } catch (error) {
      if (!isNoSpace(error)) throw error;
      this.#reserve.markFull();
    }
  }

  /** Number of durable entries. */
  get size(): number {
    return this.#sealer.size;
  }

  /** What became of each item, in order. Refused items take no index, so the others follow each other. */
  commit(items: readonly Item[]): Appended[] {
    const results: Appended[] = [];
    let done = 0;
    while (done < items.length) {
      const outcome = this.#commitSome(items.slice(done));
      results.push(...outcome);
      done += outcome.length;
    }
    if (this.#sealer.backlog >= backlogFilesMax) this.#sealer.begin();
    return results;
  }

  /** Once a second: looks at the free space and begins to seal and sign what is new. */
  tick(): void {
    this.#reserve.look();
    this.#sealer.begin();
  }

  /** Nothing but what has happened is recorded now. */
  get full(): boolean {
    return this.#reserve.full;
  }

  get sealing(): boolean {
    return this.#sealer.busy;
  }

  /** One bounded piece of sealing. A full disk postpones it. */
  sealStep(): void {
    try {
      this.#sealer.step();
    } catch (error) {
      if (!isNoSpace(error)) throw error;
      this.#reserve.markFull();
      return;
    }
    if (!this.#sealer.busy) this.#dropSegments();
  }

  /** Seals until nothing is left to do. */
  settle(): void {
    while (this.#sealer.busy) this.sealStep();
  }

  read(first: number, count: number): string[] {
    const lines: string[] = [];
    let bytes = 0;
    const end = Math.min(this.size, first + Math.min(count, limits.ledgerReadEntriesMax));
    for (let next = first; next < end && bytes < limits.ledgerReadBytesMax; ) {
      for (const entry of this.#sealer.read(next).slice(0, end - next)) {
        lines.push(Buffer.from(entry).toString());
        bytes += entry.length;
        next += 1;
      }
    }
    return lines;
  }

  openEvidence(index: number): Evidence {
    const { evidence } = this.#entry(index);
    if (evidence === undefined) throw new Fault('NOT_FOUND', `entry ${index} holds no evidence`);
    return openEvidence(this.#vault, evidence);
  }

  /** What the entry committed to and nobody else can read: the evidence of an operation, or a chunk of a recording. */
  disclose(index: number): Disclosed {
    const entry = this.#entry(index);
    if (entry.kind === 'recording.chunk') return openChunk(this.#vault, entry);
    if (entry.evidence === undefined) throw new Fault('NOT_FOUND', `entry ${index} holds no evidence`);
    return discloseEvidence(this.#vault, entry.evidence);
  }

  #entry(index: number): StoredEntry {
    const [line] = this.read(index, 1);
    if (line === undefined) throw new Fault('NOT_FOUND', `the log has no entry ${index}`);
    // Safe: our own entry; the fields of a chunk are looked at when its kind says so.
    return JSON.parse(line) as StoredEntry;
  }

  get #vault() {
    const { directory, origin } = this.#setting;
    return { disk: this.#disk, directory, origin, keys: this.#keys };
  }

  /** Seals, signs and lets the files go. */
  close(): void {
    this.settle();
    this.#sealer.begin();
    this.settle();
    this.#recordings.closeAll();
    this.#wal.close();
    this.#notary.close();
  }

  /** Commits as many of the first items as one write takes; returns what became of each of those. */
  #commitSome(items: readonly Item[]): Appended[] {
    if (this.#wal.isFull(this.size)) {
      const refused = this.#roll(items);
      if (refused !== undefined) return refused;
    }
    const room = Math.min(limits.ledgerBatchEntriesMax, this.#walSetting.segmentEntries - (this.size - this.#wal.first));
    const write = { entries: [] as Buffer[], leaves: [] as Buffer[], parsed: [] as Parsed[], prev: this.#prev };
    const results: (Appended | undefined)[] = [];
    let bytes = 0;
    for (const item of items.slice(0, room)) {
      if (bytes >= limits.ledgerBatchBytesMax) break;
      const composed = this.#composer.compose(item, {
        index: this.size + write.entries.length,
        prev: write.prev,
        full: this.#reserve.full,
      });
      results.push('fault' in composed ? { fault: composed.fault } : undefined);
      if ('fault' in composed) {
        if (composed.noSpace === true) this.#reserve.markFull();
        continue;
      }
      bytes += composed.entry.length + (item.content?.length ?? 0);
      write.prev = leafHash(composed.entry);
      write.entries.push(composed.entry);
      write.leaves.push(write.prev);
      write.parsed.push(composed.parsed);
    }
    try {
      // INVARIANT: what a record points to is durable before the record is.
      this.#recordings.sync();
      if (write.entries.length > 0) this.#wal.append(write.entries);
      this.#recordings.keep();
    } catch (error) {
      if (!isNoSpace(error)) throw error;
      this.#recordings.forget();
      return this.#withReserve(items.slice(0, results.length), bytes);
    }
    let k = 0;
    return results.map((result) => result ?? this.#take(write, k++));
  }

  /** The entry is durable: everything else learns of it. */
  #take(write: { entries: Buffer[]; leaves: Buffer[]; parsed: Parsed[] }, k: number): Appended {
    const [entry, leaf, parsed] = [write.entries[k], write.leaves[k], write.parsed[k]];
    if (entry === undefined || leaf === undefined) throw new Fault('INTERNAL', 'a batch lost an entry');
    const index = this.size;
    this.#sealer.add(entry, leaf);
    this.#unsettled.take(index, parsed);
    this.#sessions.take(parsed);
    if (parsed?.kind === 'recording.closed') this.#recordings.end(parsed.session);
    else if (parsed?.kind === 'session.closed') this.#recordings.close(parsed.session);
    this.#prev = leaf;
    return { index, leaf: leaf.toString('hex') };
  }

  /** The disk is full: gives up a piece of the reserve for outcomes and refuses the rest. */
  #withReserve(items: readonly Item[], bytes: number): Appended[] {
    this.#reserve.markFull();
    const mayUse = (item: Item): boolean => item.urgent === true || usesReserve(kindOf(item));
    const urgent = items.filter(mayUse);
    // Nothing urgent, or the reserve is spent: everything is refused.
    const written = urgent.length > 0 && this.#reserve.release(bytes) ? this.#commitAll(urgent) : [];
    let k = 0;
    return items.map((item) => (mayUse(item) ? (written[k++] ?? { fault: full }) : { fault: full }));
  }

  #commitAll(items: readonly Item[]): Appended[] {
    const results: Appended[] = [];
    while (results.length < items.length) results.push(...this.#commitSome(items.slice(results.length)));
    return results;
  }

  /** Begins the next segment; on a full disk says what becomes of the items instead. */
  #roll(items: readonly Item[]): Appended[] | undefined {
    try {
      // Before the segment: one that is there without its file would have to be read from the beginning of the log.
      writeDurably(this.#disk, `${this.#walSetting.folder}/${sessionsName(this.size)}`, this.#sessions.encode(this.size));
      const next = WalEnd.create(this.#walSetting, { first: this.size, prev: this.#prev, low: this.#unsettled.low(this.size) });
      this.#wal.close();
      this.#wal = next;
      this.#segments.push(next.first);
      return undefined;
    } catch (error) {
      if (!isNoSpace(error)) throw error;
      return this.#withReserve(items.slice(0, limits.ledgerBatchEntriesMax), limits.entryBytesMax);
    }
  }

  #resumeSealer(found: Found): Sealer {
    const { directory } = this.#setting;
    const signed = this.#notary.last;
    const sealer = new Sealer({ disk: this.#disk, directory, notary: this.#notary }, startOf(this.#disk, directory, found.base));
    if (signed !== undefined && found.base > signed.size)
      throw corrupt(signed.size, 'the write-ahead log begins after the last signed size');
    const check = (): void => {
      if (signed?.size === sealer.size && !signed.root.equals(sealer.root()))
        throw corrupt(signed.size - 1, `the entries below ${signed.size} do not give the root that was signed`);
    };
    check();
    const whole = Math.floor((found.base + found.entries.length) / 256) * 256;
    for (const { entry, leaf } of found.entries) {
      // Those of the last bundle stay in memory; not with the whole segment around them.
      sealer.add(sealer.size < whole ? entry : Buffer.from(entry), leaf);
      check();
    }
    return sealer;
  }

  #resumeWal(found: Found): WalEnd {
    for (const name of this.#disk.list(this.#walSetting.folder)) {
      // A segment that a crash left without a header; `scanWal` has made sure that nothing is in it.
      if (!found.segments.some((first) => segmentName(first) === name || sessionsName(first) === name))
        this.#disk.remove(`${this.#walSetting.folder}/${name}`);
    }
    if (found.sessionsFile !== undefined) writeDurably(this.#disk, found.sessionsFile.path, found.sessionsFile.bytes);
    this.#disk.syncFolder(this.#walSetting.folder);
    if (found.end !== undefined) return WalEnd.resume(this.#walSetting, found.end.first, found.end.position);
    this.#segments.push(0);
    return WalEnd.create(this.#walSetting, { first: 0, prev: found.prev, low: 0 });
  }

  /**
   * Says what the crash left open, and ends it. A crash in the middle of this leaves less for the next start: what is in the log is not open any
   * more.
   */
  #writeStart(): void {
    const { torn, inDoubt, lost } = this.#start;
    const listed = inDoubt.slice(0, 1_000).map(({ index }) => index);
    const first: Draft =
      this.size === 0
        ? { kind: 'log.opened', vkey: this.signing.vkey, ...this.#setting.continuing }
        : { kind: 'log.recovered', torn, inDoubt: listed, inDoubtTotal: inDoubt.length, lostSessions: lost.length };
    const doubts = inDoubt.map(
      ({ session, operation, n, index }): Draft => ({ kind: 'operation.indoubt', session, operation, n, for: index }),
    );
    const drafts = [first, ...doubts, ...lost].map((draft) => ({ draft: JSON.stringify(draft), ...this.#setting.stamp }));
    for (const result of this.commit(drafts)) {
      if ('fault' in result) throw new Fault(result.fault.code, `the start could not be recorded: ${result.fault.message}`);
    }
  }

  /** Removes segments whose entries are all in full, signed bundles; keeps the open one and the one before it. */
  #dropSegments(): void {
    const sealed = Math.floor((this.#notary.last?.size ?? 0) / 256) * 256;
    while (this.#segments.length > 2 && (this.#segments[1] ?? sealed + 1) <= sealed) {
      this.#disk.remove(`${this.#walSetting.folder}/${segmentName(this.#segments[0] ?? 0)}`);
      this.#disk.remove(`${this.#walSetting.folder}/${sessionsName(this.#segments[0] ?? 0)}`);
      this.#segments.shift();
    }
  }
}

// Full bundles and tiles that may wait for the next second; more are sealed at once, which bounds the memory they take.
const backlogFilesMax = 32;

function kindOf(item: Item): Draft['kind'] {
  // Safe: `draftText` made it from a RecordDraft.
  return (JSON.parse(item.draft) as Draft).kind;
}
