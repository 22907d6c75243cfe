/** What really happened to an operation after its decision. */
export interface Outcome {
  /** `refused`: nothing was sent. `cut`: the response was stopped by the guard. `in-doubt`: sent, result unknown. */
  readonly status: 'done' | 'error' | 'refused' | 'cut' | 'cancelled' | 'in-doubt';
  /** Rows of the response. */
  readonly rows: number;
  /** Rows that the target says it wrote, for operations that write rows. */
  readonly rowsChanged?: number;
  /** Bytes of the operation towards the target and of its response towards the client. */
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** Native error code (SQLSTATE…) when `status` is `error`. */
  readonly code?: string;
  /** Cells masked or redacted per label or detector. */
  readonly masked: Readonly<Record<string, number>>;
  /** Rows not delivered because of a row limit. */
  readonly rowsWithheld: number;
  readonly durationMs: number;
  /** Rules of the response phase that shaped the response. */
  readonly rules: readonly string[];
}

/** The outcome of an operation of which nothing was sent. */
export function unsent(status: 'refused' | 'cancelled'): Outcome {
  return { status, rows: 0, bytesUp: 0, bytesDown: 0, masked: {}, rowsWithheld: 0, durationMs: 0, rules: [] };
}
