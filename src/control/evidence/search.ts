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
  const columns = [...columnConditions(query), ...common];
  const terms = await termsOf(trx, query);
  const source = await textSource(trx, query.text);
  const parts = alternatives.map((alternative) => partOf(query, { columns: [...columns, ...alternative], terms, source }));
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

const found = sql`s.log, s.i, s.t, s.kind, s.subject`;
const newest = (alias: 's' | 'r'): Condition => sql.raw(`order by ${alias}.t desc, ${alias}.log desc, ${alias}.i desc`);

/**
 * One scan. What leads it is chosen here, because the planner cannot know: how often a term occurs says little about how often it occurs
 * together with something else.
 */
function partOf(
  query: SearchQuery,
  { columns, terms, source }: { columns: readonly Condition[]; terms: readonly Term[]; source: TextSource },
): Condition {
  const { limit } = query;
  const [led, ...others] = terms;
  const texts = source.kind === 'any' ? [source.condition] : source.kind === 'each' ? [sql`s.text_id = any(${source.ids}::bigint[])`] : [];
  if (led?.rare === true) {
    // A few thousand positions at most: all of them are looked at.
    const where = and([...time(query, 's'), ...columns, ...texts, ...others.map(occurs)]);
    return sql`(
      select ${found} from search_term r join search s on s.log = r.log and s.i = r.i
      where r.term = ${led.term} and ${and(time(query, 'r'))} and ${where} ${newest('s')} limit ${limit})`;
  }
  if (led !== undefined && columns.length === 0 && source.kind === 'none') {
    // The terms themselves are in order; OFFSET keeps the planner from turning that around.
    return sql`(
      select ${found} from search_term r cross join lateral (select * from search one where one.log = r.log and one.i = r.i offset 0) s
      where r.term = ${led.term} and ${and([...time(query, 'r'), ...others.map(occurs)])} ${newest('r')} limit ${limit})`;
  }
  const conditions = [...time(query, 's'), ...columns, ...terms.map(occurs)];
  if (source.kind === 'each') {
    return sql`(
      select one.* from unnest(${source.ids}::bigint[]) as wanted (id)
      cross join lateral (
        select ${found} from search s where ${and([...conditions, sql`s.text_id = wanted.id`])} ${newest('s')} limit ${limit}
      ) one
      order by one.t desc, one.log desc, one.i desc limit ${limit})`;
  }
  return sql`(select ${found} from search s where ${and([...conditions, ...texts])} ${newest('s')} limit ${limit})`;
}

function and(conditions: readonly Condition[]): Condition {
  return conditions.length === 0 ? sql`true` : sql.join(conditions, sql` and `);
}

/** Limits of time, and of what was seen before. */
function time({ since, until, after }: SearchQuery, alias: 's' | 'r'): Condition[] {
  const conditions: Condition[] = [];
  if (since !== undefined) conditions.push(sql`${sql.ref(`${alias}.t`)} >= ${since}`);
  if (until !== undefined) conditions.push(sql`${sql.ref(`${alias}.t`)} < ${until}`);
  if (after !== undefined) {
    const { t, log, i } = readCursor(after);
    conditions.push(sql`(${sql.raw(`${alias}.t, ${alias}.log, ${alias}.i`)}) < (${t}, ${log}, ${i})`);
  }
  return conditions;
}

function columnConditions(query: SearchQuery): Condition[] {
  return (['kind', 'session', 'resource', 'verdict', 'decision'] as const).flatMap((column) => {
    const wanted = query[column];
    return wanted === undefined ? [] : [sql`${sql.ref(`s.${column}`)} = ${wanted}`];
  });
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
    alternatives:
      led === undefined ? [[]] : [[sql`s.subject = ${led}`], [sql`s.on_behalf_of = ${led}`, sql`s.subject is distinct from ${led}`]],
  };
}

interface Term {
  readonly term: string;
  /** It occurs at most `limits.searchTermsRare` times. */
  readonly rare: boolean;
}

/** Rules and objects, the rarest first. */
async function termsOf(trx: Work, { rule, table }: SearchQuery): Promise<readonly Term[]> {
  const wanted = [...(rule === undefined ? [] : [`r:${rule}`]), ...(table === undefined ? [] : [`o:${table}`])];
  const counted: { term: string; count: number }[] = [];
  for (const term of wanted) {
    const { rows } = await sql<{ count: number }>`
      select count(*) as count from (select from search_term where term = ${term} limit ${limits.searchTermsRare + 1}) counted`.execute(
      trx,
    );
    counted.push({ term, count: rows[0]?.count ?? 0 });
  }
  return counted.sort((a, b) => a.count - b.count).map(({ term, count }) => ({ term, rare: count <= limits.searchTermsRare }));
}

/** A subquery with a limit is asked row by row and never becomes a join. */
function occurs({ term }: Term): Condition {
  return sql`exists (select from search_term o where o.term = ${term} and o.t = s.t and o.log = s.log and o.i = s.i limit 1 offset 0)`;
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
