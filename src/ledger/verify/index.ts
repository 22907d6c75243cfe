/**
 * The verifier: tells a stranger whether a ledger is whole, from its files alone.
 *
 * Invariants: shares no code with the writer, so that a mistake there is not repeated here; everything but `node.ts` runs in a browser,
 * with files and cryptography handed in; it reads in pieces, so the size of a log does not matter; it never writes.
 * Deliberately not here: opening sealed evidence, fetching over the network, and deciding whom to trust.
 */
export { directorySource, nodeCrypto } from './node.ts';
export { type ProofReport, proveRecord, verifyProof } from './proof.ts';
export { exitStatus, type Finding, type Holes, type Report, type Severity } from './report.ts';
export type { LedgerSource, VerifyCrypto } from './source.ts';
export { type VerifyOptions, verifyLedger } from './verify.ts';
