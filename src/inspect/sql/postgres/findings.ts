import { limits } from '#model';
import type { Catalog, SqlColumnRole, SqlColumnUse, SqlRelation, SqlStatement } from '#model';
import type { TransactionCommand } from '../../inspection.ts';
import type { Value } from './values.ts';

/** Thrown inside the analysis when a text asks for more work than any honest one; caught at the door. */
export class TooComplex extends Error {}

/** A statement while it is looked at. */
export interface StatementDraft {
  readonly verb: string;
  readonly effects: Set<string>;
  readonly relations: Map<string, SqlRelation>;
  hasWhere: boolean;
  whereTautology: boolean;
  hasLimit: boolean;
  hasReturning: boolean;
}

/** Collects what is found in one text. */
export class Findings {
  readonly catalog: Catalog | undefined;
  readonly unknown = new Set<string>();
  readonly verbs = new Set<string>();
  readonly effects = new Set<string>();
  readonly tables = new Set<string>();
  readonly functions = new Set<string>();
  readonly settings = new Set<string>();
  readonly transaction: TransactionCommand[] = [];
  readonly statements: StatementDraft[] = [];
  /** Parts of the tree that the analysis has understood; the walk over everything looks for the others. */
  readonly seen = new Set<object>();
  readonly #uses = new Map<string, SqlColumnUse>();
  readonly #open: StatementDraft[] = [];
  /** Names may mean something else than the catalog says: an earlier statement of the text has changed them. */
  stale = false;
  #steps = 0;
  #depth = 0;

  constructor(catalog: Catalog | undefined) {
    this.catalog = catalog;
  }

  /** Runs `look` for a statement; what it finds belongs to the statement (and its effects to the ones around it). */
  statement<T>(verb: string, look: (draft: StatementDraft) => T): T {
    const draft: StatementDraft = {
      verb,
      effects: new Set(),
      relations: new Map(),
      hasWhere: false,
      whereTautology: false,
      hasLimit: false,
      hasReturning: false,
    };
    this.verbs.add(verb);
    this.statements.push(draft);
    this.#open.push(draft);
    try {
      return look(draft);
    } finally {
      this.#open.pop();
    }
  }

  /** Adds to a statement that was already looked at. */
  within(draft: StatementDraft, look: () => void): void {
    this.#open.push(draft);
    try {
      look();
    } finally {
      this.#open.pop();
    }
  }

  get current(): StatementDraft | undefined {
    return this.#open.at(-1);
  }

  effect(...names: readonly string[]): void {
    for (const name of names) {
      this.effects.add(name);
      for (const draft of this.#open) draft.effects.add(name);
    }
  }

  relation(relation: SqlRelation): void {
    this.tables.add(relation.schema === '' ? relation.name : `${relation.schema}.${relation.name}`);
    this.current?.relations.set(`${relation.access} ${relation.schema}.${relation.name}`, relation);
  }

  /** Records a use of every column behind a value. `name` stands in when they cannot be told. */
  use(value: Value, role: SqlColumnRole, name: string): void {
    for (const source of value.sources) this.#record({ table: source.table, column: source.column, role, labels: source.labels });
    // Without a catalog a column is at least known by name; with one, unknown means that labels may hide.
    if (value.lineage === 'unknown' && (value.sources.length === 0 || this.catalog !== undefined))
      this.#record({ table: '?', column: name, role, labels: [] });
  }

  #record(use: SqlColumnUse): void {
    this.#uses.set(`${use.role} ${use.table} ${use.column}`, use);
  }

  get uses(): readonly SqlColumnUse[] {
    return [...this.#uses.values()];
  }

  /** Goes one level deeper; refuses what would run out of stack or time. */
  deeper<T>(look: () => T): T {
    this.#steps += 1;
    if (this.#steps > limits.inspectStepsMax || this.#depth >= limits.inspectDepthMax) throw new TooComplex();
    this.#depth += 1;
    try {
      return look();
    } finally {
      this.#depth -= 1;
    }
  }

  drafts(): readonly SqlStatement[] {
    return this.statements.map((draft) => ({ ...draft, effects: [...draft.effects], relations: [...draft.relations.values()] }));
  }
}
