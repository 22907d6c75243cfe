import type { OutputColumn } from '#model';

/**
 * The columns of SQL cursors, for what FETCH gives. Only what the target confirmed counts: a DECLARE that failed because the name was taken
 * must not describe the cursor that had it.
 */
export class Cursors {
  readonly #columns = new Map<string, readonly OutputColumn[] | undefined>();

  /** The target has declared this cursor. */
  declared(name: string, columns: readonly OutputColumn[] | undefined): void {
    this.#columns.set(name, columns);
  }

  /** Something else has this name now, or may have. */
  replaced(name: string): void {
    this.#columns.delete(name);
  }

  /** Undefined when nothing is known of the cursor. */
  columnsOf(name: string): readonly OutputColumn[] | undefined {
    return this.#columns.get(name);
  }

  /** Something ran that may have replaced cursors unseen, or the transaction ended. */
  forget(): void {
    this.#columns.clear();
  }
}
