import type { RawBuilder } from 'kysely';
import { sql } from 'kysely';
import { Fault, limits } from '#model';
import type { Subject } from '#model';
import type { Work } from '../store/database.ts';
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

type Condition = RawBuilder<unknown>;

/** The only kind that has a verdict. */
export const decidedKind = 'operation.decided';

const found = sql`s.log, s.i, s.t, s.kind, s.subject`;
const newest = (alias: 's' | 'r'): Condition => sql.raw(`order by ${alias}.t desc, ${alias}.log desc, ${alias}.i desc`);

/**
 * One scan. What leads it is chosen here, because the planner cannot know: how often a term occurs says little about how often it occurs
 * together with something else.
 */
export function partOf(query: SearchQuery, { columns, terms, source }: Wanted): Condition {
  const { limit } = query;
  const [led, ...others] = terms;
  const texts = source.kind === 'any' ? [source.condition] : source.kind === 'each' ? [sql`s.text_id = any(${source.ids}::bigint[])`] : [];
  if (led?.rare === true) {
    // A few thousand positions at most: all of them are looked at.
    const where = and([...time(query, 's'), ...columns.map(({ holds }) => holds), ...texts, ...others.map(occurs)]);
    return sql`(
      select ${found} from search_term r cross join lateral (select * from search one where one.log = r.log and one.i = r.i offset 0) s
      where r.term = ${led.term} and ${and(time(query, 'r'))} and ${where} ${newest('s')} limit ${limit})`;
  }
  const lead = leadOf(columns);
  // Many texts have so many records that reading those of each is more than reading those of everything else that is asked for.
  const each =
    source.kind === 'each' && (source.ids.length <= limits.searchTextsEachMax || (led === undefined && lead.length === 0))
      ? source
      : undefined;
  if (led !== undefined && each === undefined && (lead.length > 0 || columns.length === 0)) {
    return positionsFirst(query, { lead, rest: columns.filter((one) => !lead.includes(one)), terms, texts });
  }
  const conditions = [...time(query, 's'), ...columns.map(({ holds }) => holds), ...terms.map(occurs)];
  if (each !== undefined && columns.length === 0 && terms.length === 0) {
    // From the index alone: of many texts with many records each, only the newest of all are looked up.
    return sql`(
      select ${found} from (
        select r.t, r.log, r.i from unnest(${each.ids}::bigint[]) as wanted (id)
        cross join lateral (
          select r.t, r.log, r.i from search r where ${and([...time(query, 'r'), sql`r.text_id = wanted.id`])} ${newest('r')} limit ${limit}
        ) r
        ${newest('r')} limit ${limit}
      ) r join search s on s.log = r.log and s.i = r.i)`;
  }
  if (each !== undefined) {
    return sql`(
      select one.* from unnest(${each.ids}::bigint[]) as wanted (id)
      cross join lateral (
        select ${found} from search s where ${and([...conditions, sql`s.text_id = wanted.id`])} ${newest('s')} limit ${limit}
      ) one
      order by one.t desc, one.log desc, one.i desc limit ${limit})`;
  }
  return sql`(select ${found} from search s where ${and([...conditions, ...texts])} ${newest('s')} limit ${limit})`;
}

/**
 * Positions come from the index of the columns, where there are any, and from those of the terms, each in its order and side by side. Only what is in
 * all of them is looked up as a record: indexes are read in one go, records lie far apart. OFFSET keeps the planner from turning that around.
 */
function positionsFirst(
  query: SearchQuery,
  { lead, rest, terms, texts }: { lead: readonly Column[]; rest: readonly Column[]; terms: readonly Term[]; texts: readonly Condition[] },
): Condition {
  const led = and([...time(query, 'r'), ...lead.map(({ column, value }) => sql`${sql.ref(`r.${column}`)} = ${value}`)]);
  const columns = lead.length === 0 ? [] : [sql`select r.t, r.log, r.i from search r where ${led} ${newest('r')} offset 0`];
  const [first, ...others] = [...columns, ...terms.map((term) => inOrder(query, term))];
  const sides = others.map((other, at) => {
    const side = sql.raw(`side_${at}`);
    return sql`join (${other}) ${side} on ${side}.t = r.t and ${side}.log = r.log and ${side}.i = r.i`;
  });
  return sql`(
    select ${found} from (select r.t, r.log, r.i from (${first}) r ${sql.join(sides, sql` `)} ${newest('r')} offset 0) r cross join lateral (
      select s.* from search s where ${and([sql`s.log = r.log and s.i = r.i`, ...rest.map(({ holds }) => holds), ...texts])} offset 0
    ) s
    ${newest('r')} limit ${query.limit})`;
}

/** The conditions that one index fulfils together, of the indexes the one that leaves least. */
function leadOf(columns: readonly Column[]): readonly Column[] {
  const named = (name: Column['column']): readonly Column[] => columns.filter(({ column }) => column === name);
  const refused = named('verdict').filter(({ value }) => value !== 'allow');
  if (named('decision').length > 0 || named('session').length > 0) return named('session');
  const person = named('subject').length > 0 ? named('subject') : named('on_behalf_of');
  if (person.length > 0) return [...person, ...refused];
  return named('resource').length > 0 ? [...named('resource'), ...refused] : refused;
}

/** A condition on a record; of those without a column no index knows anything. */
export interface Column {
  readonly column?: 'kind' | 'session' | 'resource' | 'verdict' | 'decision' | 'subject' | 'on_behalf_of';
  readonly value?: string;
  /** Of the record `s`. */
  readonly holds: Condition;
}

function equals(column: NonNullable<Column['column']>, value: string): Column {
  return { column, value, holds: sql`${sql.ref(`s.${column}`)} = ${value}` };
}

interface Wanted {
  readonly columns: readonly Column[];
  readonly terms: readonly Term[];
  readonly source: TextSource;
}

/** Positions of a term, the newest first; OFFSET keeps the planner from taking them in another order. */
function inOrder(query: SearchQuery, { term }: Term): Condition {
  return sql`select r.t, r.log, r.i from search_term r where r.term = ${term} and ${and(time(query, 'r'))} ${newest('r')} offset 0`;
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

export function columnConditions(query: SearchQuery): Column[] {
  return (['kind', 'session', 'resource', 'verdict', 'decision'] as const).flatMap((column) => {
    const wanted = query[column];
    // A verdict says the kind; a condition that is always true only misleads the planner.
    if (column === 'kind' && query.verdict !== undefined) return [];
    return wanted === undefined ? [] : [equals(column, wanted)];
  });
}

/**
 * Subjects find what they did, and what their agents did for them; others find everything. What a subject is part of comes from two
 * scans in the order of time, which are quick where one with an OR is not.
 */
export function subjectConditions({ viewer, subject }: SearchQuery): { common: Column[]; alternatives: Column[][] } {
  const restricted = !seesAllSessions(viewer);
  const led = subject ?? (restricted ? viewer.id : undefined);
  return {
    common: restricted && subject !== undefined ? [{ holds: sql`${viewer.id} in (s.subject, s.on_behalf_of)` }] : [],
    alternatives:
      led === undefined
        ? [[]]
        : [[equals('subject', led)], [equals('on_behalf_of', led), { holds: sql`s.subject is distinct from ${led}` }]],
  };
}

interface Term {
  readonly term: string;
  /** It occurs at most `limits.searchTermsRare` times. */
  readonly rare: boolean;
}

/** Rules and objects, the rarest first. */
export async function termsOf(trx: Work, { rule, table }: SearchQuery): Promise<readonly Term[]> {
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

export async function textSource(trx: Work, text: string | undefined): Promise<TextSource> {
  if (text === undefined) return { kind: 'none' };
  const like = `%${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
  const { rows } = await sql<{ id: number }>`
    select id from search_text where text ilike ${like} limit ${limits.searchTextsMax + 1}`.execute(trx);
  if (rows.length <= limits.searchTextsMax) return { kind: 'each', ids: rows.map((row) => row.id) };
  return {
    kind: 'any',
    condition: sql`exists (select from search_text x where x.id = s.text_id and x.text ilike ${like} limit 1 offset 0)`,
  };
}

function readCursor(text: string): { t: number; log: number; i: number } {
  const [t, log, i, ...rest] = text.split('.').map(Number);
  if (rest.length > 0 || ![t, log, i].every(Number.isSafeInteger) || t === undefined || log === undefined || i === undefined) {
    throw new Fault('INVALID_INPUT', '`after` is not the `next` of an earlier page');
  }
  return { t, log, i };
}
