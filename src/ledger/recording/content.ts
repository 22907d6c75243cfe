import { Fault } from '#model';

/** Bytes of a session in one direction: `in` from the client, `out` to the client. */
export interface Piece {
  readonly direction: 'in' | 'out';
  /** Monotonic clock of the gateway, microseconds. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** What stands before the bytes of a piece. SPEC: docs/formats/recording.md. */
export const pieceHeaderBytes = 13;

const directions = { in: 1, out: 2 } as const;

/** The header of a piece; its bytes follow. `at` is microseconds. */
export function pieceHeader(direction: Piece['direction'], at: number, length: number): Buffer {
  const header = Buffer.allocUnsafe(pieceHeaderBytes);
  header.writeUInt8(directions[direction]);
  header.writeBigUInt64BE(BigInt(at), 1);
  header.writeUInt32BE(length, 9);
  return header;
}

/** Pieces one after the other, as a chunk holds them. */
export function encodePieces(pieces: readonly Piece[]): Buffer {
  return Buffer.concat(pieces.flatMap(({ direction, at, bytes }) => [pieceHeader(direction, at, bytes.length), bytes]));
}

/** The pieces of a chunk. Throws LEDGER_TAMPERED when the content is not made of pieces. */
export function decodePieces(content: Buffer): Piece[] {
  const pieces: Piece[] = [];
  for (let position = 0; position < content.length; ) {
    if (position + pieceHeaderBytes > content.length) throw broken();
    const direction = content.readUInt8(position);
    const at = Number(content.readBigUInt64BE(position + 1));
    const begin = position + pieceHeaderBytes;
    const end = begin + content.readUInt32BE(position + 9);
    if ((direction !== directions.in && direction !== directions.out) || !Number.isSafeInteger(at) || end > content.length) throw broken();
    pieces.push({ direction: direction === directions.in ? 'in' : 'out', at, bytes: content.subarray(begin, end) });
    position = end;
  }
  return pieces;
}

function broken(): Fault {
  return new Fault('LEDGER_TAMPERED', 'a chunk of a recording is not made of pieces');
}
