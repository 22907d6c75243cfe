/**
 * Bundles as files: an archive with the same bytes for the same documents, and the statement that is signed about it.
 *
 * Invariants: pure; an archive that is read back is refused unless it is exactly what would be written for its documents.
 * Deliberately not here: keys and signatures (`#cli`), and putting a bundle in force (`#control`, `#gateway`).
 */
export { archiveFiles, buildArchive, droppedBaseline, readArchive } from './archive.ts';
export type { Archive, ArchiveResult } from './archive.ts';
export { payloadType, preAuthEncoding, statementDifferences, statementOf } from './statement.ts';
export type { Provenance, Statement } from './statement.ts';
