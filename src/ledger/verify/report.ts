/**
 * `tampered`: what is here contradicts what was signed or recorded. `hole`: consistent, but something is missing or unknown, and nothing in the
 * log accounts for it. `note`: worth knowing, and either normal in a log that is being written or explained by a record.
 */
export type Severity = 'tampered' | 'hole' | 'note';

export interface Finding {
  readonly severity: Severity;
  /** The first entry concerned, where one can be named. */
  readonly index?: number;
  /** The file or the rule: `tile/0/000`, `checkpoint`, `session`, `approval`… */
  readonly what: string;
  readonly message: string;
}

/** What is consistent but incomplete, counted. */
export interface Holes {
  /** Operations of which a record says that their outcome is not known: it was lost in a crash, or the target did not tell. */
  inDoubt: number;
  /** Allowed operations without outcome since the last start: still running, or about to be in doubt. */
  unsettled: number;
  /** Sessions without any end: still open, or cut off since the last start. */
  openSessions: number;
  /** Sessions of which a record says that a crash cut them off. */
  lostSessions: number;
  /** Operations that were numbered in their session but whose decision is not in the log. */
  missingOperations: number;
  /** Silences longer than the heartbeat allows. */
  gaps: number;
  clockSteps: number;
  /** Evidence whose blob is not there. */
  missingBlobs: number;
  /** Recordings that broke off or have no end. */
  recordings: number;
  /** Chunks of recordings whose file is not there. */
  missingChunks: number;
}

export interface Report {
  readonly status: 'proven' | 'tampered' | 'incomplete' | 'unreadable';
  readonly origin: string;
  /** Signed size. */
  readonly size: number;
  /** Base64 of the signed root. */
  readonly root: string;
  /** Entries after the signed size, checked except for a signature. */
  readonly unsigned: number;
  /** The key the signatures were checked with. */
  readonly vkey: string;
  /** True when that key was handed in; false when it was taken from the log itself, which proves only that the log agrees with itself. */
  readonly pinned: boolean;
  /** Number of signed checkpoints that agree with the log. */
  readonly checkpoints: number;
  /** Name of each trusted witness that signed the newest root it saw → when, in seconds since 1970. */
  readonly witnesses: Readonly<Record<string, number>>;
  readonly holes: Readonly<Holes>;
  /** The first findings of each severity; `counts` says how many there were. */
  readonly findings: readonly Finding[];
  readonly counts: Readonly<Record<Severity, number>>;
}

/** 0 proven, 1 tampered, 2 incomplete but consistent, 3 cannot read. */
export function exitStatus(report: Pick<Report, 'status'>): 0 | 1 | 2 | 3 {
  const statuses = { proven: 0, tampered: 1, incomplete: 2, unreadable: 3 } as const;
  return statuses[report.status];
}

const findingsPerSeverityMax = 100;

/** Collects while the log streams past; bounded however broken the log is. */
export class Findings {
  readonly list: Finding[] = [];
  readonly counts: Record<Severity, number> = { tampered: 0, hole: 0, note: 0 };
  readonly holes: Holes = {
    inDoubt: 0,
    unsettled: 0,
    openSessions: 0,
    lostSessions: 0,
    missingOperations: 0,
    gaps: 0,
    clockSteps: 0,
    missingBlobs: 0,
    recordings: 0,
    missingChunks: 0,
  };

  add(severity: Severity, what: string, message: string, index?: number): void {
    this.counts[severity] += 1;
    if (this.counts[severity] <= findingsPerSeverityMax)
      this.list.push({ severity, what, message, ...(index === undefined ? {} : { index }) });
  }

  tampered(what: string, message: string, index?: number): void {
    this.add('tampered', what, message, index);
  }
}
