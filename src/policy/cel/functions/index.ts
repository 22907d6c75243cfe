/**
 * The functions of the language: the standard ones and the extensions, as overloads with signatures and code.
 *
 * Invariants: every function is pure and total up to `EvalError`; what is outside a request (files, clocks, networks) is a fact
 * that is fetched before the evaluation, never a function.
 * Deliberately not here: operators and macros, which the planner knows itself.
 */
export { functionNames, overloadsOf } from './table.ts';
export { accepts, type Overload } from './overload.ts';
export { compilePattern } from './regex.ts';
