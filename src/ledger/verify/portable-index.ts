/**
 * What the verifier is where there is no Node: the entry of the package that is published.
 *
 * Invariants: nothing that is reached from here imports Node. Deliberately not here: reading folders (`node.ts`) and the command.
 */
export { type EvidenceReport, verifyEvidence } from './evidence-bundle.ts';
export { portableCrypto, type Subtle } from './portable.ts';
export { parsePolicy, type TrustPolicy } from './policy.ts';
export { type ProofReport, proveRecord, verifyProof } from './proof.ts';
export { exitStatus, type Finding, type Holes, type Report, type Severity } from './report.ts';
export type { LedgerSource, VerifyCrypto } from './source.ts';
export { readTar } from './tar.ts';
export { type Fetch, urlSource } from './url.ts';
export { type VerifyOptions, verifyLedger, verifyLedgers } from './verify.ts';
