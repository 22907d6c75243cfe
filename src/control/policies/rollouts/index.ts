/**
 * Moves rollouts: which step each of them has reached, what is measured at it, and who says that it goes on.
 *
 * Invariants: every move is in the ledger; a gate that cannot be measured never passes; nothing is decided here — gateways do, with the step they are told.
 * Deliberately not here: what a step means for one request (`#policy`), and how gateways learn of it (`fleet`).
 */
export type { RolloutAction } from './moves.ts';
export { openRollouts } from './rollouts.ts';
export type { Rollouts } from './rollouts.ts';
export { rolloutMigrations } from './tables.ts';
export type { RolloutTables } from './tables.ts';
