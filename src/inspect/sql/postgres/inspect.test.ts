import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import fc from 'fast-check';
import { scanSync } from 'libpg-query';
import { parse as parseYaml } from 'yaml';
import { buildCatalog, inspectSql, labelsOf, loadInspectors } from '#inspect';
import { limits } from '#model';
import { testCatalog } from '../../../../test/corpus/sql/catalog.ts';
import { tokensOf } from './lexer.ts';

before(loadInspectors);

const corpus = ['bypass', 'ordinary'].flatMap((name): readonly string[] => {
  const text = readFileSync(new URL(`../../../../test/corpus/sql/${name}.yaml`, import.meta.url), 'utf8');
  // The corpora are this repository's own files.
  return (parseYaml(text) as readonly { sql?: string; describe?: string }[]).map((each) => each.sql ?? each.describe ?? '');
});

test('an empty text and one with comments only are complete and do nothing', () => {
  for (const text of ['', ' \n', '-- only', '/* only */', ';;']) {
    const { facts, certainty, outputs } = inspectSql(text);
    assert.equal(certainty, 'parsed', text);
    assert.deepEqual([facts.verbs, facts.effects, outputs], [[], [], []]);
  }
});

test('a syntax error is opaque and says where', () => {
  const { certainty, error, facts } = inspectSql("select 'é' fro t");
  assert.equal(certainty, 'opaque');
  assert.deepEqual(error, { message: 'syntax error at or near "t"', position: 16 });
  assert.deepEqual(facts.unknown, ['syntax']);
  assert.equal(facts.normalized, '');
});

test('literals and comments never reach the normalised text', () => {
  const { facts } = inspectSql(
    "SELECT  $1, 'sec''ret', E'\\'s', $x$sec;ret$x$, 12.5e-3, B'01' -- secret\n FROM Orders /* secret */ WHERE \"Id\"=5",
  );
  assert.equal(facts.normalized, 'select $1, $2, $3, $4, $5, $6 from orders where "Id" = $7');
});

test('texts of one shape share the fingerprint and differ in the literals', () => {
  const one = inspectSql('DELETE FROM orders WHERE id = 1').facts;
  const two = inspectSql('delete from orders  where id=2 -- x').facts;
  assert.equal(one.fingerprint, two.fingerprint);
  assert.notEqual(one.literalsHash, two.literalsHash);
  assert.notEqual(one.fingerprint, inspectSql('DELETE FROM orders WHERE id <> 1').facts.fingerprint);
});

test('parameters are part of the literals', () => {
  const text = 'DELETE FROM orders WHERE id = $1';
  const hash = (parameters: readonly (string | null)[]): string => inspectSql(text, { parameters }).facts.literalsHash;
  assert.notEqual(hash(['1']), hash(['2']));
  assert.notEqual(hash([null]), hash(['null']));
  assert.equal(hash(['1']), hash(['1']));
});

test('transaction commands are listed in order', () => {
  assert.deepEqual(inspectSql('BEGIN; SAVEPOINT a; ROLLBACK TO a; RELEASE a; COMMIT').transaction, [
    'begin',
    'savepoint',
    'rollback_to',
    'release',
    'commit',
  ]);
});

test('a cursor tells what its fetches will return', () => {
  const catalog = testCatalog();
  const declared = inspectSql('DECLARE c CURSOR FOR SELECT ssn FROM customers', { catalog }).outputs[0];
  assert.equal(declared?.returnsRows, false);
  assert.deepEqual(
    declared?.declares?.columns?.map((column) => column.labels),
    [['pii.ssn']],
  );
  assert.equal(inspectSql('FETCH 5 FROM c', { catalog }).outputs[0]?.fetches, 'c');
});

test('nesting that would run a parser out of stack is refused', () => {
  const texts = [
    `SELECT ${'('.repeat(20_000)}1${')'.repeat(20_000)}`,
    `SELECT ${'1+'.repeat(20_000)}1`,
    `SELECT ${'- '.repeat(20_000)}1`,
    `SELECT ${'NOT '.repeat(20_000)}true`,
    `SELECT ${'CASE WHEN a AND b THEN '.repeat(5_000)}1${' END'.repeat(5_000)}`,
    `SELECT ${'ARRAY['.repeat(5_000)}1${']'.repeat(5_000)}`,
    `SELECT 1${' UNION SELECT 1, 2'.repeat(5_000)}`,
    `SELECT 1 FROM a${' JOIN b ON x AND y'.repeat(5_000)}`,
    `SELECT 1${'::int'.repeat(20_000)}`,
    `SELECT ${'f('.repeat(5_000)}1${')'.repeat(5_000)}`,
  ];
  for (const text of texts) {
    const { facts, certainty } = inspectSql(text);
    assert.equal(certainty, 'opaque', text.slice(0, 40));
    assert.deepEqual(facts.unknown, ['nesting']);
  }
  assert.equal(inspectSql('SELECT 1').certainty, 'parsed');
});

test('a long flat statement is fine, one beyond the limits is refused', () => {
  const rows = Array.from({ length: 2_000 }, (_, i) => `(${i}, 'it''s (([')`).join(',');
  assert.equal(inspectSql(`INSERT INTO orders (id, status) VALUES ${rows}`, { catalog: testCatalog() }).certainty, 'parsed');
  const conditions = Array.from({ length: 2_000 }, (_, i) => `id = ${i}`).join(' OR ');
  assert.equal(inspectSql(`SELECT 1 FROM orders WHERE ${conditions}`).certainty, 'parsed');
  assert.deepEqual(inspectSql(`SELECT '${'x'.repeat(limits.statementBytesMax)}'`).facts.unknown, ['length']);
  assert.deepEqual(inspectSql(`SELECT ${'1,'.repeat(limits.statementTokensMax)}1`).facts.unknown, ['length']);
});

test('work that doubles with every level is cut off', () => {
  let inner = 'SELECT email AS a FROM customers';
  for (let level = 0; level < 40; level += 1)
    inner = `WITH RECURSIVE r${level}(a) AS (SELECT '' UNION SELECT x.a FROM r${level}, (${inner}) x) SELECT * FROM r${level}`;
  const before = process.cpuUsage();
  assert.deepEqual(inspectSql(inner, { catalog: testCatalog() }).facts.unknown, ['complexity']);
  assert.ok(process.cpuUsage(before).user < 8_000_000);
});

test('the search path decides which relation a name means', () => {
  const text = 'SELECT email FROM people';
  assert.equal(inspectSql(text, { catalog: testCatalog(['public']) }).outputs[0]?.columns?.[0]?.lineage, 'unknown');
  assert.deepEqual(inspectSql(text, { catalog: testCatalog(['public', 'other']) }).facts.labels, ['pii.email']);
});

test('without a catalog columns are known by name and nothing is called exact', () => {
  const { facts, outputs } = inspectSql("SELECT o.total, id FROM orders o WHERE o.status = 'x'");
  assert.ok(facts.complete);
  assert.deepEqual(
    facts.columns.map((use) => `${use.table}.${use.column}:${use.role}`),
    ['orders.status:lookup', 'orders.total:projected', 'orders.id:projected'],
  );
  assert.ok(outputs[0]?.columns?.every((column) => column.lineage === 'unknown'));
  assert.deepEqual(facts.tables, ['orders']);
});

test('labels by object id follow views and partitions and are unknown where nobody can tell', () => {
  const catalog = testCatalog();
  assert.deepEqual(labelsOf(catalog, 20_001, 2), ['pii.email']);
  assert.deepEqual(labelsOf(catalog, 20_004, 3), ['pii.email']);
  assert.deepEqual(labelsOf(catalog, 20_006, 2), ['pii.email']);
  assert.deepEqual(labelsOf(catalog, 20_006, 1), []);
  assert.equal(labelsOf(catalog, 20_007, 2), undefined);
  assert.equal(labelsOf(catalog, 99_999, 1), undefined);
  assert.equal(labelsOf(catalog, 20_001, 9), undefined);
  assert.deepEqual(labelsOf(catalog, 20_001, -1), []);
  assert.deepEqual(labelsOf(catalog, 2619, 3), []);
});

test('the lexer sees the same tokens as the server', () => {
  for (const text of corpus) {
    if (text.includes('\0') || inspectSql(text).certainty === 'opaque') continue;
    const theirs = scanSync(text)
      .tokens.filter((token) => !token.tokenName.endsWith('COMMENT'))
      .map((token) => token.text.toLowerCase());
    // The server cuts trailing + and - off operators; so little matters to what the tokens are for.
    assert.equal([...tokensOf(text)].map((token) => token.text.toLowerCase()).join(''), theirs.join(''), text);
  }
});

test('no text makes the inspection throw', () => {
  const catalog = testCatalog();
  const known = new Set(['parsed', 'partial', 'opaque']);
  const check = (text: string): void => assert.ok(known.has(inspectSql(text, { catalog }).certainty));
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 60 }), check), { numRuns: 500 });
  const words = [
    'select',
    'from',
    'customers',
    'c',
    '*',
    ',',
    '(',
    ')',
    '.',
    'email',
    'where',
    '=',
    "'x'",
    'with',
    'as',
    'union',
    'values',
    'join',
    'using',
    'on',
    'update',
    'set',
    'returning',
    'delete',
    'insert',
    'into',
    '1',
    'order by',
    'group by',
    'array',
    '[',
    ']',
    'case',
    'when',
    'then',
    'end',
    'lateral',
    'row',
    'any',
    'exists',
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...words), { maxLength: 14 }), (list) => check(list.join(' '))),
    { numRuns: 2_000 },
  );
});

test('a mutated statement never makes the inspection throw, and never loses a label that a plain look at its columns has', () => {
  const catalog = testCatalog();
  const pieces = fc.tuple(fc.constantFrom(...corpus), fc.constantFrom(...corpus), fc.nat(), fc.nat(), fc.nat());
  fc.assert(
    fc.property(pieces, ([a, b, from, to, at]) => {
      const cut = b.slice(from % (b.length + 1), to % (b.length + 1));
      const place = at % (a.length + 1);
      const { facts, certainty, outputs } = inspectSql(a.slice(0, place) + cut + a.slice(place), { catalog });
      assert.equal(certainty === 'parsed', facts.complete);
      assert.ok(!facts.unknown.includes('internal'), facts.unknown.join());
      assert.ok(
        !facts.unknown.includes('column:unvisited') && !facts.unknown.some((name) => name === 'statement:SelectStmt'),
        `${facts.unknown.join()}: ${a.slice(0, place) + cut + a.slice(place)}`,
      );
      if (certainty === 'opaque') return;
      const projected = outputs.flatMap((output) => output.columns ?? []).flatMap((column) => column.labels);
      for (const label of projected) assert.ok(facts.labels.includes(label), `${label} is in an output but not in the facts`);
    }),
    { numRuns: 4_000 },
  );
});

test('whether IS NOT NULL is a condition depends on what the catalog says of the column', () => {
  const columns = JSON.stringify([
    [1, 'id', false],
    [2, 'code', true],
    [3, 'note', false],
  ]);
  const catalog = buildCatalog([['relation', '20001', 'public', 'stock', 'r', columns, null, null]], {}, ['public']);
  const takesAll = (sql: string, known: boolean): boolean | undefined =>
    inspectSql(sql, known ? { catalog } : {}).facts.statements[0]?.whereTautology;
  assert.equal(takesAll('DELETE FROM stock WHERE code IS NOT NULL', true), true);
  assert.equal(takesAll('DELETE FROM stock WHERE NOT (code IS NULL)', true), true);
  assert.equal(takesAll('DELETE FROM stock WHERE note IS NOT NULL', true), false);
  assert.equal(takesAll('DELETE FROM stock WHERE id IS NOT NULL', true), false);
  assert.equal(takesAll('DELETE FROM stock WHERE id IS NOT NULL', false), true);
  assert.equal(takesAll('DELETE FROM stock WHERE code IS NOT NULL', false), false);
});
