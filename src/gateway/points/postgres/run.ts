import type { Inspection, StatementOutput } from '#inspect';
import type { Catalog, Outcome } from '#model';
import type { Admitted, Guard, Pipeline, Refusal } from '../../point.ts';
import { describeColumns } from './columns.ts';
import type { Cursors } from './cursors.ts';
import type { Field } from './target-messages.ts';

/** One result of an operation: its guard and what was shown of it. */
export interface Result {
  readonly guard: Guard;
  /** Rows delivered over all fetches, and since the last CommandComplete or PortalSuspended. */
  delivered: number;
  fetched: number;
  withheld: number;
}

/** What a run is allowed to use. */
export interface RunParts {
  readonly admitted: Admitted;
  readonly inspection: Inspection;
  readonly cursors: Cursors;
  /** False when the origins the parser tells do not hold (the catalog changed in the same batch). */
  readonly originsHold: boolean;
  readonly catalog: Catalog | undefined;
  readonly sensitive: boolean;
  readonly startedNs: bigint;
  bytesUp: number;
}

/** An admitted operation under way at the target: which result comes next, what was shown, and how it ended. */
export class Run {
  readonly parts: RunParts;
  result: Result | undefined;
  /** `waiting`: no end seen yet. `suspended`: a portal that gave a part of its rows. */
  state: 'waiting' | 'suspended' | 'done' | 'error' | 'cut' | 'cancelled' = 'waiting';
  code: string | undefined;
  rows = 0;
  /** Rows that the target says it wrote; undefined while no statement said so. */
  rowsChanged: number | undefined;
  bytesDown = 0;
  settled = false;
  /** The catalog snapshot did not know a relation of a result. */
  stale = false;

  readonly #guards: Guard[] = [];
  #withheld = 0;
  #statement = 0;

  constructor(parts: RunParts) {
    this.parts = parts;
  }

  /** The text begins or ends a transaction itself. */
  get controlsTransaction(): boolean {
    return this.parts.inspection.transaction.length > 0;
  }

  /** Makes the guard for the result whose columns these are. A refusal means: nothing of it may be shown. */
  open(fields: readonly Field[], pipeline: Pipeline): Refusal | undefined {
    const told = this.#output();
    const output = told && { ...told, doubted: !this.parts.originsHold };
    const { columns, stale } = describeColumns(fields, output, this.parts.catalog);
    if (stale) this.stale = true;
    const guard = pipeline.guard(this.parts.admitted, columns);
    if (!('kind' in guard)) {
      this.state = 'cut';
      return guard;
    }
    this.#guards.push(guard);
    this.result = { guard, delivered: 0, fetched: 0, withheld: 0 };
    return undefined;
  }

  /**
   * Takes the target's word for how many rows were written.
   *
   * SPEC: PostgreSQL 18 documentation, 54.7 "CommandComplete": the tag ends with the number of rows; `SELECT` without a result is that of
   * CREATE TABLE AS.
   */
  completed(tag: string): void {
    const [, command, count] = /^(INSERT \d{1,10}|UPDATE|DELETE|MERGE|SELECT) (\d{1,15})$/.exec(tag) ?? [];
    if (command === undefined || (command === 'SELECT' && this.result)) return;
    this.rowsChanged = (this.rowsChanged ?? 0) + Number(count);
  }

  /** The statement at hand is complete; the next result belongs to the next one of the text. */
  nextStatement(): void {
    this.#closeResult();
    const { cursors, inspection } = this.parts;
    const declares = inspection.outputs[this.#statement]?.declares;
    // EVASION: after CLOSE the name is free for a portal of the protocol, which FETCH reads too.
    const closes = inspection.facts.verbs.includes('close') && !declares;
    if (!inspection.facts.complete || closes) cursors.forget();
    else if (declares) cursors.declared(declares.cursor, this.parts.originsHold ? declares.columns : undefined);
    this.#statement += 1;
  }

  #output(): StatementOutput | undefined {
    const output = this.parts.inspection.outputs[this.#statement];
    return output?.fetches === undefined ? output : { ...output, columns: this.parts.cursors.columnsOf(output.fetches) };
  }

  #closeResult(): void {
    if (!this.result) return;
    this.#withheld += this.result.withheld;
    this.result = undefined;
  }

  fail(code: string): void {
    if (!this.parts.inspection.facts.complete) this.parts.cursors.forget();
    if (this.state === 'cut') return;
    this.state = code === '57014' ? 'cancelled' : 'error';
    this.code = code;
  }

  /** What is recorded. Whoever is still waiting when the connection ended is in doubt: sent, result unknown. */
  outcome(nowNs: bigint): Outcome {
    this.#closeResult();
    const masked: Record<string, number> = {};
    const rules = new Set<string>();
    for (const guard of this.#guards) {
      for (const [label, count] of Object.entries(guard.masked)) masked[label] = (masked[label] ?? 0) + count;
      for (const rule of guard.rules) rules.add(rule);
    }
    return {
      status: statusOf(this.state),
      rows: this.rows,
      ...(this.rowsChanged === undefined ? {} : { rowsChanged: this.rowsChanged }),
      bytesUp: this.parts.bytesUp,
      bytesDown: this.bytesDown,
      ...(this.code === undefined ? {} : { code: this.code }),
      masked,
      rowsWithheld: this.#withheld,
      durationMs: Number((nowNs - this.parts.startedNs) / 1_000_000n),
      rules: [...rules],
    };
  }
}

function statusOf(state: Run['state']): Outcome['status'] {
  if (state === 'waiting') return 'in-doubt';
  return state === 'suspended' ? 'done' : state;
}
