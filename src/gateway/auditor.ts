import { type AuditedFile, FileAudit, type Ledger, readCheckpoint } from '#ledger';
import { asFault, limits, type Timer, type World } from '#model';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Link } from './link.ts';
import type { Log } from './log.ts';

interface Parts {
  readonly world: World;
  readonly log: Log;
  readonly ledger: Ledger;
  readonly link: Link;
  /** The ledger's folder. */
  readonly directory: string;
}

/**
 * Compares the files of the live ledger with the mirror, every few seconds: somebody who changes a sealed record on this machine is
 * noticed while it happens, not at the next verification. What differs raises an alarm, in the ledger and in the log.
 */
export class Auditor {
  readonly #parts: Parts;
  readonly #audit: FileAudit;
  #timer: Timer | undefined;
  #stopped = false;
  /** What was told about the published checkpoint, so that it is told once. */
  #toldCheckpoint = '';

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#audit = new FileAudit(parts.directory, (first) => parts.ledger.removed(first));
    this.#again();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #again(): void {
    if (this.#stopped) return;
    this.#timer = this.#parts.world.after(limits.ledgerAuditMs, () => {
      this.#round()
        .catch((thrown: unknown) =>
          this.#parts.log.warn({ fault: asFault(thrown).code }, 'the ledger could not be compared with its mirror'),
        )
        .finally(() => this.#again());
    });
  }

  async #round(): Promise<void> {
    const { ledger, link } = this.#parts;
    if (!link.up) return;
    await this.#checkpoint();
    for (const file of await this.#audit.look(ledger.reach.at('mirrored'))) {
      if (this.#stopped) return;
      if (await this.#same(file)) await this.#audit.good(file);
      else {
        await this.#audit.told(file);
        await this.#alarm(file.path, `entries ${file.first} to ${file.first + file.count - 1} differ from what was recorded`);
      }
    }
  }

  async #same({ first, count, digest }: AuditedFile): Promise<boolean> {
    if (digest === undefined) return false;
    const { ledger, link } = this.#parts;
    return (await link.call('ledger.compare', { origin: ledger.origin, first, count, digest })).same;
  }

  /** The published checkpoint must be one that this log signed, not older than what we know to be published. */
  async #checkpoint(): Promise<void> {
    const { ledger, directory } = this.#parts;
    const before = ledger.checkpoint;
    if (before === undefined) return;
    const text = await readFile(join(directory, 'checkpoint'), 'utf8').catch(() => '');
    try {
      if (readCheckpoint(text, ledger.vkey).size >= readCheckpoint(before, ledger.vkey).size) return;
    } catch {
      // Not a checkpoint of ours: told below.
    }
    if (this.#toldCheckpoint === text) return;
    this.#toldCheckpoint = text;
    await this.#alarm('checkpoint', 'the published checkpoint is not the one that was signed last');
  }

  async #alarm(path: string, message: string): Promise<void> {
    const { ledger, log } = this.#parts;
    log.error({ origin: ledger.origin, path }, `the ledger was changed on disk: ${message}`);
    await ledger.append({ kind: 'alarm.raised', alarm: 'ledger.tampered', object: `${ledger.origin}/${path}`, message });
  }
}
