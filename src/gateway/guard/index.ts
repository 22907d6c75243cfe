/**
 * Stage guard: turns the obligations of a decision into filters for one response.
 *
 * Invariants: built once per result, before its first row; a column that cannot be treated as asked is withheld, never shown.
 * Deliberately not here: wire formats (the point applies the filters to its own cells) and deciding (`pipeline.ts`).
 */
import { labelMatches, strictestMask } from '#policy';
import type { Detector, MaskObligation, Obligation, ResultColumn } from '#model';
import type { CellFilter, Guard } from '../point.ts';
import { maskFilter } from './mask.ts';
import { count, redactFilter } from './redact.ts';

/** Builds the guard for a result with these columns. `key` is the installation's masking key (32 bytes). */
export function buildGuard(
  obligations: readonly Obligation[],
  columns: readonly ResultColumn[],
  options: { readonly key: Uint8Array; readonly rules: readonly string[] },
): Guard {
  const masked: Record<string, number> = {};
  const masks = obligations.filter((obligation) => obligation.type === 'mask');
  const detectors = new Set<Detector>();
  let rowsMax = Infinity;
  for (const obligation of obligations) {
    if (obligation.type === 'redact') for (const detector of obligation.select.text.detectors) detectors.add(detector);
    if (obligation.type === 'row_limit') rowsMax = Math.min(rowsMax, obligation.max);
  }
  const redact = detectors.size > 0 ? redactFilter([...detectors], masked) : undefined;
  const cells = columns.map((column) => columnFilter(column, { masks, redact, key: options.key, masked }));
  const transparent = rowsMax === Infinity && cells.every((filter) => filter === undefined);
  return { kind: 'guard', transparent, cells, rowsMax, masked, rules: options.rules };
}

function columnFilter(
  column: ResultColumn,
  guard: { masks: readonly MaskObligation[]; redact: CellFilter | undefined; key: Uint8Array; masked: Record<string, number> },
): CellFilter | undefined {
  const mask = strictestMask(guard.masks.filter((candidate) => selects(candidate, column)));
  const filter = mask && maskFilter(mask, column, guard.key);
  if (filter) {
    const label = column.labels[0] ?? 'unknown-lineage';
    return (cell) => {
      count(guard.masked, label, 1);
      return filter(cell);
    };
  }
  if (!guard.redact || column.type === 'other') return undefined;
  if (column.type === 'text') return guard.redact;
  return () => {
    count(guard.masked, 'opaque', 1);
    return null;
  };
}

/** `pii.*` with `lineage: unknown` selects columns whose origin cannot be told: they might be any labelled column. */
function selects(mask: MaskObligation, column: ResultColumn): boolean {
  const { labels, lineage } = mask.select.columns;
  if (lineage === 'unknown') return column.lineage === 'unknown';
  return column.labels.some((label) => labels.some((glob) => labelMatches(glob, label)));
}
