/**
 * Tests of policies: runs the cases and properties of PolicyTest documents and measures what they cover.
 *
 * Invariants: pure — sources in, results out; the same sources always give the same results; a case never passes because something in it
 * could not be read.
 * Deliberately not here: finding files, printing, exit codes (`#cli`).
 */
export { checkFiles } from './check-files.ts';
export type { CheckedObject, CheckFinding, CheckOptions, CheckReport } from './check-files.ts';
export { runCases } from './run.ts';
export type { CaseReport, CaseResult, Progress, ResultStore, TestAnswer, TestReport } from './run.ts';
export { percent } from './coverage.ts';
export type { Coverage, Measure } from './coverage.ts';
export { missed, readQuestion } from './what-if.ts';
export type { QuestionResult } from './what-if.ts';
export { findCases } from './find-case.ts';
