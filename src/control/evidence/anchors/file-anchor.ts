import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { AnchorPlace } from './anchor.ts';

/** A file on another machine's disk: every checkpoint as a JSON string on a line, as in `checkpoints.log`, synced. */
export function fileAnchor(path: string): AnchorPlace {
  return {
    name: path,
    everyMs: 0,
    async last(origin) {
      let text: string;
      try {
        text = await readFile(path, 'utf8');
      } catch (error) {
        // The first start with this anchor.
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
        throw error;
      }
      return text
        .split('\n')
        .reverse()
        .map(noteIn)
        .find((note) => note?.startsWith(`${origin}\n`));
    },
    keep: (note) => append(path, `${JSON.stringify(note)}\n`),
  };
}

/** The last line may be unfinished; the one before it counts. */
function noteIn(line: string): string | undefined {
  try {
    const note: unknown = JSON.parse(line);
    return typeof note === 'string' ? note : undefined;
  } catch {
    return undefined;
  }
}

async function append(path: string, line: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, 'a+', 0o644);
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1));
    // A line that a crash left unfinished is ended, so that it spoils no other.
    const text = bytesRead === 1 && buffer[0] !== 0x0a ? `\n${line}` : line;
    await file.appendFile(text);
    await file.datasync();
  } finally {
    await file.close();
  }
}
