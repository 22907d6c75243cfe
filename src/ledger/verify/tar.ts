import { equalBytes, fromText } from './bytes.ts';

const block = 512;

/** Where a file lies in an archive. */
export interface TarPlace {
  readonly at: number;
  readonly length: number;
}

/**
 * The files of a tar archive, when it is written in the one way that evidence is written in: POSIX ustar, plain files, sorted by name, every other
 * field fixed. Undefined for anything else, so that no bit of an archive can change without being noticed. SPEC: docs/formats/recording.md, Archive.
 */
export function readTar(archive: Uint8Array): Map<string, Uint8Array> | undefined {
  const places = tarPlaces((at, length) => archive.subarray(at, at + length), archive.length);
  return places && new Map([...places].map(([name, { at, length }]) => [name, archive.subarray(at, at + length)]));
}

/** The same without the contents: `read` gives bytes of the archive, as many as there are. Everything else in it is looked at. */
export function tarPlaces(read: (at: number, length: number) => Uint8Array, size: number): Map<string, TarPlace> | undefined {
  const files = new Map<string, TarPlace>();
  let at = 0;
  for (let before = ''; ; ) {
    const header = read(at, block);
    if (header.length < block) return undefined;
    if (header.every((byte) => byte === 0)) break;
    const name = textUntilZero(header.subarray(0, 100));
    const length = Number.parseInt(textUntilZero(header.subarray(124, 136)), 8);
    if (!(name > before) || !(length >= 0)) return undefined;
    const padded = Math.ceil(length / block) * block;
    const padding = read(at + block + length, padded - length);
    if (at + block + padded > size || padding.length !== padded - length || padding.some((byte) => byte !== 0)) return undefined;
    if (!equalBytes(header, tarHeader(name, length))) return undefined;
    files.set(name, { at: at + block, length });
    before = name;
    at += block + padded;
  }
  const end = read(at, 3 * block);
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
