import { buildCatalog, type CatalogRows } from '#inspect';
import type { Catalog, ResourceConfig, World } from '#model';

/** A snapshot older than this is taken anew before the next operation. */
const snapshotNs = 60_000_000_000n;
/** Catalogs kept per snapshot, one for each search path in use. */
const pathsMax = 32;

/** What one introspection of a target gave, and the catalogs made of it. */
export class Snapshot {
  readonly config: ResourceConfig;
  readonly takenNs: bigint;
  readonly #rows: CatalogRows;
  readonly #catalogs = new Map<string, Catalog>();

  constructor(rows: CatalogRows, config: ResourceConfig, takenNs: bigint) {
    this.#rows = rows;
    this.config = config;
    this.takenNs = takenNs;
  }

  /** The catalog for sessions with this search path; the same object for the same path, so that inspections can be kept by it. */
  catalog(searchPath: readonly string[]): Catalog {
    const key = JSON.stringify(searchPath);
    let catalog = this.#catalogs.get(key);
    if (!catalog) {
      if (this.#catalogs.size >= pathsMax) this.#catalogs.clear();
      catalog = buildCatalog(this.#rows, this.config.classification, searchPath);
      this.#catalogs.set(key, catalog);
    }
    return catalog;
  }
}

/** Catalog snapshots of all targets, shared by the sessions of a gateway. */
export class Catalogs {
  readonly #world: World;
  readonly #snapshots = new Map<string, Snapshot>();
  readonly #loading = new Map<string, Promise<unknown>>();
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

  /** Forgets the snapshot: something changed the target's catalog. */
  invalidate(config: ResourceConfig): void {
    this.#generation += 1;
    this.#snapshots.delete(config.resource.id);
  }

  /** A fresh snapshot; `load` is asked for the rows unless another session of the same resource is just doing that. */
  async load(config: ResourceConfig, load: () => Promise<CatalogRows | undefined>): Promise<Snapshot | undefined> {
    const others = this.#loading.get(config.resource.id);
    if (others) {
      await others;
      const snapshot = this.fresh(config);
      if (snapshot) return snapshot;
    }
    const own = this.#load(config, load);
    const waited = own.catch(() => undefined);
    this.#loading.set(config.resource.id, waited);
    try {
      return await own;
    } finally {
      if (this.#loading.get(config.resource.id) === waited) this.#loading.delete(config.resource.id);
    }
  }

  async #load(config: ResourceConfig, load: () => Promise<CatalogRows | undefined>): Promise<Snapshot | undefined> {
    // Stamped before the query: what changes while it runs makes the snapshot older, not wrong.
    const takenNs = this.#world.monotonicNs();
    const generation = this.#generation;
    const rows = await load();
    if (!rows) return undefined;
    const snapshot = new Snapshot(rows, config, takenNs);
    if (generation === this.#generation) this.#snapshots.set(config.resource.id, snapshot);
    return snapshot;
  }
}
