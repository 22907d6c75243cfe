import type { Ledger } from '#ledger';
import { canonicalJson } from '#model';
import type { Resource, ResourceConfig, World } from '#model';
import type { Database, Store } from '../store/database.ts';
import type { Sealing } from '../store/sealing.ts';

export interface Resources {
  /** What gateways get: with the credentials. Never leaves through the API. */
  configs(): Promise<readonly ResourceConfig[]>;
  /** What everybody may see. */
  list(): Promise<readonly Resource[]>;
  /** Stores what is new or different, recorded first; true when something changed. */
  put(configs: readonly ResourceConfig[], by: string): Promise<boolean>;
}

const context = (id: string): string => `resource/${id}`;

export function openResources({
  store,
  ledger,
  sealing,
  world,
}: {
  store: Store;
  ledger: Pick<Ledger, 'append'>;
  sealing: Sealing;
  world: World;
}): Resources {
  async function configs(): Promise<readonly ResourceConfig[]> {
    const rows = await store.db.selectFrom('resource').select(['id', 'config']).orderBy('name').execute();
    // The value that `put` sealed; the seal proves that it is unchanged.
    return rows.map((row) => sealing.open(row.config, context(row.id)) as ResourceConfig);
  }

  return {
    configs,
    list: async () => (await configs()).map((config) => config.resource),
    async put(wanted, by) {
      let changed = false;
      for (const config of wanted) {
        const { id, name } = config.resource;
        const stored = await storedConfig(store.db, sealing, id);
        if (stored !== undefined && canonicalJson(stored) === canonicalJson(config)) continue;
        changed = true;
        await ledger.append({ kind: 'admin.resource', by, action: stored === undefined ? 'create' : 'change', object: id });
        const values = { name, config: sealing.seal(config, context(id)), changed_at: world.now() };
        await store.db
          .insertInto('resource')
          .values({ id, ...values })
          .onConflict((conflict) => conflict.column('id').doUpdateSet(values))
          .execute();
      }
      return changed;
    },
  };
}

/** What is stored now; `undefined` also when it does not open, so that an installation with new keys can store it again. */
async function storedConfig(db: Database, sealing: Sealing, id: string): Promise<unknown> {
  const row = await db.selectFrom('resource').select('config').where('id', '=', id).executeTakeFirst();
  if (row === undefined) return undefined;
  try {
    return sealing.open(row.config, context(id));
  } catch {
    return undefined;
  }
}
