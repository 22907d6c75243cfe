import { Fault } from '#model';
import { type Disk, type DiskFile, isNoSpace, makeFolders, writeAll, writeDurably } from './disk.ts';
import type { LogSigning } from './signing.ts';

/** A signed statement: so many entries, with this root. */
export interface Checkpoint {
  readonly size: number;
  readonly root: Buffer;
}

/** SPEC: C2SP tlog-checkpoint: origin, size, base64 of the root, each on its line. No extension lines. */
export function checkpointText(origin: string, at: Checkpoint): string {
  return `${origin}\n${at.size}\n${at.root.toString('base64')}\n`;
}

/**
 * Signs sizes of one log and remembers what it signed, in three places: beside the keys (so that putting back an old copy of the log
 * does not go unnoticed), in `checkpoints.log`, and last in `checkpoint`, which is what strangers fetch.
 *
 * INVARIANT: it never signs two statements that contradict each other: sizes only grow, and the caller passes durable sizes only.
 */
export class Notary {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #keys: string;
  readonly #signing: LogSigning;
  #history: DiskFile;
  #historyBytes: number;
  #last: Checkpoint | undefined;
  /** Sizes that another process was asked to sign. */
  readonly #asked = new Map<number, { readonly at: Checkpoint; readonly text: string }>();
  #question: Question | undefined;
  /** The note that was published last, until it is taken. */
  #fresh: string | undefined;

  private constructor(place: NotaryPlace, signing: LogSigning) {
    this.#disk = place.disk;
    this.#directory = place.directory;
    this.#keys = place.keys;
    this.#signing = signing;
    this.#historyBytes = place.disk.size(this.#historyPath) ?? -1;
    if (this.#historyBytes < 0) {
      this.#history = place.disk.open(this.#historyPath, 'create');
      this.#historyBytes = 0;
      place.disk.syncFolder(place.directory);
    } else this.#history = place.disk.open(this.#historyPath, 'existing');
  }

  /** Reads and checks what was signed before; cuts off a line of `checkpoints.log` that a crash left unfinished. */
  static open(place: NotaryPlace, signing: LogSigning): Notary {
    makeFolders(place.disk, place.directory);
    const notary = new Notary(place, signing);
    notary.#cutTorn();
    const logged = notary.#lastOfHistory();
    const published = notary.#readNote(`${place.directory}/checkpoint`);
    if (published !== undefined && published.size > (logged?.size ?? 0)) {
      throw new Fault('LEDGER_CORRUPT', `checkpoints.log ends at size ${logged?.size ?? 0}, but size ${published.size} was published`);
    }
    for (const one of [logged, published, notary.#readNote(`${place.keys}/signed`)]) {
      if (one !== undefined && one.size >= (notary.#last?.size ?? 0)) notary.#last = one;
    }
    return notary;
  }

  /** The largest size ever signed, with its root. */
  get last(): Checkpoint | undefined {
    return this.#last;
  }

  /**
   * Signs and publishes, or, when the key is elsewhere, begins to wait for its signature. Everything below `at.size` must be durable, tiles
   * included.
   */
  publish(at: Checkpoint): void {
    if (this.#last !== undefined && (at.size < this.#last.size || (at.size === this.#last.size && !at.root.equals(this.#last.root)))) {
      throw new Fault('LEDGER_CORRUPT', `refused to sign size ${at.size}: size ${this.#last.size} with another root is signed already`);
    }
    const text = checkpointText(this.#signing.name, at);
    const note = this.#signing.sign(text);
    if (note !== undefined) return this.#keep(at, note);
    this.#asked.set(at.size, { at, text });
    const [oldest] = this.#asked.keys();
    if (this.#asked.size > askedKeptMax && oldest !== undefined) this.#asked.delete(oldest);
    this.#question = { text, size: at.size };
  }

  /** The signature line for a size that was asked for. Ignored when nobody asked, or for a size that was overtaken. */
  countersign(size: number, line: string): void {
    const asked = this.#asked.get(size);
    if (asked === undefined) return;
    const note = `${asked.text}\n${line}`;
    if (!this.#signing.signed(note)) throw new Fault('LEDGER_CORRUPT', `the signer's signature is not by the key ${this.#signing.vkey}`);
    for (const older of this.#asked.keys()) if (older <= size) this.#asked.delete(older);
    this.#keep(asked.at, note);
  }

  /** What another process is to sign, once. */
  takeQuestion(): Question | undefined {
    const question = this.#question;
    this.#question = undefined;
    return question;
  }

  #keep(at: Checkpoint, text: string): void {
    const note = Buffer.from(text);
    writeDurably(this.#disk, `${this.#keys}/signed`, note);
    this.#last = at;
    const line = Buffer.from(`${JSON.stringify(note.toString())}\n`);
    try {
      writeAll(this.#history, line, { position: this.#historyBytes, disk: this.#disk, path: this.#historyPath });
    } catch (error) {
      if (isNoSpace(error)) this.#history.truncate(this.#historyBytes);
      throw error;
    }
    this.#history.sync();
    this.#historyBytes += line.length;
    writeDurably(this.#disk, `${this.#directory}/checkpoint`, note);
    this.#fresh = note.toString();
  }

  /** The newest note, once. */
  take(): string | undefined {
    const note = this.#fresh;
    this.#fresh = undefined;
    return note;
  }

  close(): void {
    this.#history.close();
  }

  get #historyPath(): string {
    return `${this.#directory}/checkpoints.log`;
  }

  /**
   * Cuts off a line that the power tore apart while it was written. It need not be the end that is missing: any part of it may be zeros. What
   * was being written is in `signed`, which is durable before; anything else at the end is not ours to cut.
   */
  #cutTorn(): void {
    const note = this.#disk.read(`${this.#keys}/signed`);
    if (note === undefined) return;
    const whole = Buffer.from(`${JSON.stringify(Buffer.from(note).toString())}\n`);
    // One byte more than the line: the line feed of the one before.
    const offset = Math.max(0, this.#historyBytes - whole.length - 1);
    const end = Buffer.from(this.#disk.read(this.#historyPath, { offset, length: this.#historyBytes - offset }) ?? []);
    for (let from = 0; from < end.length; from += 1) {
      const begins = from === 0 ? offset === 0 : end[from - 1] === 0x0a;
      const rest = end.subarray(from);
      if (!begins || rest.equals(whole) || !rest.every((byte, k) => byte === whole[k] || byte === 0)) continue;
      this.#history.truncate(offset + from);
      this.#history.sync();
      this.#historyBytes = offset + from;
      return;
    }
  }

  #lastOfHistory(): Checkpoint | undefined {
    const length = Math.min(this.#historyBytes, 64 * 1024);
    const offset = this.#historyBytes - length;
    const end = Buffer.from(this.#disk.read(this.#historyPath, { offset, length }) ?? []);
    const complete = end.lastIndexOf(0x0a) + 1;
    if (offset > 0 && complete === 0) throw new Fault('LEDGER_CORRUPT', 'the end of checkpoints.log holds no line');
    if (complete < length) {
      this.#history.truncate(offset + complete);
      this.#history.sync();
      this.#historyBytes = offset + complete;
    }
    if (complete === 0) return undefined;
    const line = end.subarray(end.lastIndexOf(0x0a, complete - 2) + 1, complete - 1).toString();
    let note: unknown;
    try {
      note = JSON.parse(line);
    } catch {
      note = undefined;
    }
    return this.#parse(typeof note === 'string' ? note : '', 'the last line of checkpoints.log');
  }

  #readNote(path: string): Checkpoint | undefined {
    const bytes = this.#disk.read(path);
    return bytes === undefined ? undefined : this.#parse(Buffer.from(bytes).toString(), path.slice(path.lastIndexOf('/') + 1));
  }

  #parse(note: string, where: string): Checkpoint {
    const [origin, size, root] = note.split('\n');
    const at = { size: Number(size), root: Buffer.from(root ?? '', 'base64') };
    if (origin !== this.#signing.name || !note.startsWith(`${checkpointText(origin, at)}\n`) || !this.#signing.signed(note)) {
      throw new Fault('LEDGER_CORRUPT', `${where} is not a checkpoint signed by this log's key ${this.#signing.vkey}`);
    }
    return at;
  }
}

// Only the newest is being asked for; an answer to one of the last few may still be under way.
const askedKeptMax = 16;

/** The text of a checkpoint that another process is to sign. */
export interface Question {
  readonly text: string;
  readonly size: number;
}

interface NotaryPlace {
  readonly disk: Disk;
  readonly directory: string;
  readonly keys: string;
}
