import { sql } from 'kysely';
import type { Subject } from '#model';

/** True for readers who see the sessions of everybody. */
export function seesAllSessions(viewer: Subject): boolean {
  return viewer.roles.some((role) => role === 'auditor' || role === 'administrator' || role === 'operator');
}

/** Condition on rows of `record` that name a subject: only those the viewer may see. */
export function visibleRecords(viewer: Subject, alias = 'record') {
  if (seesAllSessions(viewer)) return sql<boolean>`true`;
  return sql<boolean>`${viewer.id} in (${sql.ref(`${alias}.subject`)}, ${sql.ref(`${alias}.on_behalf_of`)})`;
}
