import { createHash } from 'node:crypto';
import type { CopyPlace } from './place.ts';
import type { KeyCopies } from './key-copies.ts';

/** What the control plane keeps of recordings besides the gateways: sealed bytes in one place or several, and the keys of their sessions. */
export class Copies {
  readonly keys: KeyCopies;
  readonly #places: readonly CopyPlace[];

  constructor(places: readonly CopyPlace[], keys: KeyCopies) {
    this.#places = places;
    this.keys = keys;
  }

  /** Durable in every place when it resolves. */
  async keep(hash: string, bytes: Uint8Array): Promise<void> {
    for (const place of this.#places) await place.keep(hash, bytes);
  }

  async has(hash: string): Promise<boolean> {
    for (const place of this.#places) if (!(await place.has(hash))) return false;
    return true;
  }

  /** From the first place that has it as it was: what was lost or changed in one may be whole in another. */
  async read(hash: string): Promise<Buffer | undefined> {
    let failure: unknown;
    for (const place of this.#places) {
      try {
        const bytes = await place.read(hash);
        if (bytes !== undefined && sha256(bytes) === hash) return bytes;
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
    return undefined;
  }

  async remove(hash: string): Promise<void> {
    for (const place of this.#places) await place.remove(hash);
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
