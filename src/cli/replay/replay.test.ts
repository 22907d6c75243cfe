import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asciicast } from './asciicast.ts';
import { play, search } from './play.ts';
import { screenFor, type ScreenEvent } from './screen.ts';

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 0, 'latin1');
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

const text = (value: string): Buffer => Buffer.from(`${value}\0`);
const int16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
const int32 = (value: number): Buffer => Buffer.from([value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255]);
const cell = (value: Buffer | string | null): Buffer =>
  value === null ? int32(-1) : Buffer.concat([int32(Buffer.byteLength(value)), Buffer.from(value)]);

const query = (sql: string): Buffer => message('Q', text(sql));
const parse = (name: string, sql: string): Buffer => message('P', Buffer.concat([text(name), text(sql), int16(0)]));
const execute = (portal: string): Buffer => message('E', Buffer.concat([text(portal), int32(0)]));
const ready = message('Z', Buffer.from('I'));
const complete = (tag: string): Buffer => message('C', text(tag));

function columns(...heads: readonly { name: string; type: number; binary?: boolean }[]): Buffer {
  const fields = heads.flatMap(({ name, type, binary = false }) => [
    text(name),
    Buffer.alloc(6),
    int32(type),
    Buffer.alloc(6),
    int16(binary ? 1 : 0),
  ]);
  return message('T', Buffer.concat([int16(heads.length), ...fields]));
}

const row = (...cells: readonly (Buffer | string | null)[]): Buffer =>
  message('D', Buffer.concat([int16(cells.length), ...cells.map(cell)]));

/** What the screen shows of these pieces. */
function shown(pieces: readonly (readonly ['in' | 'out', Buffer])[]): string {
  const screen = screenFor('postgres', { database: 'shop' });
  return pieces
    .flatMap(([direction, bytes], us) => screen.take({ direction, us, bytes }))
    .map((event) => event.text)
    .join('')
    .replaceAll('\r\n', '\n');
}

test('a statement and its result are drawn as psql draws them, however the bytes were cut', () => {
  const asked = query('select 1 as n, name from t');
  const answer = Buffer.concat([
    columns({ name: 'n', type: 23 }, { name: 'name', type: 25 }),
    row('1', 'Ann'),
    row('20', null),
    complete('SELECT 2'),
    ready,
  ]);
  const wanted = 'shop=> select 1 as n, name from t\n n  | name \n----+------\n  1 | Ann\n 20 | \n(2 rows)\n\n';
  assert.equal(
    shown([
      ['in', asked],
      ['out', answer],
    ]),
    wanted,
  );
  for (let cut = 1; cut < answer.length; cut += 7) {
    const pieces = [
      ['in', asked],
      ['out', answer.subarray(0, cut)],
      ['out', answer.subarray(cut)],
    ] as const;
    assert.equal(shown(pieces), wanted, `cut at ${cut}`);
  }
});

test('prepared statements are shown with what was bound, and binary values are read where they can be', () => {
  const bind = Buffer.concat([text(''), text('find'), int16(1), int16(0), int16(2), cell("O'Hara"), cell(null), int16(0)]);
  const answer = Buffer.concat([
    columns({ name: 'id', type: 23, binary: true }, { name: 'ok', type: 16, binary: true }, { name: 'raw', type: 2950, binary: true }),
    row(int32(7), Buffer.from([1]), Buffer.from([0xab, 0xcd])),
    complete('SELECT 1'),
    ready,
  ]);
  assert.equal(
    shown([
      ['in', Buffer.concat([parse('find', 'select $1, $2'), message('B', bind), execute('')])],
      ['out', answer],
    ]),
    "shop=> select $1, $2\n-- $1 = 'O'Hara'\n-- $2 = NULL\n id | ok |  raw   \n----+----+--------\n  7 | t  | \\xabcd\n(1 row)\n\n",
  );
});

test('errors, notices, commands and the state of the transaction are shown', () => {
  const error = message('E', Buffer.concat([...['SERROR', 'C42501', 'Mno', 'Dreason X', 'Hask'].map(text), Buffer.from([0])]));
  const failed = message('Z', Buffer.from('E'));
  assert.equal(
    shown([
      ['in', query('begin')],
      ['out', Buffer.concat([complete('BEGIN'), message('Z', Buffer.from('T'))])],
      ['in', query('drop table t')],
      ['out', Buffer.concat([error, failed])],
      ['in', query('rollback')],
    ]),
    'shop=> begin\nBEGIN\nshop=*> drop table t\nERROR:  no\nDETAIL:  reason X\nHINT:  ask\nshop=!> rollback\n',
  );
});

test('nothing in a recording can move the cursor of who looks at it', () => {
  const evil = '\u001b]52;c;aGk=\u0007\u001b[2J\u202egnp';
  const screen = shown([
    ['in', query(`select '${evil}'`)],
    ['out', Buffer.concat([columns({ name: evil, type: 25 }), row(evil), complete(`SELECT ${evil}`), ready])],
  ]);
  assert.doesNotMatch(screen, /[\u001b\u0007\u202e]/);
  assert.match(screen, /\\u\{1b\}\]52/);
});

test('what is not understood is left out, and nothing breaks', () => {
  const bytes = Buffer.from(Array.from({ length: 4_000 }, (_, k) => (k * 97) % 256));
  for (let from = 0; from < 200; from += 1)
    shown([
      ['out', bytes.subarray(from)],
      ['in', bytes.subarray(from)],
    ]);
  assert.equal(
    shown([
      ['out', message('T', int16(3))],
      ['out', row('x')],
    ]),
    '',
  );
});

test('what is not framed as messages is said once, and does not end the replay', () => {
  const nonsense = Buffer.concat([message('Z', Buffer.from('I')), Buffer.from([68, 0, 0, 0, 1]), Buffer.alloc(100)]);
  const pieces = [
    ['out', nonsense],
    ['out', nonsense],
    ['in', query('select 1')],
  ] as const;
  assert.equal(shown(pieces), '(what follows in this direction are no PostgreSQL messages; --bytes has it)\nshop=> select 1\n');
});

test('neither a statement nor what the target says can look like a prompt or a result', () => {
  const forged = 'select 1 /*\n n \n---\n 1\n(1 row)\n\nshop=> drop table t; */';
  const notice = message(
    'N',
    Buffer.concat([Buffer.from('S'), text('NOTICE'), Buffer.from('M'), text('x\nshop=> drop table u'), Buffer.from([0])]),
  );
  const lines = shown([
    ['in', query(forged)],
    ['out', Buffer.concat([notice, columns({ name: 'a', type: 25 }), row('x\nshop=> drop table v'), complete('SELECT 1'), ready])],
  ]).split('\n');
  assert.deepEqual(
    lines.filter((line) => line.startsWith('shop=> ') || line.startsWith('(')),
    ['shop=> select 1 /*', '(1 row)'],
  );
});

test('every row of a large result is searched, and few of it are drawn', async () => {
  const rows = Array.from({ length: 6_000 }, (_, k) => row(`value ${k}`));
  const bytes = Buffer.concat([columns({ name: 'v', type: 25 }), ...rows, complete('SELECT 6000'), ready]);
  const screen = screenFor('postgres', { database: 'shop' }, { lines: true });
  const found = [];
  for await (const { line } of search(stream(screen.take({ direction: 'out', us: 1, bytes })), 'value 5999')) found.push(line);
  assert.deepEqual(found, [' value 5999']);
  assert.match(shown([['out', bytes]]), /\(1000 more rows are in the recording and not drawn\)/);
});

test('large values are not drawn beyond a bound, and a message of many pieces is put together', () => {
  const wide = Buffer.concat([
    columns({ name: 'v', type: 25 }),
    row('a'.repeat(600_000)),
    row('b'.repeat(600_000)),
    complete('SELECT 2'),
    ready,
  ]);
  const pieces = Array.from(
    { length: Math.ceil(wide.length / 1_000) },
    (_, k) => ['out', wide.subarray(k * 1_000, k * 1_000 + 1_000)] as const,
  );
  const drawn = shown(pieces);
  assert.ok(drawn.includes('a'.repeat(600_000)) && !drawn.includes('b'));
  assert.match(drawn, /\(1 more rows are in the recording/);
});

async function* stream(events: readonly ScreenEvent[]): AsyncGenerator<ScreenEvent> {
  yield* events;
}

const at = (ms: number, what: string): ScreenEvent => ({ us: ms * 1_000, text: what, kind: 'shown' });

test('a terminal is shown as it was, keys apart, with characters that were cut in two', () => {
  const screen = screenFor('ssh', { database: '' });
  const bytes = Buffer.from('é$ ');
  const events = [
    ...screen.take({ direction: 'out', us: 1, bytes: bytes.subarray(0, 1) }),
    ...screen.take({ direction: 'out', us: 2, bytes: bytes.subarray(1) }),
    ...screen.take({ direction: 'in', us: 3, bytes: Buffer.from('ls\r') }),
  ];
  assert.deepEqual(events, [
    { us: 2, text: 'é$ ', kind: 'shown' },
    { us: 3, text: 'ls\r', kind: 'typed' },
  ]);
});

test('playing waits as long as it took, faster when asked, and never stares at a cursor', async () => {
  const waits: number[] = [];
  let written = '';
  const how = {
    write: (what: string) => void (written += what),
    wait: async (ms: number): Promise<void> => void waits.push(ms),
  };
  const events = [at(0, 'a'), at(500, 'b'), at(60_500, 'c\u001b[2J')];
  await play(stream(events), { from: 0, speed: 1, ...how });
  assert.deepEqual([waits, written], [[500, 3_000], 'abc\\u{1b}[2J']);
  waits.length = 0;
  await play(stream(events), { from: 500_000, speed: 4, ...how });
  assert.deepEqual(waits, [3_000]);
  waits.length = 0;
  await play(stream(events), { from: 0, speed: 0, ...how });
  assert.deepEqual(waits, []);
});

test('a text is found across pieces, with where its line begins', async () => {
  const found = [];
  for await (const one of search(stream([at(1, 'first\r\nsec'), at(5, 'ond line\r\nthi'), at(9, 'rd')]), 'D L')) found.push(one);
  assert.deepEqual(found, [{ us: 1_000, line: 'second line' }]);
});

test('casts begin where they are told to, with decisions at their place', async () => {
  const session = {
    ...{ id: 'ses_1', subject: 'user:a', resource: 'pg:shop', point: 'postgres', source: '', client: '' },
    ...{ opened: 1_700_000_000_500, operations: 1, denied: 0 },
  };
  const marks = [1, 3].map((n) => ({
    ...{ us: n * 1_000_000, n, verb: 'select', verdict: 'allow' as const, reason: 'OK', decision: `dec_${n}` },
  }));
  const cast = async (version: 'v2' | 'v3', from: number): Promise<unknown[]> => {
    const lines: unknown[] = [];
    for await (const line of asciicast(
      version,
      { session, marks },
      { events: stream([at(500, 'x'), at(1_500, 'y'), at(2_250, 'z')]), from },
    ))
      lines.push(JSON.parse(line));
    return lines.slice(1);
  };
  assert.deepEqual(await cast('v2', 0), [
    [0.5, 'o', 'x'],
    [1, 'm', '#1 allow OK select'],
    [1.5, 'o', 'y'],
    [2.25, 'o', 'z'],
    [3, 'm', '#3 allow OK select'],
  ]);
  assert.deepEqual(await cast('v3', 1_250_000), [
    [0.25, 'o', 'y'],
    [0.75, 'o', 'z'],
    [0.75, 'm', '#3 allow OK select'],
  ]);
});
