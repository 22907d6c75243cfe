import { open } from 'node:fs/promises';
import { Fault, limits, type SealedPlace } from '#model';
import { nodeDisk } from '../disk-node.ts';
import { blobPath } from '../evidence.ts';
import { SessionKeys } from '../keys.ts';
import { recordingPath } from './files.ts';

/** A log that may be written meanwhile: what is read here never changes once a record names it. */
interface Place {
  readonly directory: string;
  readonly keys: string;
  readonly origin: string;
}

/**
 * Sealed bytes of a session as they lie on the disk, unchecked, in the order asked for; undefined for what is not there. Read on the pool, so that
 * neither the writer nor the sessions wait.
 */
export async function sealedBytes(
  { directory }: Place,
  session: string,
  wanted: readonly SealedPlace[],
): Promise<readonly (Buffer | undefined)[]> {
  const items: (Buffer | undefined)[] = [];
  for (const one of wanted) {
    if ('blob' in one) {
      if (!/^[0-9a-f]{64}$/.test(one.blob)) throw new Fault('INVALID_INPUT', 'a blob is named by 64 hex digits');
      items.push(await readPart(blobPath(directory, one.blob), { at: 0, bytes: limits.sealedBlobBytesMax }));
    } else {
      const { at, bytes } = one;
      if (!(at >= 0 && bytes > 0 && bytes <= limits.sealedBlobBytesMax))
        throw new Fault('INVALID_INPUT', `no chunk has ${bytes} bytes at ${at}`);
      items.push(await readPart(recordingPath(directory, session), { at, bytes }));
    }
  }
  return items;
}

/** The key of a session, or undefined when there is none any more. */
export function sessionKey({ keys, origin }: Place, session: string): Buffer | undefined {
  const random = (): never => {
    throw new Fault('CONFIG_INVALID', `${keys} holds no key of the organisation`);
  };
  return new SessionKeys({ disk: nodeDisk, keys, origin, random }).forOpening(session)?.export();
}

async function readPart(path: string, { at, bytes }: { readonly at: number; readonly bytes: number }): Promise<Buffer | undefined> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  try {
    const { size } = await file.stat();
    const part = Buffer.alloc(Math.max(0, Math.min(bytes, size - at)));
    let filled = 0;
    while (filled < part.length) {
      const { bytesRead } = await file.read(part, filled, part.length - filled, at + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return part.subarray(0, filled);
  } finally {
    await file.close();
  }
}
