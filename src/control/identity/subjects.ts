import type { Selectable } from 'kysely';
import { Fault } from '#model';
import type { Role, Subject, World } from '#model';
import type { Database, Store, Work } from '../store/database.ts';
import { scramIterations } from './scram.ts';
import type { IdentityTables } from './tables.ts';

export type SubjectRow = Selectable<IdentityTables['subject']>;

interface Account {
  readonly name: string;
  readonly groups: readonly string[];
  readonly roles: readonly Role[];
}

/** Whoever can read the home operates it. In no group, so never a reviewer of anything. */
export const operator: Account = { name: 'operator', groups: [], roles: ['administrator', 'policy-author', 'operator', 'auditor'] };

export const demoAccounts: readonly Account[] = [
  { name: 'engineer', groups: ['engineering'], roles: ['requester'] },
  { name: 'reviewer', groups: ['dba', 'engineering'], roles: ['reviewer', 'requester', 'policy-author'] },
  { name: 'auditor', groups: ['audit'], roles: ['auditor', 'reader'] },
];

export function subjectOf(row: SubjectRow): Subject {
  return {
    id: row.id,
    name: row.name,
    type: row.type,
    groups: row.groups,
    roles: row.roles,
    ...(row.on_behalf_of === null ? {} : { onBehalfOf: row.on_behalf_of }),
  };
}

/** The accounts that exist without anybody making them; ids are `user:<name>`. Existing ones keep their salt. */
export async function ensureAccounts(store: Store, { world, demo }: { world: World; demo: boolean }): Promise<void> {
  for (const account of demo ? [operator, ...demoAccounts] : [operator]) {
    await putSubject(store.db, { id: `user:${account.name}`, type: 'user', ...account }, world);
  }
}

/** Creates a subject or updates its groups and roles; one that was removed is there again. */
export async function putSubject(db: Database | Work, subject: Subject, world: World): Promise<void> {
  const changing = {
    groups: [...subject.groups],
    roles: [...subject.roles],
    on_behalf_of: subject.onBehalfOf === undefined ? null : JSON.stringify(subject.onBehalfOf),
    removed_at: null,
  };
  await db
    .insertInto('subject')
    .values({
      id: subject.id,
      name: subject.name,
      type: subject.type,
      salt: Buffer.from(world.randomBytes(16)).toString('base64'),
      iterations: scramIterations,
      created_at: world.now(),
      ...changing,
    })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(changing))
    .execute();
}

/** The subject with this login name or this id, unless it was removed. */
export async function findSubject(db: Database | Work, nameOrId: string): Promise<SubjectRow | undefined> {
  return db
    .selectFrom('subject')
    .selectAll()
    .where((is) => is.or([is('name', '=', nameOrId), is('id', '=', nameOrId)]))
    .where('removed_at', 'is', null)
    .executeTakeFirst();
}

export async function requireSubject(db: Database | Work, nameOrId: string): Promise<SubjectRow> {
  const row = await findSubject(db, nameOrId);
  if (row === undefined) throw new Fault('NOT_FOUND', `there is no subject "${nameOrId}"`);
  return row;
}
