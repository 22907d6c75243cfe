import assert, { AssertionError } from 'node:assert/strict';
import { Fault } from '#model';
import type { Recovery } from './contract.ts';
import { isNoSpace, type PlainFault, ShortWrite, systemCode } from './disk.ts';
import type { Evidence } from './evidence.ts';
import type { Item } from './composer.ts';
import { type Disclosed, Log, type LogSetting, type Machine } from './log.ts';

/** What the ledger's front asks of the writer. Crosses threads, so it is plain data. */
export type Order =
  | { readonly kind: 'append'; readonly items: readonly (Item & { readonly id: number })[] }
  | { readonly kind: 'tick' }
  | { readonly kind: 'read'; readonly id: number; readonly first: number; readonly count: number }
  | { readonly kind: 'evidence' | 'disclose'; readonly id: number; readonly index: number }
  /** Entries below which number may be pruned. */
  | { readonly kind: 'prunable'; readonly id: number }
  | { readonly kind: 'cosigned'; readonly note: string }
  /** The signature line of another process for this size. */
  | { readonly kind: 'countersigned'; readonly size: number; readonly line: string }
  /** After `found`: nobody objects, the writer may begin. */
  | { readonly kind: 'begin' }
  | { readonly kind: 'close'; readonly id: number };

export type Answer =
  | { readonly kind: 'found'; readonly vkey: string; readonly size: number }
  | { readonly kind: 'opened'; readonly vkey: string; readonly size: number; readonly recovery: Recovery; readonly checkpoint?: string }
  | { readonly kind: 'signed'; readonly note: string }
  /** Another process is to sign this. */
  | { readonly kind: 'unsigned'; readonly text: string; readonly size: number }
  | Appended
  | { readonly kind: 'value'; readonly id: number; readonly value: readonly string[] | Evidence | Disclosed | number | undefined }
  | { readonly kind: 'fault'; readonly id: number; readonly fault: PlainFault }
  | { readonly kind: 'fatal'; readonly fault: PlainFault };

/** What became of a batch. Compact, because it crosses threads for every batch. */
export interface Appended {
  readonly kind: 'appended';
  /** Ids of the items that are durable; their indexes follow each other from `first`. */
  readonly ids: readonly number[];
  readonly first: number;
  /** Hex leaf hashes of those entries, one after the other. */
  readonly leaves: string;
  readonly refused: readonly { readonly id: number; readonly fault: PlainFault }[];
  /** The disk is full: set when it is. */
  readonly full?: true;
}

/** Says whether this process still owns the log's folder. */
export type Ownership = () => boolean;

/**
 * Takes orders one after the other and answers them. After anything unexpected it answers `fatal` once and does nothing any more:
 * a writer that has failed must not write again.
 */
export class Desk {
  readonly #answer: (answer: Answer) => void;
  readonly #owned: Ownership;
  #log: Log | undefined;

  constructor(answer: (answer: Answer) => void, owned: Ownership) {
    this.#answer = answer;
    this.#owned = owned;
  }

  open(setting: LogSetting, machine: Machine): void {
    try {
      this.#log = new Log(setting, machine);
    } catch (error) {
      return this.#answer({ kind: 'fatal', fault: plainFault(error) });
    }
    if (setting.held === true) this.#answer({ kind: 'found', vkey: this.#log.signing.vkey, size: this.#log.size });
    else this.#opened(this.#log);
  }

  #opened(log: Log): void {
    const { signing, size, recovery } = log;
    const checkpoint = log.takeSigned();
    this.#answer({ kind: 'opened', vkey: signing.vkey, size, recovery, ...(checkpoint === undefined ? {} : { checkpoint }) });
    const question = log.takeQuestion();
    if (question !== undefined) this.#answer({ kind: 'unsigned', ...question });
  }

  /** All orders that wait, in order; the appends that stand next to each other become one commit. */
  serve(orders: readonly Order[]): void {
    let items: (Item & { id: number })[] = [];
    const flush = (): void => {
      if (items.length > 0) this.#guard((log) => this.#append(log, items));
      items = [];
    };
    for (const order of orders) {
      if (order.kind === 'append') items.push(...order.items);
      else {
        flush();
        this.#guard((log) => this.#serveOne(log, order));
      }
    }
    flush();
  }

  /** One bounded piece of work that can wait. Returns true when there is more. */
  idle(): boolean {
    this.#guard((log) => {
      if (log.sealing) log.sealStep();
    });
    return this.#log?.sealing ?? false;
  }

  #append(log: Log, items: readonly (Item & { id: number })[]): void {
    const first = log.size;
    const ids: number[] = [];
    const refused: { id: number; fault: PlainFault }[] = [];
    let leaves = '';
    for (const [k, result] of log.commit(items).entries()) {
      const id = items[k]?.id ?? -1;
      if ('fault' in result) refused.push({ id, fault: result.fault });
      else {
        assert.equal(result.index, first + ids.length);
        ids.push(id);
        leaves += result.leaf;
      }
    }
    this.#answer({ kind: 'appended', first, ids, leaves, refused, ...(log.full ? { full: true } : {}) });
  }

  #serveOne(log: Log, order: Exclude<Order, { kind: 'append' }>): void {
    switch (order.kind) {
      case 'tick':
        if (!this.#owned()) throw new Fault('LEDGER_LOCKED', 'another process has taken over the folder of the ledger');
        return log.tick();
      case 'begin':
        log.begin();
        return this.#opened(log);
      case 'cosigned':
        return log.keepCosigned(order.note);
      case 'countersigned':
        return log.countersign(order.size, order.line);
      case 'close':
        log.close();
        this.#log = undefined;
        return this.#answer({ kind: 'value', id: order.id, value: undefined });
      default:
        return this.#look(log, order);
    }
  }

  /** Reading what is there: a fault is an answer, not the end. */
  #look(log: Log, order: Looking): void {
    try {
      this.#answer({ kind: 'value', id: order.id, value: found(log, order) });
    } catch (error) {
      this.#answer({ kind: 'fault', id: order.id, fault: plainFault(error) });
    }
  }

  #guard(action: (log: Log) => void): void {
    if (this.#log === undefined) return;
    try {
      action(this.#log);
      const note = this.#log?.takeSigned();
      if (note !== undefined) this.#answer({ kind: 'signed', note });
      const question = this.#log?.takeQuestion();
      if (question !== undefined) this.#answer({ kind: 'unsigned', ...question });
    } catch (error) {
      this.#log = undefined;
      this.#answer({ kind: 'fatal', fault: plainFault(error) });
    }
  }
}

type Looking = Extract<Order, { kind: 'read' | 'evidence' | 'disclose' | 'prunable' }>;

function found(log: Log, order: Looking): readonly string[] | Evidence | Disclosed | number {
  if (order.kind === 'prunable') return log.prunable();
  if (order.kind === 'read') return log.read(order.first, order.count);
  return order.kind === 'evidence' ? log.openEvidence(order.index) : log.disclose(order.index);
}

/** After a failure of the disk the writer cannot know what is on it; after anything else it cannot know what it did. */
function plainFault(error: unknown): PlainFault {
  if (error instanceof Fault) return { code: error.code, message: error.message };
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof ShortWrite || isNoSpace(error) || systemCode(error) !== undefined) {
    // The assertion library puts a code on its errors too.
    if (!(error instanceof AssertionError)) return { code: 'LEDGER_FAILED', message: `the disk of the ledger failed: ${message}` };
  }
  return { code: 'INTERNAL', message: `the ledger's writer failed: ${message}` };
}
