/**
 * Finds mistakes in rules that compile: allows that never win, rules that never apply, conflicts, overlaps, lapses.
 *
 * Invariants: pure; what is reported as an error is shown by a request that the compiled bundle really decides so, or by the text of the
 * documents; silence about a pair of rules is only a claim while nothing says that the analysis was cut; time is bounded in steps.
 * Deliberately not here: mistakes that keep a bundle from compiling (`compile`); where recorded decisions come from.
 */
export { analyse, analysis } from './analyse.ts';
export type { AnalyseOptions, AnalysisProgress } from './analyse.ts';
export type { Finding } from './finding.ts';
export { checkPolicies } from './check.ts';
export type { CheckResult } from './check.ts';
export { recordFindings } from './fired.ts';
export type { RecordFindings, RecordOptions } from './fired.ts';
export { fixFiles } from './fix.ts';
export type { Fixed } from './fix.ts';
