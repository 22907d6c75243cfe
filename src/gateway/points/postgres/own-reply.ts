import type { OwnAnswer } from './expected.ts';
import { decodeTextRow } from './target-messages.ts';

/** Collects what the target answers to a query of Warder's own. */
export class OwnReply {
  error: string | undefined;
  #rows: (string | null)[][][] = [];

  /** Another result begins. */
  result(): void {
    this.#rows.push([]);
  }

  row(source: Buffer, start: number, end: number): void {
    this.#rows.at(-1)?.push(decodeTextRow(source, start, end));
  }

  /** The whole answer; the next one begins. */
  take(): OwnAnswer {
    const answer = this.error === undefined ? { rows: this.#rows } : { error: this.error };
    this.error = undefined;
    this.#rows = [];
    return answer;
  }
}
