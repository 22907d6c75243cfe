import { catalogQuery } from '#inspect';
import type { Catalog, ResourceConfig, World } from '#model';
import type { Catalogs, Snapshot } from './catalogs.ts';
import type { TransactionStatus } from './encode.ts';
import type { OwnAnswer } from './expected.ts';
import { parseSearchPath } from './search-path.ts';

/** What one session may use to look at its target. */
export interface CatalogViewParts {
  readonly world: World;
  readonly config: ResourceConfig;
  readonly catalogs: Catalogs;
  /** Runs a query of Warder's own on the session's connection; it must be idle. */
  ask(sql: string): Promise<OwnAnswer>;
}

/** What an operation did to the meaning of later ones. */
export interface Released {
  readonly changesCatalog: boolean;
  readonly taints: boolean;
  readonly transactionControl: boolean;
  /** It took a snapshot of the data: questions of Warder's own come too late to be the first in the transaction. */
  readonly reads: boolean;
}

// None of these takes a snapshot or a lock, so they do not take the first slot of a transaction.
const probe = 'SHOW search_path; SHOW role; SHOW session_authorization';
const guarded = `SET LOCAL search_path TO pg_catalog; SET LOCAL statement_timeout TO '10s'; SET LOCAL lock_timeout TO '500ms'; ${catalogQuery}`;
// EVASION: with a search path of the client's choice, operators of the query could be the client's own; and a setting must not stay changed.
export const outside = `BEGIN READ ONLY; ${guarded}; ROLLBACK`;
const undo = 'ROLLBACK TO SAVEPOINT warder_catalog; RELEASE SAVEPOINT warder_catalog';
const inside = `SAVEPOINT warder_catalog; ${guarded}; ${undo}`;

/** How far the catalog at hand may be trusted by what is planned with it. */
export interface Trust {
  /** Names of what makes the meaning of any statement doubtful; empty when nothing does. */
  readonly doubts: readonly string[];
  /** Column origins that are told by names hold. */
  readonly originsHold: boolean;
}

const whole: Trust = { doubts: [], originsHold: true };
/** The last one that could be read. */
const old: Trust = { doubts: [], originsHold: false };
const none: Trust = { doubts: ['catalog-unknown'], originsHold: false };
const lost: Trust = { doubts: ['search-path-unknown'], originsHold: false };

/** A snapshot this young is not taken again only because a relation is not in it. */
const unknownNs = 2_000_000_000n;

/**
 * How one session sees the catalog of its target: the shared snapshot, or one of its own while its transaction has changed the catalog; and
 * the search path and role that names are resolved with.
 */
export class CatalogView {
  readonly #parts: CatalogViewParts;
  #catalog: Catalog | undefined;
  #snapshot: Snapshot | undefined;
  #trust: Trust = none;
  #resolvedFrom = '';
  /** The catalog was changed since it was read. */
  #dirty = false;
  /** The catalog was changed in this transaction. */
  #changed = false;
  #stale = false;
  /** The transaction has begun to read: another question cannot be in the way of SET TRANSACTION any more. */
  #reading = false;
  /** Changes of the catalog by anybody, as counted when the snapshot was chosen. */
  #generation = 0;
  /** The settings were changed in this transaction: its end may change them back. */
  #unsettled = true;
  #probe = true;
  #setting = '';
  #role = '';
  #namespace = '';

  constructor(parts: CatalogViewParts) {
    this.#parts = parts;
  }

  /** Undefined when none was ever read. See `trust`. */
  get catalog(): Catalog | undefined {
    return this.#catalog;
  }

  /** Database, search path and role: what the text of a statement does not say. */
  get namespace(): string {
    return this.#namespace;
  }

  /** The end of the transaction may change back what names mean. */
  get unsettled(): boolean {
    return this.#unsettled || this.#changed;
  }

  /** Something was sent since the last refresh that may have changed what names mean. */
  get outdated(): boolean {
    return this.#dirty || this.#probe;
  }

  /** An operation was sent. */
  released(effect: Released): void {
    if (effect.changesCatalog) {
      this.#dirty = true;
      this.#changed = true;
    }
    if (effect.reads) this.#reading = true;
    if (effect.taints) this.#unsettled = true;
    if (effect.taints || (this.#unsettled && effect.transactionControl)) this.#probe = true;
  }

  /** The target said so by itself. */
  settingsChanged(): void {
    this.#unsettled = true;
    this.#probe = true;
  }

  /** A result named a relation that the snapshot does not have. */
  sawUnknown(): void {
    this.#stale = true;
  }

  /** The target is ready again. */
  ready(status: TransactionStatus): void {
    if (status !== 'I') return;
    this.#reading = false;
    if (this.#unsettled) this.#probe = true;
    const { catalogs, config, world } = this.#parts;
    // A temporary table stays unknown however often one looks.
    const recent = this.#snapshot && world.monotonicNs() - this.#snapshot.takenNs < unknownNs;
    if (this.#changed || (this.#stale && !recent)) catalogs.invalidate(config);
    this.#changed = false;
    this.#dirty = false;
    this.#stale = false;
  }

  /** How far `catalog` may be trusted. */
  get trust(): Trust {
    return this.#trust;
  }

  /** Makes `catalog` and `namespace` fit the present state. Call it while the target is idle, before anything is inspected. */
  async refresh(status: TransactionStatus): Promise<void> {
    // In a failed transaction every statement but its end fails; nothing can be asked either.
    if (status === 'E') return;
    const known = !this.#probe || (await this.#probePath(status));
    const current = await this.#current(status);
    if (current === 'same' && known && this.#resolvedFrom === this.#path) return;
    const snapshot = current === 'same' ? this.#snapshot : (current ?? this.#snapshot ?? this.#parts.catalogs.last(this.#parts.config));
    if (current !== 'same') this.#trust = current ? whole : snapshot ? old : none;
    if (!known) this.#trust = lost;
    this.#snapshot = snapshot;
    this.#resolvedFrom = known ? this.#path : '';
    this.#catalog = snapshot?.catalog(parseSearchPath(this.#setting, this.#role));
    this.#namespace = `database=${this.#parts.config.upstream.database};search_path=${this.#setting};role=${this.#role}`;
  }

  get #path(): string {
    return `${this.#role}\n${this.#setting}`;
  }

  /** The snapshot to use; `same` when it is the one in use, undefined when the target could not be asked. */
  async #current(status: TransactionStatus): Promise<Snapshot | 'same' | undefined> {
    const { catalogs, config } = this.#parts;
    if (status === 'T') {
      const changed = this.#dirty || (this.#reading && this.#generation !== catalogs.generation);
      if (!changed) return 'same';
      this.#dirty = false;
      this.#generation = catalogs.generation;
      return this.#load(inside);
    }
    this.#dirty = false;
    this.#generation = catalogs.generation;
    const fresh = catalogs.fresh(config);
    if (fresh) return fresh === this.#snapshot && this.#trust === whole ? 'same' : fresh;
    return catalogs.resting(config) ? undefined : catalogs.load(config, () => this.#load(outside));
  }

  /** Asks the target. What is committed is shared with other sessions. */
  async #load(sql: string): Promise<Snapshot | undefined> {
    const { catalogs, config, world } = this.#parts;
    // Stamped before the question: what changes while it is answered makes the snapshot older, not wrong.
    const takenNs = world.monotonicNs();
    const { generation } = catalogs;
    const answer = await this.#parts.ask(sql);
    if ('error' in answer) {
      // Texts of views need a lock on what they read, and somebody may just be altering that. The client's transaction must not suffer.
      catalogs.failed(config);
      await this.#parts.ask(sql === inside ? undo : 'ROLLBACK');
      return undefined;
    }
    // INVARIANT: temporary tables are in no snapshot. They hide tables of the same name, and whatever was copied into them has lost its
    // labels; so a name means the labelled table, and what really comes from a temporary one has an unknown origin.
    const rows = (answer.rows.at(-1) ?? []).filter((row) => row[2]?.startsWith('pg_temp_') !== true);
    const snapshot = catalogs.snapshot(rows, config, takenNs);
    if (sql === outside) catalogs.keep(snapshot, generation);
    return snapshot;
  }

  async #probePath(status: TransactionStatus): Promise<boolean> {
    const answer = await this.#parts.ask(probe);
    if ('error' in answer) return false;
    const [path, role, user] = answer.rows.map((result) => result[0]?.[0] ?? '');
    if (path === undefined || role === undefined || user === undefined) return false;
    this.#setting = path;
    this.#role = role === 'none' ? user : role;
    this.#probe = false;
    if (status === 'I') this.#unsettled = false;
    return true;
  }
}
