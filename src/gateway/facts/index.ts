/**
 * Facts: what is found out about an operation between understanding it and deciding it (`facts.…` of the policy language).
 *
 * Invariants: nobody is asked where no rule that may apply reads the answer; whatever goes wrong is a fact that is not there, and the rule
 * says what that means; every question, queue and answer has a limit; no secret reaches a record or a log.
 * Deliberately not here: how an engine runs or is reached (handed in), what a missing fact means (`policy`).
 */
export { Activities } from './activity.ts';
export { ForeignEngines } from './engines.ts';
export type { OpenEngine } from './engines.ts';
export { Facts } from './facts.ts';
export type { Gathered } from './facts.ts';
