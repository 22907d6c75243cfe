import { CompiledQuery } from 'kysely';
import pg from 'pg';
import type { Work } from './database.ts';

export type Cell = string | number | null;

/** Many rows at once. */
class CopyRows {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/**
 * Adds many rows to one table in the transaction, at about half of what an INSERT costs here and at the server. A row that is there already is
 * an error. Values are text or numbers as the columns read them; no NUL, which PostgreSQL cannot store.
 */
export async function copyRows(
  trx: Work,
  { table, columns }: { table: string; columns: readonly string[] },
  rows: readonly (readonly Cell[])[],
): Promise<void> {
  if (rows.length === 0) return;
  await trx.executeQuery(CompiledQuery.raw(`copy ${table} (${columns.join(', ')}) from stdin`, [new CopyRows(textOf(rows))]));
}

/** SPEC: PostgreSQL, COPY, text format: tabs, line feeds, carriage returns and backslashes are escaped; NULL is `\N`. */
function textOf(rows: readonly (readonly Cell[])[]): string {
  let text = '';
  for (const row of rows) {
    let tab = '';
    for (const cell of row) {
      text += tab + written(cell);
      tab = '\t';
    }
    text += '\n';
  }
  return text;
}

const special = /[\\\t\n\r]/;

function written(cell: Cell): string {
  if (cell === null) return String.raw`\N`;
  if (typeof cell === 'number') return String(cell);
  if (!special.test(cell)) return cell;
  return cell.replaceAll('\\', '\\\\').replaceAll('\t', String.raw`\t`).replaceAll('\n', String.raw`\n`).replaceAll('\r', String.raw`\r`);
}

/** SPEC: PostgreSQL, Message Formats, CopyData: `d`, the length with itself, the bytes. */
function copyData(text: string): Uint8Array {
  const length = Buffer.byteLength(text, 'utf8');
  const message = Buffer.allocUnsafe(5 + length);
  message.writeUInt8(0x64, 0);
  message.writeUInt32BE(4 + length, 1);
  message.write(text, 5, 'utf8');
  return message;
}

/** A client of PostgreSQL that also sends rows; everything else is as the library has it. */
export class CopyingClient extends pg.Client {
  // Reason: the library's own method has a dozen forms, which all pass through unchanged.
  // oxlint-disable-next-line typescript/no-explicit-any
  override query(...given: any[]): any {
    const [sql, values] = given as unknown[];
    const [rows] = Array.isArray(values) ? values : [];
    if (typeof sql === 'string' && rows instanceof CopyRows) {
      return new Promise((resolve, reject) => super.query(new CopyIn({ sql, rows, resolve, reject })));
    }
    // Reason: as above.
    return (super.query as (...all: unknown[]) => unknown)(...(given as unknown[]));
  }
}

/** What the library's connection can do and its types do not say. */
interface CopyConnection {
  readonly stream: { write(bytes: Uint8Array): boolean };
  query(sql: string): void;
  endCopyFrom(): void;
}

interface CopyDesk {
  readonly sql: string;
  readonly rows: CopyRows;
  readonly resolve: (result: { command: string; rowCount: number; rows: readonly never[] }) => void;
  readonly reject: (error: unknown) => void;
}

/** The library calls the member that is named as the message of the server. SPEC: PostgreSQL, Frontend/Backend Protocol, COPY operations. */
class CopyIn {
  readonly #desk: CopyDesk;

  constructor(desk: CopyDesk) {
    this.#desk = desk;
  }

  submit(connection: unknown): void {
    // Reason: the library passes its connection.
    (connection as CopyConnection).query(this.#desk.sql);
  }

  handleCopyInResponse(connection: CopyConnection): void {
    // The library's own way copies all of it twice more.
    connection.stream.write(copyData(this.#desk.rows.text));
    connection.endCopyFrom();
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.#desk.resolve({ command: 'COPY', rowCount: 0, rows: [] });
  }

  handleError(error: unknown): void {
    this.#desk.reject(error);
  }
}
