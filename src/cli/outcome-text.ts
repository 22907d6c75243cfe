import type { OutcomeAnswer } from './answers.ts';
import { duration } from './times.ts';

/** What became of an operation, in one line: `done · 3 rows · 7 cells masked (pii.card 3, pii.email 4) · 25 ms`. */
export function outcomeText({ status, code, rows, rowsChanged, masked, rowsWithheld, durationMs }: OutcomeAnswer): string {
  const cells = Object.values(masked).reduce((sum, count) => sum + count, 0);
  const labels = Object.entries(masked)
    .map(([label, count]) => `${label} ${count}`)
    .join(', ');
  return [
    `${status}${code === undefined ? '' : ` (${code})`}`,
    ...(rowsChanged === undefined ? [] : [`${counted(rowsChanged)} changed`]),
    ...(rows > 0 ? [counted(rows)] : rowsChanged === undefined ? ['no rows returned'] : []),
    cells === 0 ? 'nothing masked' : `${cells} ${cells === 1 ? 'cell' : 'cells'} masked (${labels})`,
    ...(rowsWithheld > 0 ? [`${counted(rowsWithheld)} withheld`] : []),
    duration(durationMs),
  ].join(' · ');
}

function counted(rows: number): string {
  return `${rows} ${rows === 1 ? 'row' : 'rows'}`;
}
