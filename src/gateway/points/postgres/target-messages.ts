import { Body } from './body.ts';

/** Type bytes of what a target sends. SPEC: PostgreSQL 18 documentation, §54.7. */
export const reply = {
  authentication: 0x52,
  keyData: 0x4b,
  parameterStatus: 0x53,
  negotiate: 0x76,
  readyForQuery: 0x5a,
  rowDescription: 0x54,
  parameterDescription: 0x74,
  noData: 0x6e,
  dataRow: 0x44,
  commandComplete: 0x43,
  emptyQuery: 0x49,
  portalSuspended: 0x73,
  parseComplete: 0x31,
  bindComplete: 0x32,
  closeComplete: 0x33,
  error: 0x45,
  notice: 0x4e,
  notification: 0x41,
  copyIn: 0x47,
  copyOut: 0x48,
  copyBoth: 0x57,
} as const;

/** One column of a RowDescription. `tableOid` and `column` are 0 for an expression. */
export interface Field {
  readonly name: string;
  readonly tableOid: number;
  readonly column: number;
  readonly typeOid: number;
  /** 0 text, 1 binary; 0 in the description of a statement, where it is not known yet. */
  readonly format: number;
}

/** `start` is the first byte of the message's body. */
export function decodeRowDescription(buffer: Buffer, start: number, end: number): readonly Field[] {
  const body = new Body(buffer, start, end);
  const count = body.uint16();
  const fields: Field[] = [];
  for (let i = 0; i < count; i += 1) {
    const name = body.cbytes().toString('utf8');
    const tableOid = body.uint32();
    const column = body.int16();
    const typeOid = body.uint32();
    body.int16();
    body.int32();
    fields.push({ name, tableOid, column, typeOid, format: body.int16() });
  }
  body.done();
  return fields;
}

export function decodeParameterStatus(buffer: Buffer, start: number, end: number): { readonly name: string; readonly value: string } {
  const body = new Body(buffer, start, end);
  const name = body.cbytes().toString('utf8');
  const value = body.cbytes().toString('utf8');
  body.done();
  return { name, value };
}

/** Cells of a DataRow as text; `null` is SQL NULL. For Warder's own queries, which ask for text. */
export function decodeTextRow(buffer: Buffer, start: number, end: number): (string | null)[] {
  const body = new Body(buffer, start, end);
  const count = body.uint16();
  const cells: (string | null)[] = [];
  for (let i = 0; i < count; i += 1) {
    const length = body.int32();
    cells.push(length < 0 ? null : body.bytes(length).toString('utf8'));
  }
  body.done();
  return cells;
}

/** Fields of an ErrorResponse or NoticeResponse: a letter and a text each. */
export function decodeDiagnostic(buffer: Buffer, start: number, end: number): Map<string, string> {
  const body = new Body(buffer, start, end);
  const fields = new Map<string, string>();
  for (let letter = body.byte(); letter !== 0; letter = body.byte()) {
    fields.set(String.fromCharCode(letter), body.cbytes().toString('utf8'));
  }
  return fields;
}
