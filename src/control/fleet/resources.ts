import type { Ledger } from '#ledger';
import { canonicalJson, Fault, limits } from '#model';
import type { Resource, ResourceConfig, Upstream, World } from '#model';
import type { Store, Work } from '../store/database.ts';
import type { Sealing } from '../store/sealing.ts';

/** A resource as somebody wants it. Without a password the stored one stays, as long as it goes to the same place. */
export interface WantedResource {
  readonly resource: Omit<Resource, 'type' | 'id'>;
  readonly upstream: Omit<Upstream, 'password'> & { readonly password?: string };
  readonly classification: ResourceConfig['classification'];
}

export interface Resources {
  /** What gateways get: with the credentials. Never leaves through the API. */
  configs(): Promise<readonly ResourceConfig[]>;
  /** What everybody may see. */
  list(): Promise<readonly Resource[]>;
  /** One with its credential. NOT_FOUND. */
  find(name: string): Promise<{ readonly config: ResourceConfig; readonly changedAt: number }>;
  /** Stores what is new or different, recorded first; true when something changed. */
  put(configs: readonly ResourceConfig[], by: string): Promise<boolean>;
  /** Stores one, recorded first, and offers it. INVALID_INPUT when a password is needed and missing, or there is no room. */
  change(wanted: WantedResource, by: string): Promise<'created' | 'changed' | 'unchanged'>;
  /** Removes one, recorded first, and withdraws the offer. NOT_FOUND. */
  remove(name: string, by: string): Promise<void>;
  /** Hands over what is stored now; in order with every other offer, so that an older state never follows a newer one. */
  offer(to: (configs: readonly ResourceConfig[]) => void): Promise<void>;
}

interface Parts {
  readonly store: Store;
  readonly ledger: Pick<Ledger, 'append'>;
  readonly sealing: Sealing;
  readonly world: World;
  /** Told after a change is stored. */
  readonly onChanged: (configs: readonly ResourceConfig[]) => void;
}

const context = (id: string): string => `resource/${id}`;

export function openResources({ store, ledger, sealing, world, onChanged }: Parts): Resources {
  let offering: Promise<unknown> = Promise.resolve();
  // The value that `write` sealed; the seal proves that it is unchanged.
  const open = (id: string, config: Buffer): ResourceConfig => sealing.open(config, context(id)) as ResourceConfig;

  async function configs(): Promise<readonly ResourceConfig[]> {
    const rows = await store.db.selectFrom('resource').select(['id', 'config']).orderBy('name').execute();
    return rows.map((row) => open(row.id, row.config));
  }

  function offer(to: (configs: readonly ResourceConfig[]) => void): Promise<void> {
    const turn = offering.then(async () => to(await configs()));
    offering = turn.catch(() => undefined);
    return turn;
  }

  /** What is stored now; `undefined` also when it does not open, so that an installation with new keys can store it again. */
  async function stored(trx: Work, name: string): Promise<{ id: string; config: ResourceConfig | undefined } | undefined> {
    const row = await trx.selectFrom('resource').select(['id', 'config']).where('name', '=', name).forUpdate().executeTakeFirst();
    if (row === undefined) return undefined;
    try {
      return { id: row.id, config: open(row.id, row.config) };
    } catch {
      return { id: row.id, config: undefined };
    }
  }

  async function write(trx: Work, config: ResourceConfig, { by, known }: { by: string; known: boolean }): Promise<void> {
    const { id, name } = config.resource;
    await ledger.append({ kind: 'admin.resource', by, action: known ? 'change' : 'create', object: id });
    const values = { name, config: sealing.seal(config, context(id)), changed_at: world.now() };
    await trx
      .insertInto('resource')
      .values({ id, ...values })
      .onConflict((conflict) => conflict.column('id').doUpdateSet(values))
      .execute();
  }

  return {
    configs,
    offer,
    list: async () => (await configs()).map((config) => config.resource),

    async find(name) {
      const row = await store.db.selectFrom('resource').selectAll().where('name', '=', name).executeTakeFirst();
      if (row === undefined) throw new Fault('NOT_FOUND', `there is no resource ${name}`);
      return { config: open(row.id, row.config), changedAt: row.changed_at };
    },

    async put(wanted, by) {
      let changed = false;
      for (const config of wanted) {
        await store.transact(async (trx) => {
          const before = await stored(trx, config.resource.name);
          if (before?.config !== undefined && canonicalJson(before.config) === canonicalJson(config)) return;
          changed = true;
          await write(trx, config, { by, known: before !== undefined });
        });
      }
      if (changed) await offer(onChanged);
      return changed;
    },

    async change(wanted, by) {
      const change = await store.transact(async (trx) => {
        const { name } = wanted.resource;
        const before = await stored(trx, name);
        const config: ResourceConfig = {
          resource: { type: 'database', id: before?.id ?? `pg:${name}`, ...wanted.resource },
          upstream: { ...wanted.upstream, password: passwordFor(wanted, before?.config?.upstream) },
          classification: wanted.classification,
        };
        if (before?.config !== undefined && canonicalJson(before.config) === canonicalJson(config)) return 'unchanged';
        if (before === undefined) await checkRoom(trx);
        await write(trx, config, { by, known: before !== undefined });
        return before === undefined ? 'created' : 'changed';
      });
      // Also when nothing changed: a gateway that missed the offer gets it again.
      await offer(onChanged);
      return change;
    },

    async remove(name, by) {
      await store.transact(async (trx) => {
        const before = await stored(trx, name);
        if (before === undefined) throw new Fault('NOT_FOUND', `there is no resource ${name}`);
        await ledger.append({ kind: 'admin.resource', by, action: 'remove', object: before.id });
        await trx.deleteFrom('resource').where('id', '=', before.id).execute();
      });
      await offer(onChanged);
    },
  };
}

/**
 * INVARIANT: a password goes nowhere but where it was given for. Who may change a resource need not know its password, and must not learn it
 * by naming a server of their own.
 */
function passwordFor({ upstream }: WantedResource, before: Upstream | undefined): string {
  const { password, ...place } = upstream;
  if (password !== undefined) return password;
  if (before === undefined) throw new Fault('INVALID_INPUT', 'body.upstream.password: a new resource needs a password');
  const { password: kept, ...known } = before;
  if (canonicalJson(place) === canonicalJson(known)) return kept;
  throw new Fault('INVALID_INPUT', 'body.upstream.password: give the password again, because the address, account or TLS changes');
}

async function checkRoom(trx: Work): Promise<void> {
  const { count } = await trx
    .selectFrom('resource')
    .select(({ fn }) => fn.countAll<string | number>().as('count'))
    .executeTakeFirstOrThrow();
  if (Number(count) >= limits.resourcesMax) throw new Fault('INVALID_INPUT', `there are already ${limits.resourcesMax} resources`);
}
