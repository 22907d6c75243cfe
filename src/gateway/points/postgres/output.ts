/** A frame: source[start, end), header included. */
export interface Frame {
  readonly source: Buffer;
  readonly start: number;
  readonly end: number;
}

/** What goes to the client for one chunk of the target: runs of untouched bytes and messages of our own, written with one call. */
export class Output {
  #pieces: Buffer[] = [];
  #source: Buffer | undefined;
  #from = 0;
  #to = 0;

  /** Passes source[start, end) on untouched. Neighbouring frames become one piece. */
  pass(source: Buffer, start: number, end: number): void {
    if (this.#source === source && this.#to === start) {
      this.#to = end;
      return;
    }
    this.#close();
    this.#source = source;
    this.#from = start;
    this.#to = end;
  }

  put(bytes: Buffer): void {
    this.#close();
    this.#pieces.push(bytes);
  }

  /** Everything so far, in order; the output is empty then. Many small pieces become one. */
  take(): readonly Buffer[] {
    this.#close();
    const pieces = this.#pieces;
    if (pieces.length === 0) return pieces;
    this.#pieces = [];
    if (pieces.length < 3) return pieces;
    let total = 0;
    for (const piece of pieces) total += piece.length;
    return total <= joinBytesMax ? [Buffer.concat(pieces, total)] : pieces;
  }

  #close(): void {
    if (this.#source === undefined) return;
    this.#pieces.push(this.#source.subarray(this.#from, this.#to));
    this.#source = undefined;
  }
}

/** Below this a copy is cheaper than a longer list for the system call. */
const joinBytesMax = 64 * 1024;
