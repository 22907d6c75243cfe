import { buildCatalog, type CatalogRows } from '#inspect';
import type { Catalog, Classification, ResourceConfig, World } from '#model';
import { StickyLabels } from './sticky-labels.ts';

/** A snapshot older than this is taken anew before the next operation. */
const snapshotNs = 60_000_000_000n;
/** Waiting for the snapshot that another session is making. */
const othersMs = 500;
/** Pause after the target could not be asked. */
const restNs = 2_000_000_000n;
/** Catalogs kept per snapshot, one for each search path in use. */
const pathsMax = 32;

/** What one introspection of a target gave, and the catalogs made of it. */
export class Snapshot {
  readonly config: ResourceConfig;
  readonly takenNs: bigint;
  readonly rows: CatalogRows;
  readonly #classification: Classification;
  readonly #catalogs = new Map<string, Catalog>();

  /** `classification` is that of the resource, with what is remembered of renamed columns. */
  constructor(rows: CatalogRows, config: ResourceConfig, options: { readonly takenNs: bigint; readonly classification: Classification }) {
    this.rows = rows;
    this.#classification = options.classification;
    this.config = config;
    this.takenNs = options.takenNs;
  }

  /** The catalog for sessions with this search path; the same object for the same path, so that inspections can be kept by it. */
  catalog(searchPath: readonly string[]): Catalog {
    const key = JSON.stringify(searchPath);
    const kept = this.#catalogs.get(key);
    if (kept) return kept;
    if (this.#catalogs.size >= pathsMax) this.#catalogs.clear();
    const made = buildCatalog(this.rows, this.#classification, searchPath);
    this.#catalogs.set(key, made);
    return made;
  }
}

/** Catalog snapshots of all targets, shared by the sessions of a gateway. */
export class Catalogs {
  readonly #world: World;
  readonly #snapshots = new Map<string, Snapshot>();
  readonly #loading = new Map<string, Promise<unknown>>();
  readonly #last = new Map<string, Snapshot>();
  readonly #failures = new Map<string, bigint>();
  readonly #sticky = new Map<string, StickyLabels>();
  /** Counts invalidations, so that rows read before one are not kept after it. */
  #generation = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** The snapshot for this resource, when it is young enough and made with the same classification. */
  fresh(config: ResourceConfig): Snapshot | undefined {
    const snapshot = this.#snapshots.get(config.resource.id);
    if (!snapshot || snapshot.config.classification !== config.classification) return undefined;
    return this.#world.monotonicNs() - snapshot.takenNs < snapshotNs ? snapshot : undefined;
  }

  /** The last snapshot that could be taken, however old. */
  last(config: ResourceConfig): Snapshot | undefined {
    const snapshot = this.#last.get(config.resource.id);
    return snapshot?.config.classification === config.classification ? snapshot : undefined;
  }

  /** Forgets the snapshot: something changed the target's catalog. */
  invalidate(config: ResourceConfig): void {
    this.#generation += 1;
    this.#snapshots.delete(config.resource.id);
  }

  /** A snapshot of these rows. Labels follow columns that were renamed. */
  snapshot(rows: CatalogRows, config: ResourceConfig, takenNs: bigint): Snapshot {
    const classification = this.#stickyOf(config).apply(rows, config.classification);
    return new Snapshot(rows, config, { takenNs, classification });
  }

  #stickyOf({ resource }: ResourceConfig): StickyLabels {
    const known = this.#sticky.get(resource.id) ?? new StickyLabels();
    this.#sticky.set(resource.id, known);
    return known;
  }

  /** Shares a snapshot of what is committed, unless something changed the catalog since `generation`. */
  keep(snapshot: Snapshot, generation: number): void {
    this.#last.set(snapshot.config.resource.id, snapshot);
    this.#stickyOf(snapshot.config).learn(snapshot.rows, snapshot.config.classification);
    if (generation === this.#generation) this.#snapshots.set(snapshot.config.resource.id, snapshot);
  }

  /** Counts the changes of any catalog that were seen. */
  get generation(): number {
    return this.#generation;
  }

  /** The target could not be asked; it is left alone for a while. */
  failed(config: ResourceConfig): void {
    this.#failures.set(config.resource.id, this.#world.monotonicNs());
  }

  resting(config: ResourceConfig): boolean {
    const since = this.#failures.get(config.resource.id);
    return since !== undefined && this.#world.monotonicNs() - since < restNs;
  }

  /** A fresh snapshot; `load` is asked for one unless another session of the same resource is just making it. */
  async load(config: ResourceConfig, load: () => Promise<Snapshot | undefined>): Promise<Snapshot | undefined> {
    const { id } = config.resource;
    const others = this.#loading.get(id);
    if (others) {
      await this.#patiently(others);
      const snapshot = this.fresh(config);
      if (snapshot) return snapshot;
    }
    const own = load();
    const waited = own.catch(() => undefined);
    this.#loading.set(id, waited);
    try {
      return await own;
    } finally {
      if (this.#loading.get(id) === waited) this.#loading.delete(id);
    }
  }

  /** Another session may be slow for reasons of its own; nobody depends on it for long. */
  #patiently(others: Promise<unknown>): Promise<void> {
    return new Promise((resolve) => {
      const patience = this.#world.after(othersMs, resolve);
      void others.finally(() => {
        patience.cancel();
        resolve();
      });
    });
  }
}
