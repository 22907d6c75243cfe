/**
 * The verifier: tells a stranger whether a ledger is whole, from its files alone.
 *
 * Invariants: shares no code with the writer, so that a mistake there is not repeated here; everything but `node.ts`, `evidence-files.ts` and `command.ts` runs in
 * a browser, with files and cryptography handed in; it reads in pieces, so the size of a log does not matter; it never writes.
 * Deliberately not here: opening sealed evidence, and deciding whom to trust. `packages/verify` is what strangers install.
 */
export { type EvidenceFiles, type EvidenceReport, verifyEvidence } from './evidence-bundle.ts';
export { evidenceText, readEvidence, verifyEvidenceAt } from './evidence-files.ts';
export { directorySource, nodeCrypto, staySmall } from './node.ts';
export { parsePolicy, type TrustPolicy } from './policy.ts';
export { type ProofReport, proveRecord, verifyProof } from './proof.ts';
export { exitStatus, type Finding, type Holes, type Report, type Severity } from './report.ts';
export type { LedgerSource, VerifyCrypto } from './source.ts';
export { type Fetch, urlSource } from './url.ts';
export { type VerifyOptions, verifyLedger, verifyLedgers } from './verify.ts';
