import { catalogQuery } from '#inspect';
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
    const { catalogs, config, world } = this.#parts;
    if (status === 'I') return catalogs.fresh(config) ?? (await catalogs.load(config, () => this.#rows(outside)));
    if (!this.#dirty) return this.#own ?? this.#snapshot;
    this.#dirty = false;
    const takenNs = world.monotonicNs();
    const rows = await this.#rows(inside);
    this.#own = rows && new Snapshot(rows, config, takenNs);
    return this.#own;
  }

  async #rows(sql: string): Promise<ConstructorParameters<typeof Snapshot>[0] | undefined> {
    const answer = await this.#parts.ask(sql);
    return 'error' in answer ? undefined : (answer.rows.at(-1) as never);
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
