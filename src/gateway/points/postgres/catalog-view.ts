import { catalogQuery, type CatalogRow } from '#inspect';
import type { Catalog, ResourceConfig, World } from '#model';
import { Snapshot, type Catalogs } from './catalogs.ts';
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
}

// None of these takes a snapshot or a lock, so they do not take the first slot of a transaction.
const probe = 'SHOW search_path; SHOW role; SHOW session_authorization';
const guarded = `SET LOCAL search_path TO pg_catalog; SET LOCAL statement_timeout TO '10s'; ${catalogQuery}`;
// EVASION: with a search path of the client's choice, operators of the query could be the client's own; and a setting must not stay changed.
const outside = `BEGIN READ ONLY; ${guarded}; ROLLBACK`;
const inside = `SAVEPOINT warder_catalog; ${guarded}; ROLLBACK TO SAVEPOINT warder_catalog; RELEASE SAVEPOINT warder_catalog`;

/**
 * How one session sees the catalog of its target: the shared snapshot, or one of its own while its transaction has changed the catalog; and
 * the search path and role that names are resolved with.
 */
export class CatalogView {
  readonly #parts: CatalogViewParts;
  #catalog: Catalog | undefined;
  #snapshot: Snapshot | undefined;
  /** Taken inside a transaction that changed the catalog: nobody else sees what it shows. */
  #own: Snapshot | undefined;
  #dirty = false;
  #stale = false;
  /** The next snapshot outside a transaction must be this session's own. */
  #looks = false;
  #temporary: readonly CatalogRow[] = [];
  #joined: Snapshot | undefined;
  #joinedFrom: Snapshot | undefined;
  /** The settings were changed in this transaction: its end may change them back. */
  #unsettled = true;
  #probe = true;
  #setting = '';
  #role = '';
  #namespace = '';

  constructor(parts: CatalogViewParts) {
    this.#parts = parts;
  }

  /** Undefined when it could not be read: then nothing is known of any column. */
  get catalog(): Catalog | undefined {
    return this.#catalog;
  }

  /** Database, search path and role: what the text of a statement does not say. */
  get namespace(): string {
    return this.#namespace;
  }

  get unsettled(): boolean {
    return this.#unsettled;
  }

  /** An operation was sent. */
  released(effect: Released): void {
    if (effect.changesCatalog) this.#dirty = true;
    if (effect.taints) this.#unsettled = true;
    if (effect.taints || (this.#unsettled && effect.transactionControl)) this.#probe = true;
  }

  /** A result named a relation that the snapshot does not have. */
  sawUnknown(): void {
    this.#stale = true;
  }

  /** The target is ready again. */
  ready(status: TransactionStatus): void {
    if (status !== 'I') return;
    if (this.#unsettled) this.#probe = true;
    if (!this.#dirty && !this.#own && !this.#stale) return;
    this.#parts.catalogs.invalidate(this.#parts.config);
    if (this.#dirty || this.#own) this.#looks = true;
    this.#dirty = false;
    this.#stale = false;
    this.#own = undefined;
  }

  /** Makes `catalog` and `namespace` fit the present state. Call it while the target is idle, before anything is inspected. */
  async refresh(status: TransactionStatus): Promise<void> {
    // In a failed transaction every statement but its end fails; nothing can be asked either.
    if (status === 'E') return;
    const known = !this.#probe || (await this.#probePath(status));
    const before = this.#snapshot;
    this.#snapshot = known ? await this.#current(status) : undefined;
    if (this.#snapshot === before && this.#catalog && this.#path === this.#resolvedFrom) return;
    this.#resolvedFrom = this.#path;
    this.#catalog = this.#snapshot?.catalog(parseSearchPath(this.#setting, this.#role));
    this.#namespace = `database=${this.#parts.config.upstream.database};search_path=${this.#setting};role=${this.#role}`;
  }

  #resolvedFrom = '';

  get #path(): string {
    return `${this.#role}\n${this.#setting}`;
  }

  async #current(status: TransactionStatus): Promise<Snapshot | undefined> {
    const { catalogs, config } = this.#parts;
    if (status === 'T') {
      if (this.#dirty) this.#own = await this.#load(inside);
      this.#dirty = false;
      return this.#own ?? this.#snapshot;
    }
    // Whoever changed the catalog looks for itself: it may have made temporary tables, which nobody else sees.
    const shared = this.#looks ? await this.#load(outside) : (catalogs.fresh(config) ?? (await catalogs.load(config, () => this.#load(outside))));
    this.#looks = false;
    return this.#withTemporary(shared);
  }

  /** Asks the target. What is its own session's alone stays out of what is shared. */
  async #load(sql: string): Promise<Snapshot | undefined> {
    const { catalogs, config, world } = this.#parts;
    // Stamped before the question: what changes while it is answered makes the snapshot older, not wrong.
    const takenNs = world.monotonicNs();
    const { generation } = catalogs;
    const answer = await this.#parts.ask(sql);
    if ('error' in answer) return undefined;
    const rows = answer.rows.at(-1) ?? [];
    if (sql === inside) return new Snapshot(rows, config, takenNs);
    this.#temporary = rows.filter(isTemporary);
    const shared = new Snapshot(this.#temporary.length === 0 ? rows : rows.filter((row) => !isTemporary(row)), config, takenNs);
    catalogs.keep(shared, generation);
    return shared;
  }

  /**
   * INVARIANT: temporary tables hide others of the same name, so those of one session must not be seen by another; it would take a
   * labelled table for a temporary one without labels.
   */
  #withTemporary(shared: Snapshot | undefined): Snapshot | undefined {
    if (!shared || this.#temporary.length === 0) return shared;
    if (this.#joinedFrom !== shared) this.#joined = new Snapshot([...shared.rows, ...this.#temporary], shared.config, shared.takenNs);
    this.#joinedFrom = shared;
    return this.#joined;
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

function isTemporary(row: CatalogRow): boolean {
  return row[2]?.startsWith('pg_temp_') === true;
}
