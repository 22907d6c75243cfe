import type { Migration } from 'kysely';
import type { ApprovalTables } from '../approvals/tables.ts';
import { approvalMigrations } from '../approvals/tables.ts';
import type { EvidenceTables } from '../evidence/tables.ts';
import type { SearchTables } from '../evidence/search-tables.ts';
import { searchMigrations } from '../evidence/search-tables.ts';
import { evidenceMigrations } from '../evidence/tables.ts';
import type { FleetTables } from '../fleet/tables.ts';
import { fleetMigrations } from '../fleet/tables.ts';
import type { IdentityTables } from '../identity/tables.ts';
import { identityMigrations } from '../identity/tables.ts';
import type { RolloutTables } from '../policies/rollouts/index.ts';
import { rolloutMigrations } from '../policies/rollouts/index.ts';
import type { PolicyTables } from '../policies/tables.ts';
import { policyMigrations } from '../policies/tables.ts';
import type { CopyTables } from '../recordings/copies/tables.ts';
import { copyMigrations } from '../recordings/copies/tables.ts';
import type { SinkTables } from '../sinks/tables.ts';
import { sinkMigrations } from '../sinks/tables.ts';

/** Every table of the store; each is declared, migrated and written by the folder that owns it. */
export interface Tables
  extends IdentityTables,
    PolicyTables,
    RolloutTables,
    FleetTables,
    ApprovalTables,
    EvidenceTables,
    SearchTables,
    SinkTables,
    CopyTables {}

/**
 * All migrations; they run in the order of their names. Forward only: a released one is never edited, and a new one sorts after all others.
 */
export const migrations: Readonly<Record<string, Migration>> = {
  ...identityMigrations,
  ...policyMigrations,
  ...rolloutMigrations,
  ...fleetMigrations,
  ...approvalMigrations,
  ...evidenceMigrations,
  ...searchMigrations,
  ...sinkMigrations,
  ...copyMigrations,
};
