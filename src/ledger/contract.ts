import type { Fault, OperationDecided, Receipt, RecordDraft, RecordingChunk, World } from '#model';
import type { Disclosed } from './log.ts';
import type { Permit } from './permit.ts';
import type { EvidenceLevel, Reach } from './reach.ts';
import type { SignerSetting } from './signer/courier.ts';

export interface LedgerOptions {
  /** Folder of this log and of nothing else; made when missing. */
  readonly directory: string;
  /** Name of the log and of its key, a URL without schema such as `ledger.local/gateway-1`. */
  readonly origin: string;
  /** Folder of the keys, never inside `directory`; made with mode 0700 when missing. */
  readonly keys: string;
  readonly world: World;
  /** Version and revision of the running program, stamped on every record. */
  readonly build: string;
  /** What a person runs next, as they would type it, when the log is refused: said with the refusal. */
  readonly commands?: { readonly verify: string; readonly repair: string };
  /** The process that holds the log's key, when it is not this one. */
  readonly signer?: SignerSetting;
  /** Runs the writer in the caller's thread: for tests and tools. In a server the writer has a thread of its own. */
  readonly inline?: boolean;
  /** Bytes kept back for outcomes when the disk is full; `limits.ledgerReserveBytes` when absent. */
  readonly reserveBytes?: number;
  /**
   * Asked after the log was read and before anything is written: whoever knows this log from elsewhere (a mirror, an anchor) can refuse
   * it here by throwing LEDGER_ROLLBACK.
   */
  readonly confirm?: (found: FoundLog) => Promise<void>;
  /** Called once when the ledger cannot go on. The process must end at once with `fault.exit`. */
  readonly onFatal: (fault: Fault) => void;
}

/** A log as its files show it, before its writer begins. */
export interface FoundLog {
  readonly origin: string;
  readonly vkey: string;
  /** Number of durable entries; 0 for a log that is just being made. */
  readonly size: number;
  /** Hex leaf hash of an entry. */
  leafOf(index: number): Promise<string | undefined>;
}

/** An operation that was allowed and of which no outcome is known. */
export interface InDoubt {
  readonly session: string;
  readonly operation: string;
  /** Index of its `operation.decided`. */
  readonly index: number;
}

export interface Recovery {
  /** Bytes of an unfinished write that were cut off the end of the log; no acknowledged record is among them. */
  readonly torn: number;
  readonly inDoubt: readonly InDoubt[];
}

export interface Ledger {
  readonly origin: string;
  /** Verifier key of the log's signatures. SPEC: C2SP signed-note, `name+hash+key`. */
  readonly vkey: string;
  /** What the start found. */
  readonly recovery: Recovery;
  /**
   * Resolves when the record is durable.
   *
   * Rejects with LEDGER_SLOW (not durable within `limits.ledgerWaitMs`), LEDGER_FULL, LEDGER_FAILED, LEDGER_ENTRY_TOO_LARGE, or
   * INVALID_INPUT when the draft holds something a record cannot carry. Outcomes and closings (`operation.settled`, `session.closed`)
   * never time out and may use the reserve of a full disk.
   */
  append(draft: RecordDraft): Promise<Receipt>;
  /**
   * Records a chunk of a session's recording: its bytes are sealed under the session's key and durable, with the record that names them, when
   * this resolves. Rejects as `append` does, but for LEDGER_SLOW when only output is in it: who shows it waits. The memory of `content` is the ledger's
   * from now on.
   */
  keepChunk(draft: RecordingChunk, content: Uint8Array): Promise<Receipt>;
  /**
   * Records an allow decision and, once it is durable, makes the only thing that can release the operation. Throws when the verdict is
   * not allow. With a `level` beyond this machine the record must first be kept there; LEDGER_UNWITNESSED when that cannot be.
   */
  decide(draft: OperationDecided, how?: { readonly level?: EvidenceLevel }): Promise<Permit>;
  /** Durable entries, the stored lines, in order from index `first`: at most `count`, and fewer when they are many or long. */
  read(first: number, count: number): Promise<readonly string[]>;
  /** Number of durable entries. */
  readonly size: number;
  /** The newest signed note. */
  readonly checkpoint: string | undefined;
  /** Calls the listener with every note that is signed; returns the function that stops it. */
  onSigned(listener: (note: string) => void): () => void;
  /** Keeps a note of this log that witnesses have signed too, beside its checkpoint. */
  keepCosigned(note: string): void;
  /** Told by whoever ships the log how much of it is safe elsewhere. */
  readonly reach: Pick<Reach, 'link' | 'advance' | 'at' | 'wanted' | 'onWanted'>;
  /** True when the bundle that begins with this entry was removed by this process, as the log allows. */
  removed(first: number): boolean;
  /** Calls the listener whenever `size` has grown; returns the function that stops it. */
  onGrow(listener: (size: number) => void): () => void;
  /**
   * The exact text and parameters of the entry at `index`, unsealed and checked against its commitment.
   * NOT_FOUND: no such entry, no evidence in it, or its key was erased. LEDGER_TAMPERED: it does not match its commitment.
   */
  openEvidence(index: number): Promise<{ readonly text: string; readonly parameters: readonly (string | null)[] }>;
  /**
   * What the entry at `index` committed to, evidence or a chunk of a recording, with the salt of the commitment; whoever has both can check it
   * against the entry. Faults as for `openEvidence`.
   */
  disclose(index: number): Promise<Disclosed>;
  /** Makes everything durable, seals and signs it, and lets the directory go. */
  close(): Promise<void>;
}
