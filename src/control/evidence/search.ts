import { sql } from 'kysely';
import { Fault, limits } from '#model';
import type { Store, Work } from '../store/database.ts';
import { objectAt } from './entry.ts';
import type { SearchQuery } from './search-parts.ts';
import { columnConditions, decidedKind, partOf, subjectConditions, termsOf, textSource } from './search-parts.ts';

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

/** The newest records first. INVALID_INPUT when the search takes longer than `limits.searchMs`. */
export async function searchRecords(store: Store, query: SearchQuery): Promise<readonly FoundRecord[]> {
  try {
    return await store.transact(async (trx) => {
      // Room to put together, without losing rows, the positions that two frequent conditions each fit.
      await sql`select set_config('statement_timeout', ${String(limits.searchMs)}, true), set_config('work_mem', '32MB', true)`.execute(
        trx,
      );
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
  if (terms.length > 0) {
    // What is read side by side is found in its order; a hash of one side reads all of it before the first record is found.
    await sql`select set_config('enable_hashjoin', 'off', true)`.execute(trx);
  }
  const parts = alternatives.map((alternative) => partOf(query, { columns: [...columns, ...alternative], terms, source }));
  if (query.verdict !== undefined && query.kind !== undefined && query.kind !== decidedKind) return [];
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
