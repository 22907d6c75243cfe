import { Fault } from '#model';
import type { CellFilter } from '../../point.ts';

/**
 * Rewrites DataRow messages by cell filters into one growing buffer. Works for text and binary cells alike: a filter gives bytes or NULL.
 *
 * SPEC: PostgreSQL 18 documentation, §54.7 DataRow: int16 number of cells, then int32 length (-1 for NULL) and bytes of each.
 */
export class RowWriter {
  #buffer: Buffer = Buffer.alloc(0);
  #used = 0;

  get used(): number {
    return this.#used;
  }

  /** Appends the row in source[start, end). Throws RESPONSE_CUT when it is not the row that the guard was made for. */
  append(source: Buffer, start: number, end: number, cells: readonly (CellFilter | undefined)[]): void {
    const count = end - start < 7 ? -1 : source.readUInt16BE(start + 5);
    if (count !== cells.length) throw new Fault('RESPONSE_CUT', `a row has ${count} cells, its description ${cells.length}`);
    this.#room(end - start);
    const rowAt = this.#used;
    let at = start + 7;
    let copied = start;
    for (const filter of cells) {
      if (at + 4 > end) throw new Fault('RESPONSE_CUT', 'a row ends inside a cell');
      const length = source.readInt32BE(at);
      const next = at + 4 + Math.max(length, 0);
      if (length < -1 || next > end) throw new Fault('RESPONSE_CUT', 'a row ends inside a cell');
      if (filter && length >= 0) {
        this.#copy(source, copied, at);
        this.#cell(filter(source.subarray(at + 4, next)));
        copied = next;
      }
      at = next;
    }
    if (at !== end) throw new Fault('RESPONSE_CUT', 'a row has more bytes than cells');
    this.#copy(source, copied, end);
    this.#buffer.writeUInt32BE(this.#used - rowAt - 1, rowAt + 1);
  }

  /** The rows so far; the writer starts anew, the bytes are the caller's. */
  take(): Buffer {
    const rows = this.#buffer.subarray(0, this.#used);
    // The buffer may still wait to be sent, so it is never written again.
    this.#buffer = this.#buffer.subarray(this.#used);
    this.#used = 0;
    return rows;
  }

  #cell(value: Uint8Array | null): void {
    const length = value === null ? -1 : value.length;
    this.#room(4 + Math.max(length, 0));
    this.#buffer.writeInt32BE(length, this.#used);
    this.#used += 4;
    if (value === null) return;
    this.#buffer.set(value, this.#used);
    this.#used += length;
  }

  #copy(source: Buffer, from: number, to: number): void {
    this.#room(to - from);
    source.copy(this.#buffer, this.#used, from, to);
    this.#used += to - from;
  }

  #room(bytes: number): void {
    if (this.#used + bytes <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(64 * 1024, (this.#used + bytes) * 2));
    this.#buffer.copy(grown, 0, 0, this.#used);
    this.#buffer = grown;
  }
}
