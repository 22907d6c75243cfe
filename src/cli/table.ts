import { paint, visible } from './paint.ts';

export interface Column<Row> {
  readonly title: string;
  /** One line of text; made safe for the terminal here. */
  readonly of: (row: Row) => string;
  readonly right?: boolean;
}

const gap = '  ';
const cellCharsMax = 100;

/** Prints rows as a table with a head line, columns as wide as their widest cell; says `empty` when there are none. */
export function printTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[], empty: string): void {
  const { dim } = paint(process.stdout);
  if (rows.length === 0) {
    process.stdout.write(`${dim(empty)}\n`);
    return;
  }
  process.stdout.write(
    `${tableLines(rows, columns)
      .map((line, i) => (i === 0 ? dim(line) : line))
      .join('\n')}\n`,
  );
}

/** The table's lines, the first one with the titles. */
export function tableLines<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string[] {
  const cells = [columns.map((column) => column.title), ...rows.map((row) => columns.map((column) => shorten(visible(column.of(row)))))];
  const widths = columns.map((_, at) => Math.max(...cells.map((line) => line[at]?.length ?? 0)));
  return cells.map((line) =>
    line
      .map((cell, at) => (columns[at]?.right === true ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
      .join(gap)
      .trimEnd(),
  );
}

function shorten(text: string): string {
  return text.length <= cellCharsMax ? text : `${text.slice(0, cellCharsMax - 1)}…`;
}
