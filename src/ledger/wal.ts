import { limits } from '#model';
import { type Disk, type DiskFile, isNoSpace, writeAll } from './disk.ts';
import { type Checksum, encodeFrame, encodeHeader, segmentName, walHeaderBytes } from './wal-format.ts';

export interface WalSetting {
  readonly disk: Disk;
  /** The `wal` folder. */
  readonly folder: string;
  readonly origin: string;
  readonly checksum: Checksum;
  /** Entries of one segment. */
  readonly segmentEntries: number;
  /** Zeros written ahead; only tests that open a great many logs take less. */
  readonly aheadBytes?: number;
}

// Zeros are written ahead, because a sync that does not change the length of a file is about a quarter faster.
const preallocatedBytes = 256 * 1024;

/** The open end of the write-ahead log: one segment that is being written. */
export class WalEnd {
  readonly #setting: WalSetting;
  #file: DiskFile;
  #path: string;
  #position: number;
  /** Length of the file, zeros included. */
  #allocated: number;
  readonly first: number;

  private constructor(setting: WalSetting, first: number, opened: { path: string; file: DiskFile; position: number; allocated: number }) {
    this.#setting = setting;
    this.first = first;
    this.#path = opened.path;
    this.#file = opened.file;
    this.#position = opened.position;
    this.#allocated = opened.allocated;
  }

  /** Begins a segment. It is durable, name and header, before the first frame can be: a file without a header holds no record. */
  static create(setting: WalSetting, header: { first: number; prev: Buffer; low: number }): WalEnd {
    const path = `${setting.folder}/${segmentName(header.first)}`;
    const file = setting.disk.open(path, 'create');
    try {
      writeAll(file, encodeHeader(setting.origin, header, setting.checksum), { position: 0, disk: setting.disk, path });
      file.sync();
      setting.disk.syncFolder(setting.folder);
    } catch (error) {
      file.close();
      if (isNoSpace(error)) setting.disk.remove(path);
      throw error;
    }
    const length = walHeaderBytes + 4;
    return new WalEnd(setting, header.first, { path, file, position: length, allocated: length });
  }

  /** Goes on with a segment after its last good frame, cutting off what follows. */
  static resume(setting: WalSetting, first: number, position: number): WalEnd {
    const path = `${setting.folder}/${segmentName(first)}`;
    const file = setting.disk.open(path, 'existing');
    file.truncate(position);
    file.sync();
    return new WalEnd(setting, first, { path, file, position, allocated: position });
  }

  /** True when the next entry, with index `next`, belongs in a new segment. */
  isFull(next: number): boolean {
    return next - this.first >= this.#setting.segmentEntries || this.#position >= limits.ledgerSegmentBytesMax;
  }

  /**
   * Writes the entries in one write and syncs: when this returns they are durable.
   * On NoSpace nothing was written. After any other error the content of the file is unknown and nothing may be written any more.
   */
  append(entries: readonly Uint8Array[]): void {
    const bytes = Buffer.concat(entries.map((entry, ahead) => encodeFrame(entry, ahead, this.#setting.checksum)));
    const place = { disk: this.#setting.disk, path: this.#path };
    try {
      if (this.#position + bytes.length > this.#allocated) {
        const ahead = Buffer.alloc((this.#setting.aheadBytes ?? preallocatedBytes) + bytes.length);
        bytes.copy(ahead);
        writeAll(this.#file, ahead, { ...place, position: this.#position });
        this.#allocated = this.#position + ahead.length;
      } else writeAll(this.#file, bytes, { ...place, position: this.#position });
    } catch (error) {
      if (!isNoSpace(error)) throw error;
      this.#file.truncate(this.#position);
      this.#file.sync();
      this.#allocated = this.#position;
      throw error;
    }
    this.#file.sync();
    this.#position += bytes.length;
  }

  /** Ends the segment where its last frame ends. */
  close(): void {
    if (this.#allocated > this.#position) {
      this.#file.truncate(this.#position);
      this.#file.sync();
    }
    this.#file.close();
  }
}
