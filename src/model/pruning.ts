/** Why a record stays. `young`: nothing of its age goes. `class`: such records are kept longer. `hold`: somebody needs it. */
export type Stays = 'young' | 'class' | 'hold';

/** A record as it is stored. */
export type StoredRecord = Readonly<Record<string, unknown>>;

/** What may go, whatever the log itself still needs. */
export interface PruneRules {
  /** Makes the judge of one pass; records are shown to it in their order. */
  readonly judge: () => (record: StoredRecord) => Stays | undefined;
  /** Entries from this one on stay: the mirror or a receiver does not have them yet. */
  readonly below: number;
}

export interface PruneRequest extends PruneRules {
  readonly by: string;
  readonly reason: string;
  /** Sessions that the record of the pruning names as staying. */
  readonly holds: readonly string[];
  /** Verifier keys of witnesses, one of which must have signed the record of the pruning before anything is removed. */
  readonly witnesses: readonly string[];
}

/**
 * `recorded`: the log says what may go; run the installation until it is witnessed, then prune again. `waiting`: what `waitsFor` says has not
 * happened yet. `removed`: it has, and the files are gone. `nothing`: no whole bundle is that old.
 */
export interface Pruned {
  readonly status: 'recorded' | 'waiting' | 'removed' | 'nothing';
  /** `delivery`: a mirror or a receiver is not past the entries. */
  readonly waitsFor?: 'witness' | 'delivery';
  readonly from: number;
  readonly to: number;
  /** Bundles that were removed, and that were kept. */
  readonly removed: number;
  readonly kept: number;
}

/** Bytes on the disk, by what they are. */
export interface LedgerBytes {
  readonly entries: number;
  readonly hashes: number;
  readonly evidence: number;
  readonly recordings: number;
}

/** What a ledger holds, and what of it the rules let go. */
export interface PrunePlan {
  /** Whole bundles of 256 entries that are there, and the times of the oldest and the newest entry in them. */
  readonly bundles: number;
  readonly oldest?: number;
  readonly newest?: number;
  readonly size: LedgerBytes;
  /** What the rules let go; a log in use may still need the newest of it, and waits for the next time. */
  readonly goes: {
    readonly from: number;
    readonly to: number;
    readonly bundles: number;
    readonly records: number;
    readonly size: LedgerBytes;
  };
  /** Bundles that are old enough and stay. */
  readonly kept: { readonly class: number; readonly hold: number };
  /** Bundles that are old enough and that the mirror or a receiver does not have yet. */
  readonly undelivered: number;
}
