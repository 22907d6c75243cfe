import { proveConsistency } from './consistency.ts';
import { nodeDisk } from './disk-node.ts';

/**
 * Base64 hashes that show a witness that the log in this folder grew from one size to another; `to` must have been signed.
 * Reads tiles only, which never change, so the log may be written meanwhile. Faults: LEDGER_CORRUPT when a tile is missing.
 */
export function growthProof(directory: string, sizes: { readonly from: number; readonly to: number }): string[] {
  return proveConsistency(nodeDisk, directory, sizes).map((node) => node.toString('base64'));
}
