import { readFileSync } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname, isAbsolute } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { type FoundLog, type Ledger, readCheckpoint } from '#ledger';
import { Fault } from '#model';
import type { Log } from '../log.ts';

/** What the file `ledger.yaml` of a home may say. */
const settings = z.strictObject({ anchor: z.strictObject({ file: z.string().refine(isAbsolute, 'write an absolute path') }).optional() });

/** The anchor file that `ledger.yaml` names; undefined when there is none. Throws CONFIG_INVALID. */
export function anchorFile(path: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined; // Nobody asked for an anchor.
  }
  try {
    return settings.parse(parse(text) ?? {}).anchor?.file;
  } catch (cause) {
    const issue = cause instanceof z.ZodError ? cause.issues[0] : undefined;
    const where = issue === undefined ? 'it is not YAML' : `${issue.path.join('.')}: ${issue.message}`;
    throw new Fault('CONFIG_INVALID', `${path}: ${where}; it may say: anchor: { file: /absolute/path }`, { cause });
  }
}

/**
 * Keeps every checkpoint of the control plane's ledger in a file elsewhere: a JSON string a line, as in `checkpoints.log`, synced. Whoever
 * puts back an old copy of the whole machine does not have that file.
 */
export class Anchor {
  readonly #path: string;
  readonly #log: Log;
  #broken = false;

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  /** Throws LEDGER_ROLLBACK when the log is shorter than what was anchored under its key. */
  confirm(found: FoundLog): void {
    const last = this.#lastNote();
    if (last === undefined) return;
    let size: number;
    try {
      ({ size } = readCheckpoint(last, found.vkey));
    } catch {
      return this.#log.warn(
        { anchor: this.#path },
        'the anchor was made with another key; `warder ledger verify --since` shows whether they agree',
      );
    }
    if (size <= found.size) return;
    throw new Fault('LEDGER_ROLLBACK', `the log ${found.origin} holds ${found.size} entries, but ${size} are anchored in ${this.#path}`, {
      detail: { size: found.size, anchored: size },
    });
  }

  /**
   * Anchors what is signed from now on; a slow disk only delays it. A file that cannot be written raises an alarm and is tried again with
   * the next checkpoint. `stop` waits for what is under way.
   */
  follow(ledger: Ledger): { stop(): Promise<void> } {
    let next: string | undefined;
    let running: Promise<void> | undefined;
    const keep = (note: string): void => {
      next = note;
      running ??= this.#drain(ledger, () => {
        const taken = next;
        next = undefined;
        return taken;
      }).finally(() => {
        running = undefined;
      });
    };
    if (ledger.checkpoint !== undefined) keep(ledger.checkpoint);
    const unsubscribe = ledger.onSigned(keep);
    return {
      stop: async () => {
        unsubscribe();
        await running;
      },
    };
  }

  async #drain(ledger: Ledger, take: () => string | undefined): Promise<void> {
    for (let note = take(); note !== undefined; note = take()) {
      try {
        await append(this.#path, `${JSON.stringify(note)}\n`);
        if (this.#broken) this.#tell(ledger, 'alarm.cleared', 'checkpoints are anchored again');
        this.#broken = false;
      } catch (error) {
        if (!this.#broken)
          this.#tell(ledger, 'alarm.raised', `checkpoints cannot be anchored: ${error instanceof Error ? error.message : String(error)}`);
        this.#broken = true;
      }
    }
  }

  #tell(ledger: Ledger, kind: 'alarm.raised' | 'alarm.cleared', message: string): void {
    this.#log.error({ anchor: this.#path }, message);
    ledger.append({ kind, alarm: 'ledger.anchor', object: this.#path, message }).catch(() => undefined); // The ledger itself has failed, and says so.
  }

  #lastNote(): string | undefined {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch {
      return undefined; // The first start with this anchor.
    }
    for (const line of text.split('\n').reverse()) {
      try {
        const note: unknown = JSON.parse(line);
        if (typeof note === 'string') return note;
      } catch {
        // The last line may be unfinished; the one before it counts.
      }
    }
    return undefined;
  }
}

async function append(path: string, line: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, 'a+', 0o644);
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1));
    // A line that a crash left unfinished is ended, so that it spoils no other.
    const text = bytesRead === 1 && buffer[0] !== 0x0a ? `\n${line}` : line;
    await file.appendFile(text);
    await file.datasync();
  } finally {
    await file.close();
  }
}
