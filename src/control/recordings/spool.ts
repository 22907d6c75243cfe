import { mkdtemp, open, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault } from '#model';

/**
 * Bytes put aside until they are written out, by name. The file has no name of its own, so nothing is left of it whatever happens. Only for what is no secret:
 * it lies on the disk in clear.
 */
export class Spool {
  readonly #file: FileHandle;
  readonly #places = new Map<string, { readonly at: number; readonly length: number }>();
  #end = 0;
  #closed: Promise<void> | undefined;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async open(): Promise<Spool> {
    const folder = await mkdtemp(join(tmpdir(), 'warder-export-'));
    try {
      return new Spool(await open(join(folder, 'spool'), 'wx+', 0o600));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    await this.#file.write(bytes, 0, bytes.length, this.#end);
    this.#places.set(name, { at: this.#end, length: bytes.length });
    this.#end += bytes.length;
  }

  /** Sorted. */
  names(): readonly string[] {
    return [...this.#places.keys()].sort();
  }

  async read(name: string): Promise<Buffer> {
    const place = this.#places.get(name);
    if (place === undefined) throw new Fault('INTERNAL', `${name} was not put aside`);
    const bytes = Buffer.alloc(place.length);
    const { bytesRead } = await this.#file.read(bytes, 0, place.length, place.at);
    if (bytesRead !== place.length) throw new Fault('INTERNAL', `${name} was put aside and is not there`);
    return bytes;
  }

  /** The second time it does nothing. */
  close(): Promise<void> {
    this.#closed ??= this.#file.close();
    return this.#closed;
  }
}
