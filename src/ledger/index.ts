/**
 * The ledger: remembers every decision before it takes effect, so that a stranger can check it later.
 *
 * Invariants: an append resolves only when its bytes are on stable storage; a `Permit` exists only for a durable allow decision and
 * is spent once; only durable sizes are signed; after a failed write or sync nothing is ever written again by this process.
 * Deliberately not here: what is decided, how the log is shipped or shown, and the verifier (`#ledger/verify`), which shares no code with the writer.
 */
export { openLedger } from './ledger.ts';
export type { InDoubt, Ledger, LedgerOptions, Recovery } from './contract.ts';
export { Permit, spendPermit } from './permit.ts';
