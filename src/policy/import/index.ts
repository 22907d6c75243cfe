/**
 * Imports policies of other systems: foreign files in, documents of ours, first cases and findings out.
 *
 * Invariants: pure; imports start in shadow mode; the original is never changed and stays the source; every construct that has no effect
 * here is named with its file and line; a rule is imported only when it means the same, or stricter; what was imported compiles.
 * Deliberately not here: reading files, running foreign engines (Rego, Cedar), fetching the facts that imported rules need.
 */
export { cedarPolicies } from './cedar/read.ts';
export { cedarFact } from './cedar/evaluate.ts';
export type { CedarFact, CedarPolicies } from './cedar/evaluate.ts';
export type { CedarModule } from './cedar/module.ts';
export type { ImportFinding } from './finding.ts';
export type { ForeignEngine } from './foreign.ts';
export { importPolicies } from './import.ts';
export type { ImportedSource, ImportResult } from './import.ts';
export { foreignInput } from '../foreign/projection.ts';
export { admissionAttributes } from './kubernetes/admission-review.ts';
export type { CompiledRego, ImportOptions } from './options.ts';
