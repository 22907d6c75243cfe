import type { StatementOutput } from '#inspect';
import type { Catalog, OutputColumn, ResultColumn } from '#model';
import type { Field } from './target-messages.ts';

/** Objects that a database is made with have smaller object ids. SPEC: PostgreSQL 18, `FirstNormalObjectId`. */
const firstUserOid = 16_384;

/** Types whose text and binary forms are the text itself: char, name, text, json, xml, unknown, bpchar, varchar, cstring. */
const textTypes = new Set([18, 19, 25, 114, 142, 705, 1042, 1043, 2275]);

/**
 * Types whose values cannot hold free text: bool, integers, oid, tid, xid, cid, floats, money, network addresses, dates and times, bits,
 * numeric, uuid, pg_lsn, void, and the names of system objects (regproc…).
 */
const plainTypes = new Set([
  16, 20, 21, 23, 24, 26, 27, 28, 29, 600, 650, 700, 701, 718, 774, 790, 829, 869, 1082, 1083, 1114, 1184, 1186, 1266, 1560, 1562, 1700,
  2202, 2203, 2204, 2205, 2206, 2278, 2950, 3220, 4089, 4096, 5069,
]);
/** Hexadecimal in text format, so a detector would not see what is in it. */
const bytea = 17;

export interface DescribedColumns {
  readonly columns: readonly ResultColumn[];
  /** A relation appeared that the catalog snapshot does not know: it should be refreshed. */
  readonly stale: boolean;
}

/**
 * What the response phase is told of a result: the labels that the parser found, together with those of the columns that the target itself
 * names as origin. Whatever cannot be told is `unknown`, never unlabelled.
 *
 * `output` is undefined when nothing is known of the statement, and doubted when names may mean something else than the catalog says:
 * then the labels it tells stay, but there may be others.
 */
export function describeColumns(
  fields: readonly Field[],
  output: (StatementOutput & { readonly doubted?: boolean }) | undefined,
  catalog: Catalog | undefined,
): DescribedColumns {
  const parsed = output?.columns?.length === fields.length ? output.columns : undefined;
  let stale = false;
  const columns = fields.map((field, i): ResultColumn => {
    const origin = originOf(field, catalog);
    if (origin.kind === 'unknown') stale = true;
    const { labels, lineage } = combine(parsed?.[i], origin, output?.doubted === true);
    return { name: field.name, labels, lineage, type: typeOf(field) };
  });
  return { columns, stale };
}

type Origin =
  /** `opaque`: a view's column that could not be followed to its source. */
  | { readonly kind: 'column'; readonly labels: readonly string[]; readonly exact: boolean; readonly opaque?: boolean }
  /** An expression, or a column of the system's own relations. */
  | { readonly kind: 'none' }
  | { readonly kind: 'unknown' };

function originOf(field: Field, catalog: Catalog | undefined): Origin {
  if (field.tableOid === 0 || field.tableOid < firstUserOid) return { kind: 'none' };
  const relation = catalog?.byOid(field.tableOid);
  if (!relation) return { kind: 'unknown' };
  // System columns (ctid, tableoid…) have negative numbers and hold no user data.
  if (field.column < 0) return { kind: 'column', labels: [], exact: relation.kind === 'table' };
  // A whole row: everything the relation holds is in it.
  if (field.column === 0) {
    const labels = [...new Set(relation.columns.flatMap((column) => column.labels))];
    return { kind: 'column', labels, exact: false, opaque: relation.columns.some(({ lineage }) => lineage === 'unknown') };
  }
  const column = relation.columns.find(({ number }) => number === field.column);
  if (!column) return { kind: 'unknown' };
  const opaque = column.lineage === 'unknown';
  return { kind: 'column', labels: column.labels, exact: relation.kind === 'table' && !opaque, opaque };
}

function combine(parsed: OutputColumn | undefined, origin: Origin, doubted: boolean): Pick<ResultColumn, 'labels' | 'lineage'> {
  const fromCatalog = origin.kind === 'column' ? origin.labels : [];
  const labels = parsed ? [...new Set([...parsed.labels, ...fromCatalog])] : fromCatalog;
  if (origin.kind === 'unknown' || (origin.kind === 'column' && origin.opaque)) return { labels, lineage: 'unknown' };
  // The target vouches for a plain column of a table when nothing is known of the statement. EVASION: what the parser knows better wins:
  // after `UPDATE … SET note = current_setting('a.b') RETURNING note` the target still names the column, whose value came from elsewhere.
  const vouched = origin.kind === 'column' && origin.exact;
  if (!parsed) return { labels, lineage: vouched ? 'exact' : 'unknown' };
  if (doubted && !(vouched && parsed.lineage === 'exact')) return { labels, lineage: 'unknown' };
  return { labels, lineage: vouched && parsed.lineage === 'none' ? 'derived' : parsed.lineage };
}

/** In text format the values of arrays, rows, jsonb and the types of extensions are text too; in binary format they are containers. */
function typeOf({ typeOid, format }: Field): ResultColumn['type'] {
  if (textTypes.has(typeOid)) return 'text';
  if (plainTypes.has(typeOid)) return 'other';
  return format === 0 && typeOid !== bytea ? 'text' : 'opaque';
}
