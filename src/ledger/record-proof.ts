import { Fault } from '#model';
import { decodeBundle } from './bundle.ts';
import { proveInclusion } from './consistency.ts';
import { nodeDisk } from './disk-node.ts';
import { bundlePath } from './tile-path.ts';

/**
 * Proofs that these records stand in the log in this folder: each a text that can be checked with the log's key and nothing else. All of them lead
 * to one signed note, the newest that witnesses have signed too, where that covers the records. Reads tiles and bundles only, which never
 * change, so the log may be written meanwhile.
 *
 * Faults: NOT_FOUND when a record is not signed yet, LEDGER_CORRUPT when a file is missing. SPEC: C2SP tlog-proof, docs/formats/proof.md.
 */
export function recordProofs(directory: string, indexes: readonly number[]): string[] {
  const last = Math.max(...indexes);
  const notes = ['cosigned', 'checkpoint'].map((name) => Buffer.from(nodeDisk.read(`${directory}/${name}`) ?? []).toString());
  const note = notes.find((text) => sizeOf(text) > last);
  if (note === undefined) throw new Fault('NOT_FOUND', `record ${last} is not signed yet`);
  return indexes.map((index) => {
    const entry = entryAt(directory, { index, size: sizeOf(note) });
    const path = proveInclusion(nodeDisk, directory, { index, size: sizeOf(note) }).map((node) => node.toString('base64'));
    return ['c2sp.org/tlog-proof@v1', `extra ${Buffer.from(entry).toString('base64')}`, `index ${index}`, ...path, '', note].join('\n');
  });
}

function sizeOf(note: string): number {
  const size = Number(note.split('\n')[1]);
  return Number.isSafeInteger(size) ? size : 0;
}

function entryAt(directory: string, { index, size }: { readonly index: number; readonly size: number }): Uint8Array {
  const number = Math.floor(index / 256);
  const width = Math.min(256, size - number * 256);
  // The partial bundle of this width goes when the full one is there.
  const bytes =
    nodeDisk.read(`${directory}/${bundlePath(number)}`) ??
    nodeDisk.read(`${directory}/${bundlePath(number, width)}`) ??
    nodeDisk.read(`${directory}/${bundlePath(number)}`);
  const entry = bytes === undefined ? undefined : decodeBundle(bytes)?.[index % 256];
  if (entry === undefined) throw new Fault('LEDGER_CORRUPT', `entry ${index} is missing or damaged; \`warder ledger verify\` says more`);
  return entry;
}
