import type { RawBuilder } from 'kysely';
import { sql } from 'kysely';
import { Fault, limits } from '#model';
import type { Subject } from '#model';
import type { Store, Work } from '../store/database.ts';
import { objectAt } from './entry.ts';
import { seesAllSessions } from './read-access.ts';

/** What is looked for; everything that is given must hold. */
export interface SearchQuery {
  readonly viewer: Subject;
  /** From this moment on, up to but without that one; wall clock, ms. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly kind?: string | undefined;
  readonly session?: string | undefined;
  /** Who acted, or for whom an agent acted. */
  readonly subject?: string | undefined;
  readonly resource?: string | undefined;
  /** `policy/rule`: decisive, matched in any mode, or shaping the response. */
  readonly rule?: string | undefined;
  readonly verdict?: string | undefined;
  /** An object that was touched, e.g. `public.orders`. */
  readonly table?: string | undefined;
  /** Part of the normalized text, in any case. */
  readonly text?: string | undefined;
  readonly decision?: string | undefined;
  /** Cursor of the last record seen. */
  readonly after?: string | undefined;
  readonly limit: number;
}

export interface FoundRecord {
  /** `origin#index` */
  readonly record: string;
  readonly t: number;
  readonly kind: string;
  readonly session?: string;
  readonly n?: number;
  readonly subject?: string;
  readonly onBehalfOf?: string;
  readonly resource?: string;
  readonly decision?: string;
  readonly verdict?: string;
  readonly reason?: string;
  readonly verb?: string;
  readonly objects: readonly string[];
  readonly normalized?: string;
  readonly rules: readonly string[];
  /** For the next page. */
  readonly cursor: string;
}

type Condition = RawBuilder<unknown>;

/** The newest records first. INVALID_INPUT when the search takes longer than `limits.searchMs`. */
export async function searchRecords(store: Store, query: SearchQuery): Promise<readonly FoundRecord[]> {
  try {
    return await store.transact(async (trx) => {
      await sql`select set_config('statement_timeout', ${String(limits.searchMs)}, true)`.execute(trx);
      await sql`lock table search_log in access share mode`.execute(trx);
      return (await pageOf(trx, query)).map(foundRecord);
    });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === '57014') {
      throw new Fault('INVALID_INPUT', `the search took longer than ${limits.searchMs / 1000} s; narrow it, for example by time`, {
        cause: error,
      });
    }
    throw error;
  }
}

interface FoundRow {
  readonly origin: string;
  readonly log: number;
  readonly i: number;
  readonly t: number;
  readonly kind: string;
  readonly subject: string | null;
  readonly line: string | null;
}

/** The page is cut from the index alone; only then are its lines read. */
async function pageOf(trx: Work, query: SearchQuery): Promise<readonly FoundRow[]> {
  const { common, alternatives } = subjectConditions(query);
  const source = await textSource(trx, query.text);
  const page = (conditions: readonly Condition[]): Condition => sql`
    select s.log, s.i, s.t, s.kind, s.subject
    from search s ${joins(query)}
    where ${sql.join(conditions, sql` and `)}
    order by s.t desc, s.log desc, s.i desc limit ${query.limit}`;
  const parts = alternatives.map((alternative) => {
    const conditions = [sql`true`, ...columnConditions(query), ...common, ...alternative];
    if (source.kind === 'each') {
      return sql`(
        select one.* from unnest(${source.ids}::bigint[]) as wanted (id)
        cross join lateral (${page([...conditions, sql`s.text_id = wanted.id`])}) one
        order by one.t desc, one.log desc, one.i desc limit ${query.limit})`;
    }
    return sql`(${page(source.kind === 'any' ? [...conditions, source.condition] : conditions)})`;
  });
  const { rows } = await sql<FoundRow>`
    select page.*, l.origin, r.line
    from (
      select * from (${sql.join(parts, sql` union all `)}) every
      order by t desc, log desc, i desc limit ${query.limit}
    ) page
    join search_log l on l.id = page.log
    left join record r on r.origin = l.origin and r.i = page.i
    order by page.t desc, page.log desc, page.i desc`.execute(trx);
  return rows;
}

function columnConditions(query: SearchQuery): Condition[] {
  const conditions: Condition[] = [];
  if (query.since !== undefined) conditions.push(sql`s.t >= ${query.since}`);
  if (query.until !== undefined) conditions.push(sql`s.t < ${query.until}`);
  if (query.after !== undefined) {
    const { t, log, i } = readCursor(query.after);
    conditions.push(sql`(s.t, s.log, s.i) < (${t}, ${log}, ${i})`);
  }
  for (const column of ['kind', 'session', 'resource', 'verdict', 'decision'] as const) {
    const wanted = query[column];
    if (wanted !== undefined) conditions.push(sql`${sql.ref(`s.${column}`)} = ${wanted}`);
  }
  return conditions;
}

/**
 * Subjects find what they did, and what their agents did for them; others find everything. What a subject is part of comes from two
 * scans in the order of time, which are quick where one with an OR is not.
 */
function subjectConditions({ viewer, subject }: SearchQuery): { common: Condition[]; alternatives: Condition[][] } {
  const restricted = !seesAllSessions(viewer);
  const led = subject ?? (restricted ? viewer.id : undefined);
  return {
    common: restricted && subject !== undefined ? [sql`${viewer.id} in (s.subject, s.on_behalf_of)`] : [],
    alternatives: led === undefined ? [[]] : [[sql`s.subject = ${led}`], [sql`s.on_behalf_of = ${led}`, sql`s.subject is distinct from ${led}`]],
  };
}

/** Terms are joined by the whole key: either side can lead, and both are in the order of time. */
function joins({ rule, table }: SearchQuery): Condition {
  const terms = [...(rule === undefined ? [] : [`r:${rule}`]), ...(table === undefined ? [] : [`o:${table}`])];
  const joined = terms.map((term, at) => {
    const alias = sql.ref(`term_${at}`);
    return sql`join search_term ${alias} on ${alias}.term = ${term} and ${alias}.t = s.t and ${alias}.log = s.log and ${alias}.i = s.i`;
  });
  return joined.length === 0 ? sql`` : sql.join(joined, sql` `);
}

type TextSource =
  | { readonly kind: 'none' }
  /** Few texts match: the newest records of each are read. */
  | { readonly kind: 'each'; readonly ids: readonly number[] }
  /** Many match, so the newest records will do. */
  | { readonly kind: 'any'; readonly condition: Condition };

async function textSource(trx: Work, text: string | undefined): Promise<TextSource> {
  if (text === undefined) return { kind: 'none' };
  const like = `%${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
  const { rows } = await sql<{ id: number }>`
    select id from search_text where text ilike ${like} limit ${limits.searchTextsMax + 1}`.execute(trx);
  if (rows.length <= limits.searchTextsMax) return { kind: 'each', ids: rows.map((row) => row.id) };
  return { kind: 'any', condition: sql`s.text_id in (select id from search_text where text ilike ${like})` };
}

function readCursor(text: string): { t: number; log: number; i: number } {
  const [t, log, i, ...rest] = text.split('.').map(Number);
  if (rest.length > 0 || ![t, log, i].every(Number.isSafeInteger) || t === undefined || log === undefined || i === undefined) {
    throw new Fault('INVALID_INPUT', '`after` is not the `next` of an earlier page');
  }
  return { t, log, i };
}

function foundRecord({ origin, log, i, t, kind, subject, line }: FoundRow): FoundRecord {
  // Lines were checked when they were mirrored; one that is gone leaves what the index knows.
  const entry = (line === null ? {} : JSON.parse(line)) as Record<string, unknown>;
  const who = objectAt(entry, 'who');
  const what = objectAt(entry, 'what');
  const decision = objectAt(entry, 'decision');
  return {
    record: `${origin}#${i}`,
    t,
    kind,
    ...text('session', entry['session']),
    ...(Number.isSafeInteger(entry['n']) ? { n: Number(entry['n']) } : {}),
    ...text('subject', subject),
    ...text('onBehalfOf', who['onBehalfOf']),
    ...text('resource', what['resource']),
    ...text('decision', decision['id']),
    ...text('verdict', decision['verdict']),
    ...text('reason', decision['reason'] ?? entry['reason']),
    ...text('verb', what['verb'] ?? entry['action']),
    ...text('normalized', what['normalized']),
    objects: typeof entry['object'] === 'string' ? [entry['object']] : list(what['objects']),
    rules: list(decision['rules']),
    cursor: `${t}.${log}.${i}`,
  };
}

function text<Key extends string>(key: Key, value: unknown): Partial<Record<Key, string>> {
  // The compiler does not see that a computed key of one literal makes such an object.
  return typeof value === 'string' ? ({ [key]: value } as Record<Key, string>) : {};
}

function list(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
}
