import type { Certainty, OutputColumn, SqlFacts } from '#model';

/** What one statement text would do, as far as it can be known before it runs. */
export interface Inspection {
  readonly facts: SqlFacts;
  /** `opaque`: the text does not parse; `partial`: `facts.complete` is false; `parsed`: everything was understood. */
  readonly certainty: Certainty;
  /** One for each top-level statement, in order (`facts.statements` also lists the writing parts inside them). */
  readonly outputs: readonly StatementOutput[];
  /** Transaction control in the text, in order of appearance. */
  readonly transaction: readonly TransactionCommand[];
  /** Set when the text was refused before analysis. `position` is 1-based in characters, as PostgreSQL reports it. */
  readonly error?: { readonly message: string; readonly position?: number };
}

export type TransactionCommand =
  | 'begin'
  | 'commit'
  | 'rollback'
  | 'savepoint'
  | 'release'
  | 'rollback_to'
  | 'prepare_transaction'
  | 'commit_prepared'
  | 'rollback_prepared';

/** Does the statement return rows, and where does each column come from. */
export interface StatementOutput {
  readonly returnsRows: boolean;
  /** `undefined`: cannot tell; then nothing unmasked may pass. */
  readonly columns: readonly OutputColumn[] | undefined;
  /** DECLARE: the cursor it opens, with the columns a later FETCH from it returns. */
  readonly declares?: { readonly cursor: string; readonly columns: readonly OutputColumn[] | undefined };
  /** FETCH: the cursor it reads from. */
  readonly fetches?: string;
}
