import { createHash, hash } from 'node:crypto';
import { Fault, limits } from '#model';
import { type Disk, type DiskFile, folderOf, isNoSpace, makeFolders, writeAll } from '../disk.ts';
import { encrypt, type SessionKeys } from '../keys.ts';

/** Where recordings are kept, and with which keys. */
export interface RecordingPlace {
  readonly disk: Disk;
  /** The log's folder. */
  readonly directory: string;
  readonly origin: string;
  readonly keys: SessionKeys;
  readonly random: (length: number) => Uint8Array;
}

/** What a `recording.chunk` record says of its bytes: they are in the record, or in the file of the session. */
export type StoredChunk = {
  /** Number of the sealed bytes. */
  readonly bytes: number;
  /** Hex SHA-256 over "recording/v1", the salt and the content. */
  readonly commit: string;
} & (
  | {
      /** Base64. */
      readonly sealed: string;
    }
  | {
      /** Position in the file. */
      readonly at: number;
      /** Hex SHA-256 of the sealed bytes. */
      readonly hash: string;
    }
);

export const chunkSaltBytes = 16;

interface OpenRecording {
  readonly path: string;
  /** Made for the first chunk that does not fit its record. */
  file: DiskFile | undefined;
  /** After the last chunk whose record is durable. */
  chunks: number;
  end: number;
  /** After the last chunk of the batch at hand. */
  nextChunks: number;
  nextEnd: number;
  ended: boolean;
}

/**
 * The recordings that are being written. Small chunks go into their records; for the others each session has one file, sealed chunks one after the
 * other.
 *
 * INVARIANT: a chunk is synced before the record that names it is written. A chunk whose record could not be written is overwritten by the
 * next one; nobody was told that it is there.
 */
export class RecordingFiles {
  readonly #place: RecordingPlace;
  readonly #open = new Map<string, OpenRecording>();
  /** Written to in the batch at hand. */
  readonly #touched = new Set<OpenRecording>();

  constructor(place: RecordingPlace) {
    this.#place = place;
  }

  /**
   * Seals the next chunk of a session, and writes it where it does not fit its record. Durable after `sync`. Throws INVALID_INPUT for a chunk out of turn,
   * CONFLICT for a session whose recording has ended or is on the disk already, and what the disk throws; NoSpace leaves everything as it was.
   */
  write(session: string, chunk: number, content: Uint8Array): StoredChunk {
    const { directory, keys, origin, random } = this.#place;
    const open = this.#open.get(session) ?? emptyRecording(recordingPath(directory, session));
    if (open.ended) throw new Fault('CONFLICT', `the recording of session ${session} has ended`);
    if (chunk !== open.nextChunks + 1)
      throw new Fault('INVALID_INPUT', `chunk ${chunk} of the recording of ${session} does not follow chunk ${open.nextChunks}`);
    this.#open.set(session, open);
    const salt = random(chunkSaltBytes);
    const sealing = { key: keys.forSealing(session), iv: random(12), context: chunkContext(origin, session, chunk) };
    const sealed = encrypt(sealing, salt, content);
    const about = { bytes: sealed.length, commit: chunkCommitment(salt, content) };
    if (sealed.length > limits.recordingInlineBytesMax) this.#append(open, sealed);
    open.nextChunks = chunk;
    this.#touched.add(open);
    if (sealed.length <= limits.recordingInlineBytesMax) return { ...about, sealed: sealed.toString('base64') };
    return { ...about, at: open.nextEnd - sealed.length, hash: hash('sha256', sealed) };
  }

  #append(open: OpenRecording, sealed: Buffer): void {
    const { disk } = this.#place;
    open.file ??= this.#create(open.path);
    try {
      writeAll(open.file, sealed, { position: open.nextEnd, disk, path: open.path });
    } catch (error) {
      if (isNoSpace(error)) open.file.truncate(open.nextEnd);
      throw error;
    }
    open.nextEnd += sealed.length;
  }

  /** Number of chunks of a session, and the bytes of its file. */
  extent(session: string): { readonly chunks: number; readonly bytes: number } {
    const open = this.#open.get(session);
    return { chunks: open?.nextChunks ?? 0, bytes: open?.nextEnd ?? 0 };
  }

  /** Makes every chunk that was written since the last call durable. */
  sync(): void {
    for (const { file, end, nextEnd } of this.#touched) if (nextEnd > end) file?.sync();
  }

  /** The records of the batch are durable. */
  keep(): void {
    for (const open of this.#touched) {
      open.chunks = open.nextChunks;
      open.end = open.nextEnd;
    }
    this.#touched.clear();
  }

  /** The records of the batch were not written. */
  forget(): void {
    for (const open of this.#touched) {
      open.nextChunks = open.chunks;
      open.nextEnd = open.end;
    }
    this.#touched.clear();
  }

  /** The recording of this session has its end. */
  end(session: string): void {
    const open = this.#open.get(session);
    if (open === undefined) return;
    open.ended = true;
    open.file?.close();
    open.file = undefined;
  }

  /** Nothing more comes of this session. */
  close(session: string): void {
    this.end(session);
    this.#open.delete(session);
  }

  closeAll(): void {
    for (const session of this.#open.keys()) this.close(session);
  }

  #create(path: string): DiskFile {
    const { disk } = this.#place;
    // A session does not outlive the process that serves it, so a file of its name is an older recording, and evidence.
    if ((disk.size(path) ?? 0) > 0) throw new Fault('CONFLICT', `there is a recording in ${path} already`);
    makeFolders(disk, folderOf(path));
    const file = disk.open(path, 'create');
    try {
      disk.syncFolder(folderOf(path));
    } catch (error) {
      file.close();
      throw error;
    }
    return file;
  }
}

function emptyRecording(path: string): OpenRecording {
  return { path, file: undefined, chunks: 0, end: 0, nextChunks: 0, nextEnd: 0, ended: false };
}

/** The file of a session's recording. */
export function recordingPath(directory: string, session: string): string {
  // Session ids are made by us; the check keeps a mistake elsewhere from becoming a path.
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(session)) throw new Fault('INVALID_INPUT', 'a session id must be 1 to 64 letters, digits, "_" or "-"');
  return `${directory}/recordings/${session.slice(-2)}/${session}.recording`;
}

/** What a sealed chunk belongs to; authenticated with it. */
export function chunkContext(origin: string, session: string, chunk: number): string {
  return `recording/v1\n${origin}\n${session}\n${chunk}`;
}

export function chunkCommitment(salt: Uint8Array, content: Uint8Array): string {
  return createHash('sha256').update('recording/v1').update(salt).update(content).digest('hex');
}
