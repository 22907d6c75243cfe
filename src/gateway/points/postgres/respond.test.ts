import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { StatementOutput } from '#inspect';
import { Fault, type Catalog } from '#model';
import { describeColumns } from './columns.ts';
import { diagnosticFor } from './diagnostics.ts';
import { errorResponse, noticeResponse } from './encode.ts';
import { refusalResponse } from './respond.ts';
import { RowWriter } from './rows.ts';
import { decodeDiagnostic, decodeTextRow } from './target-messages.ts';

function row(cells: readonly (string | null)[]): Buffer {
  const parts = cells.flatMap((cell) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(cell === null ? -1 : Buffer.byteLength(cell));
    return cell === null ? [length] : [length, Buffer.from(cell)];
  });
  const count = Buffer.alloc(2);
  count.writeUInt16BE(cells.length);
  const body = Buffer.concat([count, ...parts]);
  const header = Buffer.alloc(5);
  header[0] = 0x44;
  header.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}

const stars = (): Buffer => Buffer.from('***');

describe('rewriting rows', () => {
  test('PG-18 only chosen cells change, NULL stays NULL, and lengths follow', () => {
    const writer = new RowWriter();
    const bytes = row(['1', 'alice@example.org', null, 'ü']);
    writer.append(bytes, 0, bytes.length, [undefined, stars, stars, undefined]);
    writer.append(bytes, 0, bytes.length, [stars, () => null, stars, () => Buffer.alloc(0)]);
    const out = writer.take();
    const first = out.readUInt32BE(1) + 1;
    assert.deepEqual(decodeTextRow(out, 5, first), ['1', '***', null, 'ü']);
    assert.deepEqual(decodeTextRow(out, first + 5, out.length), ['***', null, null, '']);
    assert.equal(writer.used, 0);
  });

  test('PG-18 a value that grows a thousandfold and a row without columns are written whole', () => {
    const writer = new RowWriter();
    const big = Buffer.alloc(300_000, 0x61);
    const bytes = row(['x']);
    writer.append(bytes, 0, bytes.length, [() => big]);
    assert.equal(decodeTextRow(writer.take(), 5, 300_011)[0]?.length, 300_000);
    const none = row([]);
    writer.append(none, 0, none.length, []);
    assert.deepEqual(writer.take(), none);
  });

  test('bytes that were handed out are not written again', () => {
    const writer = new RowWriter();
    const bytes = row(['a']);
    writer.append(bytes, 0, bytes.length, [stars]);
    const first = writer.take();
    const copy = Buffer.from(first);
    writer.append(bytes, 0, bytes.length, [() => Buffer.from('zzzzzz')]);
    assert.deepEqual(first, copy);
  });

  test('a row that is not as described is a fault', () => {
    const writer = new RowWriter();
    const bytes = row(['a', 'b']);
    assert.throws(() => writer.append(bytes, 0, bytes.length, [stars]), Fault);
    assert.throws(() => writer.append(bytes, 0, bytes.length - 1, [stars, stars]), Fault);
    const lying = Buffer.from(bytes);
    lying.writeInt32BE(1_000, 7);
    assert.throws(() => writer.append(lying, 0, lying.length, [stars, stars]), Fault);
    lying.writeInt32BE(-2, 7);
    assert.throws(() => writer.append(lying, 0, lying.length, [stars, stars]), Fault);
  });
});

const catalog: Catalog = {
  searchPath: ['public'],
  relation: () => undefined,
  byOid: (oid) =>
    oid === 20_000
      ? {
          oid,
          schema: 'public',
          name: 'customers',
          kind: 'table',
          columns: [
            { name: 'id', number: 1, labels: [] },
            { name: 'email', number: 3, labels: ['pii.email'] },
          ],
        }
      : undefined,
};
const field = { name: 'x', tableOid: 0, column: 0, typeOid: 25, format: 0 };
const output = (lineage: 'exact' | 'derived' | 'none' | 'unknown', labels: readonly string[] = []): StatementOutput => ({
  returnsRows: true,
  columns: [{ name: 'x', lineage, sources: [], labels }],
});

const typeOf = (typeOid: number, format: 0 | 1): string | undefined =>
  describeColumns([{ ...field, typeOid, format }], undefined, catalog).columns[0]?.type;

describe('the columns of a result', () => {
  test('PG-18 have the labels of the parser and of the catalog together', () => {
    const { columns } = describeColumns([{ ...field, tableOid: 20_000, column: 3 }], output('exact', ['pii.other']), catalog);
    assert.deepEqual(columns, [{ name: 'x', labels: ['pii.other', 'pii.email'], lineage: 'exact', type: 'text' }]);
  });

  test('have unknown lineage when the parser and the target count differently, or nobody knows the statement', () => {
    assert.equal(describeColumns([field, field], output('exact'), catalog).columns[0]?.lineage, 'unknown');
    assert.equal(describeColumns([field], undefined, catalog).columns[0]?.lineage, 'unknown');
    assert.equal(describeColumns([field], { returnsRows: true, columns: undefined }, catalog).columns[0]?.lineage, 'unknown');
  });

  test('have unknown lineage when the relation or the column is not in the snapshot, which is then stale', () => {
    for (const strange of [
      { ...field, tableOid: 20_001, column: 1 },
      { ...field, tableOid: 20_000, column: 9 },
    ]) {
      const { columns, stale } = describeColumns([strange], output('exact'), catalog);
      assert.equal(columns[0]?.lineage, 'unknown');
      assert.equal(stale, true);
    }
    assert.equal(describeColumns([{ ...field, tableOid: 20_000, column: 1 }], output('exact'), undefined).columns[0]?.lineage, 'unknown');
  });

  test('that the target vouches for are exact even when the parser was lost', () => {
    assert.equal(describeColumns([{ ...field, tableOid: 20_000, column: 1 }], undefined, catalog).columns[0]?.lineage, 'exact');
  });

  test('PG-18 are text, opaque or other by what their bytes are in the format that is used', () => {
    // text, varchar, json; jsonb, text[], record; bytea; int4, timestamptz
    assert.deepEqual(
      [25, 1043, 114, 3802, 1009, 2249, 17, 23, 1184].map((oid) => typeOf(oid, 0)),
      ['text', 'text', 'text', 'text', 'text', 'text', 'opaque', 'other', 'other'],
    );
    assert.deepEqual(
      [25, 1043, 114, 3802, 1009, 2249, 17, 23, 1184].map((oid) => typeOf(oid, 1)),
      ['text', 'text', 'text', 'opaque', 'opaque', 'opaque', 'opaque', 'other', 'other'],
    );
  });
});

const fields = (bytes: Buffer): Record<string, string> => Object.fromEntries(decodeDiagnostic(bytes, 5, bytes.length));

const shown = (kind: 'error' | 'notice', given: Record<string, string>, sensitive: boolean): Record<string, string> => {
  const bytes = (kind === 'error' ? errorResponse : noticeResponse)(Object.entries(given));
  return fields(diagnosticFor(kind, { source: bytes, start: 5, end: bytes.length }, sensitive));
};

describe('diagnostics', () => {
  test('PG-21 details that quote values are left out where labelled columns are touched, names and codes stay', () => {
    const violation = {
      S: 'ERROR',
      C: '23505',
      M: 'duplicate key value violates unique constraint "u"',
      D: 'Key (email)=(a@b.c) already exists.',
      n: 'u',
      t: 'customers',
      P: '7',
    };
    const { D: _detail, ...rest } = violation;
    assert.deepEqual(shown('error', violation, true), rest);
    assert.deepEqual(shown('error', violation, false), violation);
  });

  test('PG-21 messages of data exceptions and of user code are replaced by the name of their class', () => {
    for (const [C, M] of [
      ['22P02', 'invalid input syntax for type integer: "a@b.c"'],
      ['P0001', 'the mail is a@b.c'],
      ['22003', 'value "4111" is out of range'],
      ['XX000', 'a@b.c'],
    ]) {
      const result = shown('error', { S: 'ERROR', C: C ?? '', M: M ?? '' }, true);
      assert.doesNotMatch(result['M'] ?? '', /a@b|4111/);
      assert.equal(result['C'], C);
    }
  });

  test("PG-21 a notice of user code is withheld, the server's own is shown", () => {
    assert.doesNotMatch(
      shown('notice', { S: 'NOTICE', C: '00000', M: 'a@b.c', R: 'exec_stmt_raise', W: 'PL/pgSQL function inline_code_block' }, true)['M'] ??
        '',
      /a@b/,
    );
    assert.match(shown('notice', { S: 'NOTICE', C: '00000', M: 'table "x" does not exist, skipping' }, true)['M'] ?? '', /skipping/);
  });

  test('PG-21 an error without an SQLSTATE gets one (CVE-2026-6666)', () => {
    assert.deepEqual(shown('error', { M: 'odd' }, false), { M: 'odd', C: 'XX000', S: 'ERROR' });
  });

  test('a refusal says its reason and its decision, and what to do', () => {
    const result = fields(refusalResponse({ code: 'DENIED', reason: 'DESTRUCTIVE_DDL', message: 'no DROP here', decisionId: 'dec_1' }));
    assert.deepEqual(
      { S: result['S'], C: result['C'], M: result['M'], D: result['D'] },
      { S: 'ERROR', C: '42501', M: 'warder: no DROP here', D: 'reason DESTRUCTIVE_DDL, decision dec_1' },
    );
    assert.ok(result['H']);
  });
});
