import { canonicalJson, Fault, limits, type RecordDraft } from '#model';
import type { SealedEvidence } from './evidence.ts';
import type { StoredChunk } from './recording/files.ts';

/** Records the ledger writes about itself. */
export type OwnDraft =
  | {
      readonly kind: 'log.opened';
      readonly vkey: string;
      /** The last checkpoint of the log that this one continues, whole, and why a new one was begun. */
      readonly continues?: string;
      readonly reason?: string;
    }
  /** Bundles between these indexes, except those that hold records of the sessions in `holds`, may be removed once this is witnessed. */
  | {
      readonly kind: 'log.pruned';
      readonly from: number;
      readonly to: number;
      readonly by: string;
      readonly reason: string;
      readonly holds: readonly string[];
    }
  /** Nothing follows. */
  | { readonly kind: 'log.sealed'; readonly by: string; readonly reason: string }
  /** From here on the log is signed by another key; both keys have signed that. */
  | {
      readonly kind: 'key.rotated';
      readonly previous: string;
      readonly vkey: string;
      readonly signature: string;
      readonly accepted: string;
    }
  | {
      readonly kind: 'log.recovered';
      /** Bytes of an unfinished write that were cut off. */
      readonly torn: number;
      /** Indexes of decisions without outcome; one `operation.indoubt` follows for each. At most the first 1,000 are listed here. */
      readonly inDoubt: readonly number[];
      readonly inDoubtTotal: number;
      /** Sessions that were cut off; one `session.lost` follows for each. */
      readonly lostSessions?: number;
    }
  | { readonly kind: 'log.heartbeat' }
  | { readonly kind: 'operation.indoubt'; readonly session: string; readonly operation: string; readonly n: number; readonly for: number }
  /** The session was open when the writer died, and with it the gateway; what is known of it is here. */
  | {
      readonly kind: 'session.lost';
      readonly session: string;
      /** Number of its last operation that was allowed or denied. */
      readonly operations: number;
      /** A rule let operations run ahead of their records: so many may have run without one. */
      readonly ahead?: { readonly operations: number; readonly ms: number };
      /** It was being recorded: what there is of the recording. */
      readonly recording?: { readonly chunks: number; readonly bytes: number };
    }
  /** The wall clock went this much further than the monotonic clock since the last look; negative when it went back. */
  | { readonly kind: 'clock.stepped'; readonly byMs: number };

export type Draft = (RecordDraft & { readonly stored?: StoredChunk; readonly chunks?: number; readonly bytes?: number }) | OwnDraft;

/** When a draft was handed over. */
export interface Stamp {
  /** Wall clock, ms. */
  readonly t: number;
  /** Monotonic clock, µs: nanoseconds would leave the safe integers after 104 days. */
  readonly mono: number;
}

/** Where in the log, and by whom, an entry is written. */
export interface Position {
  readonly i: number;
  /** Hex leaf hash of the entry before; 64 zeros for the first. */
  readonly prev: string;
  readonly boot: string;
  readonly node: string;
  readonly build: string;
  /** Hex of 16 random bytes: nobody can guess an entry from its leaf hash. */
  readonly nonce: string;
}

/** The line that is stored and hashed. Throws LEDGER_ENTRY_TOO_LARGE, or a TypeError for what JSON cannot carry. */
export function composeEntry(draft: Draft, stamp: Stamp, position: Position, evidence?: SealedEvidence): Buffer {
  const line = Buffer.from(canonicalJson({ ...draft, ...stamp, ...position, v: 1, evidence }));
  if (line.length <= limits.entryBytesMax) return line;
  throw new Fault('LEDGER_ENTRY_TOO_LARGE', `record ${draft.kind} takes ${line.length} bytes, the most is ${limits.entryBytesMax}`);
}

/**
 * The draft as text that can go to another thread, checked: only whole numbers, and only what JSON can say.
 * A policy may have read a fraction, so `decision.reads` keeps such numbers as text.
 */
export function draftText(draft: RecordDraft): string {
  const plain =
    draft.kind === 'operation.decided'
      ? { ...draft, decision: { ...draft.decision, reads: fractionsAsText(draft.decision.reads) } }
      : draft;
  checkIntegers(plain, draft.kind);
  return JSON.stringify(plain);
}

function checkIntegers(value: unknown, where: string): void {
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new Fault('INVALID_INPUT', `a record holds whole numbers only, but ${where} is ${value}`);
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) if (typeof member !== 'string') checkIntegers(member, name);
  } else if (typeof value !== 'string' && typeof value !== 'boolean' && value !== null && value !== undefined) {
    throw new Fault('INVALID_INPUT', `a record cannot carry a ${typeof value}, as in ${where}`);
  }
}

function fractionsAsText(value: unknown): unknown {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : String(value);
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return value.map(fractionsAsText);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, fractionsAsText(member)]));
}
