import { proposeLabels, type ColumnCategory } from '#inspect';
import { Fault, limits, type ColumnProposal, type LabelProposal, type ResourceConfig, type World } from '#model';
import type { OwnConversation } from './own-conversation.ts';
import { withTarget } from './probe.ts';

/** Time kept for ending the connection and for the answer. */
const spareNs = 1_500_000_000n;

// Partitions have the labels of their parents, views those of what they read: neither needs any of its own.
const columnsQuery = `select n.nspname, c.relname, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), t.typcategory
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_catalog.pg_type t on t.oid = a.atttypid
where c.relkind in ('r', 'p', 'f') and not c.relispartition
  and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_t%'
order by n.nspname, c.relname, a.attnum
limit ${limits.proposalColumnsMax + 1}`;

// With a search path of its own, no operator or cast of somebody else is in the queries; and nothing is written whatever a view of rights does.
const quietly = (sql: string): string =>
  `BEGIN READ ONLY; SET LOCAL search_path TO pg_catalog; SET LOCAL statement_timeout TO '2s'; SET LOCAL lock_timeout TO '200ms'; ${sql}; ROLLBACK`;

interface Column {
  readonly name: string;
  readonly type: string;
  readonly category: ColumnCategory;
}

interface Table {
  readonly schema: string;
  readonly name: string;
  readonly columns: Column[];
}

/**
 * Labels for columns whose name or whose values look like personal data. Values are looked at here and forgotten. Rejects with
 * UPSTREAM_UNREACHABLE or UPSTREAM_REFUSED.
 */
export function propose(config: ResourceConfig, world: World): Promise<LabelProposal> {
  const started = world.monotonicNs();
  const until = started + BigInt(limits.resourceProbeMs) * 1_000_000n - spareNs;
  return withTarget(config, world, async (conversation) => {
    const answer = await conversation.ask(quietly(columnsQuery));
    if ('error' in answer) throw new Fault('UPSTREAM_REFUSED', `the columns of the target cannot be read (SQLSTATE ${answer.error})`);
    const rows = answer.rows.at(-1) ?? [];
    const tables = tablesOf(rows.slice(0, limits.proposalColumnsMax));
    const columns: ColumnProposal[] = [];
    let looked = 0;
    let cut = rows.length > limits.proposalColumnsMax || tables.length > limits.proposalTablesMax;
    for (const table of tables.slice(0, limits.proposalTablesMax)) {
      // Without time for samples the names still say something.
      const late = world.monotonicNs() > until;
      cut ||= late;
      const samples = late ? new Map<string, readonly string[]>() : await sample(conversation, table);
      looked += table.columns.length;
      columns.push(...proposals(table, samples));
    }
    return { columns, looked: { tables: Math.min(tables.length, limits.proposalTablesMax), columns: looked }, cut };
  });
}

function proposals(table: Table, samples: ReadonlyMap<string, readonly string[]>): ColumnProposal[] {
  return table.columns.flatMap(({ name, type, category }) => {
    const values = samples.get(name) ?? [];
    const found = proposeLabels({ name, category, values });
    if (found.labels.length === 0 && !found.freeText) return [];
    return [{ column: `${table.schema}.${table.name}.${name}`, type, ...found, sampled: values.length }];
  });
}

function tablesOf(rows: readonly (readonly (string | null)[])[]): readonly Table[] {
  const tables = new Map<string, Table>();
  for (const [schema, table, column, type, category] of rows) {
    const key = JSON.stringify([schema, table]);
    const known = tables.get(key) ?? { schema: schema ?? '', name: table ?? '', columns: [] };
    known.columns.push({ name: column ?? '', type: type ?? '', category: categoryOf(category ?? '') });
    tables.set(key, known);
  }
  return [...tables.values()];
}

/** SPEC: PostgreSQL 18 documentation, table 52.65 "typcategory codes". */
function categoryOf(code: string): ColumnCategory {
  if (code === 'S') return 'text';
  if (code === 'N') return 'number';
  return code === 'D' ? 'date' : 'other';
}

/** Some values of the text columns, by column. Empty when the table may not be read, or not in time. */
async function sample(conversation: OwnConversation, table: Table): Promise<ReadonlyMap<string, readonly string[]>> {
  const columns = table.columns.filter(({ category }) => category === 'text');
  if (columns.length === 0) return new Map();
  const list = columns.map(({ name }) => `pg_catalog.left(${quoted(name)}::pg_catalog.text, ${limits.proposalSampleCharsMax})`).join(', ');
  const sql = `select ${list} from ${quoted(table.schema)}.${quoted(table.name)} limit ${limits.proposalSampleRowsMax}`;
  const answer = await conversation.ask(quietly(sql));
  if ('error' in answer) {
    // The transaction failed, so its ROLLBACK was not reached.
    await conversation.ask('ROLLBACK');
    return new Map();
  }
  const rows = answer.rows.at(-1) ?? [];
  return new Map(columns.map(({ name }, at) => [name, rows.flatMap((row) => row[at] ?? []).filter((value) => value.trim() !== '')]));
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
