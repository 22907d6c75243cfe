import { type Disk, isNoSpace, writeAll } from './disk.ts';

// The reserve grows by this much a second, so that a start is not spent on writing zeros.
const stepBytes = 4 * 1024 * 1024;

/**
 * Space kept back in a file of zeros, given up piece by piece for the outcomes of operations that are in flight when the disk is full.
 * Also the judge of fullness: full when free space falls below the size of the reserve, open again at twice that.
 */
export class Reserve {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #target: number;
  #bytes: number;
  #full = false;

  constructor(disk: Disk, directory: string, targetBytes: number) {
    this.#disk = disk;
    this.#directory = directory;
    this.#target = targetBytes;
    this.#bytes = disk.size(this.#path) ?? 0;
  }

  get full(): boolean {
    return this.#full;
  }

  markFull(): void {
    this.#full = true;
  }

  /** Looks at the free space; grows the reserve by one step when there is plenty. */
  look(): void {
    const free = this.#disk.free(this.#directory);
    if (free < this.#target) this.#full = true;
    else if (free >= this.#target * 2) this.#full = false;
    if (this.#full || this.#bytes >= this.#target || free < this.#target * 2) return;
    const grown = Math.min(this.#target, this.#bytes + stepBytes);
    try {
      const file = this.#disk.open(this.#path, this.#bytes === 0 ? 'create' : 'existing');
      try {
        writeAll(file, Buffer.alloc(grown - this.#bytes), { position: this.#bytes, disk: this.#disk, path: this.#path });
        file.sync();
      } finally {
        file.close();
      }
      this.#bytes = grown;
    } catch (error) {
      if (!isNoSpace(error)) throw error;
      this.#full = true;
    }
  }

  /** Gives up enough for a write of this size; false when there is nothing left to give. */
  release(bytes: number): boolean {
    if (this.#bytes === 0) return false;
    // Room for the zeros that are written ahead, and for what the file system itself needs.
    this.#bytes = Math.max(0, this.#bytes - bytes - 1024 * 1024);
    const file = this.#disk.open(this.#path, 'existing');
    try {
      file.truncate(this.#bytes);
      file.sync();
    } finally {
      file.close();
    }
    return true;
  }

  get #path(): string {
    return `${this.#directory}/reserve`;
  }
}
