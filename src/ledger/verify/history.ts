import { parseJson, toText } from './bytes.ts';
import { type Checkpoint, openCheckpoint, type VerifierKey } from './note.ts';
import type { Findings } from './report.ts';
import type { LedgerSource, VerifyCrypto } from './source.ts';
import type { GrowingTree } from './tree.ts';

const chunkBytes = 1024 * 1024;

interface Place {
  readonly source: LedgerSource;
  readonly crypto: VerifyCrypto;
  readonly origin: string;
  readonly keys: readonly VerifierKey[];
  readonly findings: Findings;
  /** Length of checkpoints.log when the largest signed size was read. A log that is in use grows meanwhile; what came later is not looked at. */
  readonly historyBytes: number;
}

/** Every checkpoint that was ever signed, against the tree as it grows. */
export class History {
  readonly #place: Place;
  readonly #checkpoints: AsyncGenerator<Checkpoint>;
  /** Others that must agree: the published one, one that an auditor kept. */
  readonly #others: { readonly what: string; readonly checkpoint: Checkpoint }[];
  #next: Checkpoint | undefined;
  #agreed = 0;
  #agreedSize = 0;
  #broken = false;

  private constructor(place: Place, others: { what: string; checkpoint: Checkpoint }[]) {
    this.#place = place;
    this.#others = others;
    this.#checkpoints = readHistory(place);
  }

  static async open(place: Place, others: { what: string; checkpoint: Checkpoint }[]): Promise<History> {
    const history = new History(place, others);
    await history.#advance();
    return history;
  }

  /** Number of checkpoints that agreed. */
  get agreed(): number {
    return this.#agreed;
  }

  /** True when something was signed at this size. */
  hasAt(size: number): boolean {
    return this.#next?.size === size || this.#others.some(({ checkpoint }) => checkpoint.size === size);
  }

  /** The tree jumped over entries that were removed: what was signed in between cannot be checked any more. */
  async skipTo(size: number): Promise<void> {
    for (const { what, checkpoint } of this.#others) {
      if (checkpoint.size < size && checkpoint.size > size - 256)
        this.#place.findings.add(
          'hole',
          what,
          `the entries before size ${checkpoint.size} were pruned, so it cannot be compared`,
          checkpoint.size,
        );
    }
    while (this.#next !== undefined && this.#next.size < size) await this.#advance();
  }

  async check(tree: GrowingTree): Promise<void> {
    for (const { what, checkpoint } of this.#others) if (checkpoint.size === tree.size) this.#compare(tree, checkpoint, what);
    while (this.#next?.size === tree.size) {
      this.#compare(tree, this.#next, 'checkpoints.log');
      await this.#advance();
    }
  }

  /** After the last entry: whatever was signed beyond it. */
  async end(size: number): Promise<void> {
    for (; this.#next !== undefined; await this.#advance()) {
      if (this.#next.size > size)
        this.#place.findings.tampered('checkpoints.log', `size ${this.#next.size} was signed, but the last is ${size}`, size);
    }
  }

  #compare(tree: GrowingTree, checkpoint: Checkpoint, what: string): void {
    if (tree.hasRoot(checkpoint.root)) {
      this.#agreed += 1;
      this.#agreedSize = tree.size;
      return;
    }
    // Later roots contain the same difference; one finding says it.
    if (!this.#broken) {
      const from = this.#agreedSize;
      this.#place.findings.tampered(what, `the entries ${from} to ${tree.size - 1} are not those that were signed`, from);
    }
    this.#broken = true;
  }

  async #advance(): Promise<void> {
    const before = this.#next?.size ?? 0;
    const { value, done } = await this.#checkpoints.next();
    this.#next = done === true ? undefined : value;
    if (this.#next !== undefined && this.#next.size < before) {
      this.#place.findings.tampered('checkpoints.log', `size ${this.#next.size} was signed after size ${before}`, this.#next.size);
      await this.#advance();
    }
  }
}

/** Reads line by line: each is the JSON string of a signed note. Lines that do not hold are reported and left out. */
async function* readHistory({ source, crypto, origin, keys, findings, historyBytes }: Place): AsyncGenerator<Checkpoint> {
  let number = 0;
  for await (const line of lines(source, 'checkpoints.log', historyBytes)) {
    number += 1;
    if (line.unfinished) {
      findings.add('hole', 'checkpoints.log', `line ${number} is unfinished`);
      return;
    }
    if (line.last && line.bytes.includes(0)) {
      findings.add('hole', 'checkpoints.log', `line ${number} was torn while it was written`);
      return;
    }
    const note = parseJson(toText(line.bytes));
    // A quote mark could be escaped in other ways and still read the same; only one form is ours.
    const whole = typeof note === 'string' && JSON.stringify(note) === toText(line.bytes);
    const opened = whole ? await openCheckpoint(note, keys, crypto) : { problem: 'is not a JSON string' };
    if ('problem' in opened) findings.tampered('checkpoints.log', `line ${number} ${opened.problem}`, sizeIn(note));
    else if (opened.origin !== origin)
      findings.tampered('checkpoints.log', `line ${number} belongs to the log ${opened.origin}`, opened.size);
    else yield opened;
  }
}

function sizeIn(note: unknown): number | undefined {
  const size = typeof note === 'string' ? Number(note.split('\n')[1]) : Number.NaN;
  return Number.isSafeInteger(size) ? size : undefined;
}

interface Line {
  readonly bytes: Uint8Array;
  readonly unfinished: boolean;
  /** Nothing follows as far as was read: a line with zeros in it is then one that a power cut tore apart. */
  readonly last: boolean;
}

async function* lines(source: LedgerSource, path: string, limit = Number.POSITIVE_INFINITY): AsyncGenerator<Line> {
  let rest = new Uint8Array();
  for (let offset = 0; offset < limit; offset += chunkBytes) {
    const chunk = await source.read(path, { offset, length: Math.min(chunkBytes, limit - offset) });
    if (chunk === undefined || chunk.length === 0) break;
    const bytes = new Uint8Array(rest.length + chunk.length);
    bytes.set(rest);
    bytes.set(chunk, rest.length);
    let from = 0;
    let line: Uint8Array | undefined;
    for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, from)) {
      if (line !== undefined) yield { bytes: line, unfinished: false, last: false };
      line = bytes.subarray(from, end);
      from = end + 1;
    }
    rest = bytes.slice(from);
    // Whether anything follows the last line of a piece is known when the next piece is there.
    if (line !== undefined) {
      const more = rest.length > 0 || (await source.read(path, { offset: offset + chunk.length, length: 1 }))?.length === 1;
      yield { bytes: line, unfinished: false, last: !more || offset + chunk.length >= limit };
    }
  }
  if (rest.length > 0) yield { bytes: rest, unfinished: true, last: true };
}

/** The last whole line's note, unchecked, and how long checkpoints.log was when it was read. */
export async function lastNote(source: LedgerSource): Promise<{ readonly note: string | undefined; readonly bytes: number }> {
  let last: Uint8Array | undefined;
  let read = 0;
  for await (const line of lines(source, 'checkpoints.log')) {
    read += line.bytes.length + (line.unfinished ? 0 : 1);
    if (!line.unfinished && !(line.last && line.bytes.includes(0))) last = line.bytes.slice();
  }
  const note = last === undefined ? undefined : parseJson(toText(last));
  return { note: typeof note === 'string' ? note : undefined, bytes: read };
}
