/**
 * Governs: identity, tokens, approvals, bundles, the fleet of gateways, the index of what they recorded, and the API over all of it.
 *
 * Invariants: never in the data path; whatever changes something is in the control ledger before it is answered; nothing is kept only in
 * memory; a fault of the store may delay an answer, never widen it.
 * Deliberately not here: deciding (`#policy`), enforcing (`#gateway`), the proof of what happened (`#ledger`): the index can be thrown away.
 */
export { runControl } from './run-control.ts';
export type { Surroundings } from './run-control.ts';
