import pg from 'pg';
import type { Facts } from '../facts.ts';
import { ocsfOf } from '../mapping/ocsf.ts';
import { failed, taken } from '../sink.ts';
import type { Delivery, Transport } from '../sink.ts';

export interface PostgresOptions {
  /** Gives the connection string, with its password. */
  readonly url: () => string;
  /** Made when it is missing; `table` or `schema.table`, lower case. */
  readonly table: string;
}

/**
 * A table for queries, one row for each record, the whole OCSF event in `event`. The leaf of the entry is the key: what is delivered again
 * is there already. A batch is one transaction, whole or not at all.
 */
export function postgresTransport(options: PostgresOptions): Transport {
  const table = options.table
    .split('.')
    .map((part) => pg.escapeIdentifier(part))
    .join('.');
  return {
    async deliver(events, signal) {
      const client = new pg.Client({ connectionString: options.url(), application_name: 'warder-sink', connectionTimeoutMillis: 10_000 });
      // What breaks is told by the call that it breaks.
      client.on('error', () => undefined);
      const abort = (): void => void client.end().catch(() => undefined);
      signal.addEventListener('abort', abort, { once: true });
      try {
        await client.connect();
      } catch (error) {
        signal.removeEventListener('abort', abort);
        abort();
        return failed(`the database does not answer: ${message(error)}`, 'nothing');
      }
      try {
        return await insert(client, table, events);
      } finally {
        signal.removeEventListener('abort', abort);
        await client.end().catch(() => undefined);
      }
    },
    close: async () => undefined,
  };
}

async function insert(client: pg.Client, table: string, events: readonly Facts[]): Promise<Delivery> {
  let committing = false;
  try {
    await client.query('begin');
    await client.query(`
      create table if not exists ${table} (
        leaf text primary key, key text not null, origin text not null, i bigint not null, t timestamptz not null, kind text not null,
        session text, subject text, on_behalf_of text, resource text, verb text, objects text[], normalized text, decision text,
        verdict text, reason text, rules text[], status text, rows bigint, duplicate boolean not null, event jsonb not null
      )`);
    const columns = rowsOf(events);
    await client.query(
      `insert into ${table} (leaf, key, origin, i, t, kind, session, subject, on_behalf_of, resource, verb, objects, normalized, decision,
         verdict, reason, rules, status, rows, duplicate, event)
       select one ->> 'leaf', one ->> 'key', one ->> 'origin', (one ->> 'i')::bigint, to_timestamp((one ->> 't')::bigint / 1000.0),
         one ->> 'kind', one ->> 'session', one ->> 'subject', one ->> 'onBehalfOf', one ->> 'resource', one ->> 'verb',
         case when one ? 'objects' then array(select jsonb_array_elements_text(one -> 'objects')) end, one ->> 'normalized',
         one ->> 'decision', one ->> 'verdict', one ->> 'reason',
         case when one ? 'rules' then array(select jsonb_array_elements_text(one -> 'rules')) end, one ->> 'status',
         (one ->> 'rows')::bigint, one ? 'duplicate', event
       from unnest($1::jsonb[], $2::jsonb[]) as batch (one, event)
       on conflict (leaf) do nothing`,
      [columns.map((column) => column.facts), columns.map((column) => column.event)],
    );
    committing = true;
    await client.query('commit');
    return taken;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    return failed(`the database refused the events: ${message(error)}`, committing ? 'unknown' : 'nothing', {
      smaller: isOfTheData(error),
    });
  }
}

function rowsOf(events: readonly Facts[]): { facts: string; event: string }[] {
  return events.map((facts) => ({ facts: JSON.stringify(facts, withoutNul), event: JSON.stringify(ocsfOf(facts), withoutNul) }));
}

/** PostgreSQL cannot store NUL in a text. */
function withoutNul(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? value.replaceAll('\0', '\uFFFD') : value;
}

/** SQLSTATE classes that speak of the values and not of the server: data exception, constraint violation, program limit. */
function isOfTheData(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^(?:22|23|54)/.test(String(error.code));
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
