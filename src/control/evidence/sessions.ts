import { sql } from 'kysely';
import { Fault } from '#model';
import type { Subject } from '#model';
import type { Database } from '../store/database.ts';
import { visibleRecords } from './read-access.ts';

export interface SessionView {
  readonly id: string;
  readonly subject: string;
  /** The human the subject acts for. */
  readonly onBehalfOf?: string;
  readonly resource: string;
  readonly point: string;
  readonly source: string;
  readonly client: string;
  /** Origin of the ledger that recorded it. */
  readonly gateway: string;
  readonly opened: number;
  readonly closed?: number;
  readonly operations: number;
  readonly denied: number;
}

export interface SessionQuery {
  readonly viewer: Subject;
  readonly subject?: string | undefined;
  readonly resource?: string | undefined;
  /** Only sessions that are open. */
  readonly open?: boolean | undefined;
  readonly after?: string | undefined;
  readonly limit: number;
}

/** Sessions that the viewer may see, newest first. `after` is the cursor of the last one seen. */
export async function listSessions(db: Database, query: SessionQuery): Promise<readonly SessionView[]> {
  const conditions = [sql`opened.kind = 'session.opened'`, visibleRecords(query.viewer, 'opened')];
  if (query.subject !== undefined) conditions.push(sql`opened.subject = ${query.subject}`);
  if (query.resource !== undefined) conditions.push(sql`opened.resource = ${query.resource}`);
  if (query.open === true) {
    conditions.push(
      sql`not exists (select from record ended where ended.session = opened.session and ended.kind in ('session.closed', 'session.lost'))`,
    );
  }
  if (query.after !== undefined) {
    const { t, session } = readCursor(query.after);
    conditions.push(sql`(opened.t, opened.session) < (${t}, ${session})`);
  }
  return sessionRows(db, { condition: sql.join(conditions, sql` and `), limit: query.limit });
}

/** NOT_FOUND also when the viewer may not see it. */
export async function findSession(db: Database, { viewer, id }: { viewer: Subject; id: string }): Promise<SessionView> {
  const condition = sql`opened.kind = 'session.opened' and opened.session = ${id} and ${visibleRecords(viewer, 'opened')}`;
  const [found] = await sessionRows(db, { condition, limit: 1 });
  if (found === undefined) throw new Fault('NOT_FOUND', `there is no session ${id}`);
  return found;
}

export function sessionCursor(session: SessionView): string {
  return `${session.opened}.${session.id}`;
}

function readCursor(text: string): { t: number; session: string } {
  const dot = text.indexOf('.');
  const t = Number(text.slice(0, dot));
  if (dot < 1 || !Number.isSafeInteger(t)) throw new Fault('INVALID_INPUT', '`after` is not the `next` of an earlier page');
  return { t, session: text.slice(dot + 1) };
}

interface SessionRow {
  session: string;
  subject: string;
  on_behalf_of: string | null;
  resource: string;
  origin: string;
  t: number;
  what: { point?: string; client?: string } | null;
  source: string | null;
  closed: number | null;
  operations: number;
  denied: number;
}

/** The page is cut first; only then are the operations of its sessions counted. */
async function sessionRows(
  db: Database,
  { condition, limit }: { condition: ReturnType<typeof sql>; limit: number },
): Promise<readonly SessionView[]> {
  const { rows } = await sql<SessionRow>`
    select page.*, counts.*
    from (
      select opened.session, opened.subject, opened.on_behalf_of, opened.resource, opened.origin, opened.t,
        opened.line::jsonb -> 'what' as what, opened.line::jsonb -> 'who' ->> 'source' as source
      from record opened where ${condition}
      order by opened.t desc, opened.session desc limit ${limit}
    ) page
    cross join lateral (
      select max(one.t) filter (where one.kind in ('session.closed', 'session.lost')) as closed,
        count(distinct one.operation) filter (where one.kind = 'operation.decided') as operations,
        count(distinct one.operation) filter (where one.kind = 'operation.decided' and one.verdict = 'deny') as denied
      from record one where one.session = page.session and one.origin = page.origin
    ) counts
    order by page.t desc, page.session desc`.execute(db);
  return rows.map((row) => ({
    id: row.session,
    subject: row.subject,
    ...(row.on_behalf_of === null ? {} : { onBehalfOf: row.on_behalf_of }),
    resource: row.resource,
    point: row.what?.point ?? '',
    source: row.source ?? '',
    client: row.what?.client ?? '',
    gateway: row.origin,
    opened: row.t,
    ...(row.closed === null ? {} : { closed: row.closed }),
    operations: row.operations,
    denied: row.denied,
  }));
}
