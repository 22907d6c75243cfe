import { visible } from '../paint.ts';
import type { RecordedPiece } from './recording.ts';
import type { Screen, ScreenEvent } from './screen.ts';
import { type ColumnHead, type Message, MessageReader } from './postgres-messages.ts';
import { cellText, resultTable } from './psql-table.ts';

/** Rows of one result that are drawn, and characters; the recording has all of them. */
const rowsDrawnMax = 5_000;
const charsDrawnMax = 1024 * 1024;

/**
 * A PostgreSQL session as psql would have shown it: prompt, statement, table. It is drawn from the recorded bytes; what the person's own program made of them is
 * not known. Everything from outside is made safe for a terminal.
 */
export class PostgresScreen implements Screen {
  readonly #database: string;
  /** Each row is a line as soon as it comes, so that none is left out and nothing is kept: for searching. */
  readonly #lines: boolean;
  readonly #readers = { in: new MessageReader('in'), out: new MessageReader('out') };
  /** Texts of prepared statements, and what portals were made of, by name. */
  readonly #statements = new Map<string, string>();
  readonly #portals = new Map<string, { readonly text: string; readonly parameters: readonly (string | null)[] }>();
  #prompt = '=>';
  /** Of the result at hand; a result may have none. */
  #columns: readonly ColumnHead[] | undefined;
  #rows: (readonly string[])[] = [];
  #rowsLeftOut = 0;
  #chars = 0;

  constructor(database: string, how: { readonly lines?: boolean } = {}) {
    this.#database = database;
    this.#lines = how.lines === true;
  }

  take({ direction, us, bytes }: RecordedPiece): readonly ScreenEvent[] {
    let text = '';
    for (const message of this.#readers[direction].read(bytes)) text += this.#draw(message);
    return text === '' ? [] : [{ us, text: text.replaceAll('\n', '\r\n'), kind: 'shown' }];
  }

  #draw(message: Message): string {
    switch (message.kind) {
      case 'query':
        return this.#statement(message.text, []);
      case 'parse':
        this.#statements.set(message.name, message.text);
        return '';
      case 'bind':
        this.#portals.set(message.portal, { text: this.#statements.get(message.statement) ?? '', parameters: message.parameters });
        return '';
      case 'execute': {
        const portal = this.#portals.get(message.portal);
        return portal === undefined ? '' : this.#statement(portal.text, portal.parameters);
      }
      case 'columns':
        this.#columns = message.columns;
        return '';
      case 'row':
        return this.#row(message.cells);
      case 'complete':
        return this.#complete(message.tag);
      case 'error':
      case 'notice':
        this.#forget();
        return diagnostic(message.fields);
      case 'notification':
        return `Asynchronous notification "${visible(message.channel)}" with payload "${visible(message.payload)}" received from server process with PID ${message.process}.\n`;
      case 'unreadable':
        return '(what follows in this direction are no PostgreSQL messages; --bytes has it)\n';
      case 'ready':
        this.#prompt = message.status === 'T' ? '=*>' : message.status === 'E' ? '=!>' : '=>';
        this.#forget();
        return '';
    }
  }

  #statement(text: string, parameters: readonly (string | null)[]): string {
    const values = parameters.map((value, k) => `-- $${k + 1} = ${value === null ? 'NULL' : `'${visible(value)}'`}\n`).join('');
    // As at a terminal, the lines of one statement are told from what follows it: nobody can write a result into a statement.
    const lines = visible(text, true)
      .split('\n')
      .join(`\n${visible(this.#database)}${this.#prompt.replace('=', '-')} `);
    return `${visible(this.#database)}${this.#prompt} ${lines}\n${values}`;
  }

  #row(cells: readonly (Buffer | null)[]): string {
    if (this.#lines) return ` ${cells.map((cell, k) => cellText(cell, this.#columns?.[k])).join(' | ')}\n`;
    const size = cells.reduce((sum, cell) => sum + (cell?.length ?? 0), 0);
    if (this.#rows.length >= rowsDrawnMax || this.#chars + size > charsDrawnMax) this.#rowsLeftOut += 1;
    else {
      this.#chars += size;
      this.#rows.push(cells.map((cell, k) => cellText(cell, this.#columns?.[k])));
    }
    return '';
  }

  #complete(tag: string): string {
    const left = this.#rowsLeftOut === 0 ? '' : `(${this.#rowsLeftOut} more rows are in the recording and not drawn)\n`;
    const columns = this.#columns;
    const drawn = columns === undefined || this.#lines ? '' : `${resultTable(columns, this.#rows)}${left}\n`;
    this.#forget();
    return columns !== undefined && /^(SELECT|FETCH|SHOW|EXPLAIN)/.test(tag) ? drawn : `${drawn}${visible(tag)}\n`;
  }

  #forget(): void {
    this.#columns = undefined;
    this.#rows = [];
    this.#rowsLeftOut = 0;
    this.#chars = 0;
  }
}

function diagnostic(fields: Readonly<Record<string, string>>): string {
  const lines = [`${fields['S'] ?? 'ERROR'}:  ${fields['M'] ?? ''}`];
  if (fields['D'] !== undefined) lines.push(`DETAIL:  ${fields['D']}`);
  if (fields['H'] !== undefined) lines.push(`HINT:  ${fields['H']}`);
  // What the target says has lines of its own, which must not look like anything else.
  return `${lines.map((line) => visible(line, true).replaceAll('\n', '\n  ')).join('\n')}\n`;
}
