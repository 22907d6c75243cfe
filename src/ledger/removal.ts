import { open, rm } from 'node:fs/promises';
import type { StoredRecord } from '#model';
import { decodeBundle } from './bundle.ts';
import { folderOf } from './disk.ts';
import { nodeDisk } from './disk-node.ts';
import { recordingPath } from './recording/files.ts';
import { bundlePath, tilePath } from './tile-path.ts';

/**
 * Removes a whole bundle with its tile and with what only its records refer to; durable when this resolves. Interrupted, it can be repeated. What
 * takes its time with the disk does not hold the thread, which may be one that serves.
 */
export async function removeBundle(directory: string, number: number): Promise<void> {
  const [tile, bundle] = [`${directory}/${tilePath(0, number)}`, `${directory}/${bundlePath(number)}`];
  const contents = bundleAt(directory, number).flatMap((record) => contentOf(directory, record));
  // What the records point to first, the tile next: a bundle without its tile is incomplete, a tile without its bundle would look like tampering.
  for (const paths of [contents, [tile], [bundle]]) {
    for (const path of paths) await rm(path, { force: true });
    for (const folder of new Set(paths.map((path) => folderOf(path)))) await syncFolder(folder);
  }
}

async function syncFolder(path: string): Promise<void> {
  // A folder of contents may never have been made here.
  if (nodeDisk.size(path) === undefined) return;
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Files that only this record refers to: its sealed evidence, or the recording of the session that it closes. */
export function contentOf(directory: string, record: StoredRecord): readonly string[] {
  const { evidence, kind, session, recording } = record;
  const blob = typeof evidence === 'object' && evidence !== null && 'blob' in evidence ? evidence.blob : undefined;
  // A recording that a crash cut off is ended by the end of its session.
  const ended = kind === 'recording.closed' || (kind === 'session.lost' && recording !== undefined);
  return [
    ...(typeof blob === 'string' ? [`${directory}/blobs/${blob.slice(0, 2)}/${blob}`] : []),
    ...(ended && typeof session === 'string' ? [recordingPath(directory, session)] : []),
  ];
}

/** The records of one whole bundle; none when it is not there. */
export function bundleAt(directory: string, number: number): readonly StoredRecord[] {
  const bytes = nodeDisk.read(`${directory}/${bundlePath(number)}`);
  // Safe: our own entries.
  return (decodeBundle(bytes ?? new Uint8Array()) ?? []).map((entry) => JSON.parse(Buffer.from(entry).toString()) as StoredRecord);
}
