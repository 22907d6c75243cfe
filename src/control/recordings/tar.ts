import { Fault } from '#model';

const block = 512;

/** A file on its way into an archive. */
export interface TarFile {
  readonly name: string;
  readonly content: Uint8Array;
}

/**
 * Files as a POSIX ustar archive, written in one way only: sorted by name, no owner, no time. The same files give the same bytes, and the verifier
 * takes no other form, so that nothing in it can change unseen. They must come in that order. SPEC: docs/formats/recording.md, Archive.
 */
export async function* tarParts(files: AsyncIterable<TarFile>): AsyncGenerator<Uint8Array> {
  let before = '';
  for await (const { name, content } of files) {
    if (!(name > before)) throw new Fault('INTERNAL', `${name} comes after ${before} in an archive`);
    yield header(name, content.length);
    yield content;
    if (content.length % block > 0) yield Buffer.alloc(block - (content.length % block));
    before = name;
  }
  yield Buffer.alloc(2 * block);
}

function header(name: string, size: number): Buffer {
  const bytes = Buffer.alloc(block);
  bytes.write(name, 0, 100, 'latin1');
  bytes.write('0000644\0', 100);
  bytes.write('0000000\0', 108);
  bytes.write('0000000\0', 116);
  bytes.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  bytes.write('00000000000\0', 136);
  bytes.write('        ', 148);
  bytes.write('0', 156);
  bytes.write('ustar\x0000', 257);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return bytes;
}
