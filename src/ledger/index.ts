/**
 * The ledger: remembers every decision before it takes effect, so that a stranger can check it later.
 *
 * Invariants: an append resolves only when its bytes are on stable storage; a `Permit` exists only for a durable allow decision and
 * is spent once; only durable sizes are signed; after a failed write or sync nothing is ever written again by this process.
 * Deliberately not here: what is decided, how the log is shipped or shown, where a mirror keeps it, and the verifier (`#ledger/verify`), which shares no code with the writer.
 */
export { type AuditedFile, FileAudit } from './audit.ts';
export { CompactTree } from './compact-tree.ts';
export { growthProof } from './growth-proof.ts';
export { type Cosigner, cosignedAt, openCosigner, readCheckpoint } from './cosigner.ts';
export { openLedger } from './ledger.ts';
export type { FoundLog, InDoubt, Ledger, LedgerOptions, Recovery } from './contract.ts';
export { rotateLedgerKey, repairLedger, type Repaired, type StoppedLog } from './maintain.ts';
export { decodePieces, encodePieces, type Piece, pieceHeader, pieceHeaderBytes } from './recording/content.ts';
export { sealedBytes, sessionKey } from './recording/sealed-bytes.ts';
export { type SealedBytes, sealedIn, unseal } from './recording/unseal.ts';
export { pruneLedger } from './prune.ts';
export { planPruning } from './prune-plan.ts';
export { recordProofs } from './record-proof.ts';
export { keyFollows, ledgerRotations, type Rotation } from './rotations.ts';
export type { SignerSetting } from './signer/courier.ts';
export { type RunningSigner, serveSigner } from './signer/serve-signer.ts';
export { signerAt } from './signer/signer-client.ts';
export { Permit, spendPermit } from './permit.ts';
export type { EvidenceLevel, RemoteLevel } from './reach.ts';
export { shredSession, type ShredRequest } from './shred.ts';
export { verifierFiles } from './verifier-files.ts';
export { Witness, type WitnessAnswer } from './witness.ts';
