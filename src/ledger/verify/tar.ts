import { equalBytes, fromText } from './bytes.ts';

const block = 512;

/**
 * The files of a tar archive, when it is written in the one way that evidence is written in: POSIX ustar, plain files, sorted by name, every other
 * field fixed. Undefined for anything else, so that no bit of an archive can change without being noticed. SPEC: docs/formats/recording.md, Archive.
 */
export function readTar(archive: Uint8Array): Map<string, Uint8Array> | undefined {
  const files = new Map<string, Uint8Array>();
  let at = 0;
  for (let before = ''; ; ) {
    const header = archive.subarray(at, at + block);
    if (header.length < block) return undefined;
    if (header.every((byte) => byte === 0)) break;
    const name = textUntilZero(header.subarray(0, 100));
    const size = Number.parseInt(textUntilZero(header.subarray(124, 136)), 8);
    const content = archive.subarray(at + block, at + block + size);
    const padded = Math.ceil(size / block) * block;
    const padding = archive.subarray(at + block + size, at + block + padded);
    if (!(name > before) || content.length !== size || padding.length !== padded - size || padding.some((byte) => byte !== 0))
      return undefined;
    if (!equalBytes(header, tarHeader(name, size))) return undefined;
    files.set(name, content);
    before = name;
    at += block + padded;
  }
  const end = archive.subarray(at);
  return end.length === 2 * block && end.every((byte) => byte === 0) ? files : undefined;
}

/** The header of a file in the one form that is allowed. */
function tarHeader(name: string, size: number): Uint8Array {
  const header = new Uint8Array(block);
  const put = (text: string, position: number): void => header.set(fromText(text), position);
  put(name, 0);
  put('0000644\0', 100);
  put('0000000\0', 108);
  put('0000000\0', 116);
  put(`${size.toString(8).padStart(11, '0')}\0`, 124);
  put('00000000000\0', 136);
  put('        ', 148);
  put('0', 156);
  put('ustar\x0000', 257);
  put(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  );
  return header;
}

function textUntilZero(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  // Names are ASCII; anything else does not give the same header again.
  return String.fromCharCode(...bytes.subarray(0, end < 0 ? bytes.length : end));
}
