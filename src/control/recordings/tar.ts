const block = 512;

/**
 * Files as a POSIX ustar archive, written in one way only: sorted by name, no owner, no time. The same files give the same bytes, and the verifier
 * takes no other form, so that nothing in it can change unseen. SPEC: docs/formats/recording.md, Archive.
 */
export function* tarParts(files: ReadonlyMap<string, Uint8Array>): Generator<Uint8Array> {
  for (const [name, content] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    yield header(name, content.length);
    yield content;
    yield Buffer.alloc((block - (content.length % block)) % block);
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
