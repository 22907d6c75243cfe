import { visible } from '../paint.ts';
import type { ColumnHead } from './postgres-messages.ts';

// int8, int2, int4, oid, xid, cid, float4, float8, money, numeric: psql aligns them to the right.
const rightTypes = new Set([20, 21, 23, 26, 28, 29, 700, 701, 790, 1700]);

/** A result as psql draws it by default, aligned, with the number of rows. */
export function resultTable(columns: readonly ColumnHead[], rows: readonly (readonly string[])[]): string {
  const heads = columns.map(({ name }) => visible(name));
  const cells = rows.map((row) => columns.map((_, k) => (row[k] ?? '').split('\n')));
  const widths = heads.map((head, k) => widest(head, cells, k));
  // A result without columns has lines all the same.
  if (columns.length === 0) return `--\n(${rows.length} ${rows.length === 1 ? 'row' : 'rows'})\n`;
  const lines = [heads.map((head, k) => ` ${centred(head, widths[k] ?? 0)} `).join('|'), widths.map((w) => '-'.repeat(w + 2)).join('+')];
  for (const row of cells) lines.push(...rowLines(row, { columns, widths }));
  lines.push(rows.length === 1 ? '(1 row)' : `(${rows.length} rows)`);
  return `${lines.join('\n')}\n`;
}

function widest(head: string, rows: readonly (readonly (readonly string[])[])[], column: number): number {
  let most = width(head);
  for (const row of rows) for (const line of row[column] ?? []) most = Math.max(most, width(line));
  return most;
}

/** The lines of one row: more than one when a value has several. A `+` says that the value goes on below. */
function rowLines(
  row: readonly (readonly string[])[],
  { columns, widths }: { readonly columns: readonly ColumnHead[]; readonly widths: readonly number[] },
): string[] {
  const height = Math.max(1, ...row.map(({ length }) => length));
  return Array.from({ length: height }, (_, line) =>
    row
      .map((parts, k) => {
        const text = parts[line] ?? '';
        const goesOn = line + 1 < parts.length;
        const room = ' '.repeat(Math.max(0, (widths[k] ?? 0) - width(text)));
        const right = rightTypes.has(columns[k]?.type ?? 0);
        const last = k === row.length - 1 && !goesOn;
        if (last && line >= parts.length) return ' ';
        return ` ${right ? `${room}${text}` : last ? text : `${text}${room}`}${goesOn ? '+' : last ? '' : ' '}`;
      })
      .join('|'),
  );
}

function centred(text: string, wanted: number): string {
  const room = wanted - width(text);
  return `${' '.repeat(Math.floor(room / 2))}${text}${' '.repeat(Math.ceil(room / 2))}`;
}

/** Columns on a screen, as far as characters can be counted without a table of wide ones. */
function width(text: string): number {
  let characters = text.length;
  // The second half of a pair is no character of its own.
  for (let k = 0; k < text.length; k += 1) if ((text.charCodeAt(k) & 0xfc00) === 0xdc00) characters -= 1;
  return characters;
}

/** One value as psql shows it; NULL is nothing. Of binary values the common types are read, the others shown in hexadecimal. */
export function cellText(cell: Buffer | null, column: ColumnHead | undefined): string {
  if (cell === null) return '';
  if (column?.binary !== true) return visible(cell.toString(), true);
  switch (column.type) {
    case 16:
      return cell[0] === 0 ? 'f' : 't';
    case 20:
      return cell.length === 8 ? String(cell.readBigInt64BE()) : hex(cell);
    case 21:
      return cell.length === 2 ? String(cell.readInt16BE()) : hex(cell);
    case 23:
    case 26:
      return cell.length === 4 ? String(cell.readInt32BE()) : hex(cell);
    case 18:
    case 19:
    case 25:
    case 1042:
    case 1043:
      return visible(cell.toString(), true);
    default:
      return hex(cell);
  }
}

function hex(cell: Buffer): string {
  return `\\x${cell.toString('hex')}`;
}
