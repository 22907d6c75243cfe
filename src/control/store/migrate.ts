import { Migrator } from 'kysely';
import type { Migration } from 'kysely';
import { Fault } from '#model';
import type { Store } from './database.ts';
import { migrations } from './tables.ts';

/** Brings the store up to date. Safe with several replicas at once: the migrator holds a lock. Throws CONFIG_INVALID when it cannot. */
export async function migrate(store: Store): Promise<readonly string[]> {
  const provider = { getMigrations: async (): Promise<Record<string, Migration>> => ({ ...migrations }) };
  const migrator = new Migrator({ db: store.db, provider, migrationTableName: 'migration', migrationLockTableName: 'migration_lock' });
  const { error, results } = await migrator.migrateToLatest();
  if (error !== undefined) {
    const failed = results?.find((result) => result.status === 'Error')?.migrationName;
    const cause = error instanceof Error ? error.message : String(error);
    throw new Fault(
      'CONFIG_INVALID',
      `the store could not be migrated${failed === undefined ? '' : ` (${failed})`}: ${cause}; is the database newer than this program?`,
      { cause: error },
    );
  }
  return (results ?? []).map((result) => result.migrationName);
}
