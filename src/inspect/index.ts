/**
 * What a native text really does: facts for the policy engine, lineage for masking, detectors for free text.
 *
 * Invariants: pure and total (no I/O, no clock; whatever the text, the answer is a value and never an exception); what is not
 * understood is named and makes the facts incomplete; time is bounded by the length of the text.
 * Deliberately not here: any opinion on what may run, and any access to the target (a catalog is handed in as rows).
 */
export * from './inspection.ts';
export { proposeLabels, type ColumnCategory } from './detect/propose-labels.ts';
export { inspectShell, type ShellFacts } from './shell/inspect.ts';
export { redactText } from './detect/redact.ts';
export { buildCatalog, catalogQuery, labelsOf } from './sql/postgres/catalog.ts';
export type { CatalogRow, CatalogRows } from './sql/postgres/catalog.ts';
export { inspectSql } from './sql/postgres/inspect.ts';
export type { InspectOptions } from './sql/postgres/inspect.ts';
export { loadInspectors } from './sql/postgres/parser.ts';
