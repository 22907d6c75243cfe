import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalJson, limits } from '#model';
import { composeEntry } from '../entry.ts';
import { Bench, setting } from '../testing/story.ts';
import { decided, recordingClosed, sessionClosed, sessionOpened, settled } from '../testing/drafts.ts';
import { SimulatedDisk } from '../testing/simulated-disk.ts';
import { verified } from '../testing/tamper.ts';
import { decodePieces, encodePieces } from './content.ts';

const file = (session: string): string => `${setting.directory}/recordings/${session.slice(-2)}/${session}.recording`;

interface Line {
  readonly chunk?: number;
  readonly chunks?: number;
}

/** Too large for its record. */
const large = (text: string): string => text.padEnd(5_000, '.');

/** What became of items: an index, or the code of the refusal. */
function told(results: ReturnType<Bench['log']['commit']>): (number | string)[] {
  return results.map((result) => ('fault' in result ? result.fault.code : result.index));
}

function content(bench: Bench, index: number): string {
  return Buffer.from(bench.log.disclose(index).content).toString();
}

test('any pieces come back from a chunk as they went in', () => {
  const piece = fc.record(
    { direction: fc.constantFrom('in' as const, 'out' as const), at: fc.maxSafeNat(), bytes: fc.uint8Array({ maxLength: 300 }) },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const back = decodePieces(encodePieces(pieces)).map((one) => ({ ...one, bytes: new Uint8Array(one.bytes) }));
      assert.deepEqual(back, pieces);
    }),
  );
});

test('a damaged chunk content is refused, never guessed at', () => {
  const whole = encodePieces([{ direction: 'in', at: 5, bytes: Buffer.from('select 1') }]);
  for (const bad of [whole.subarray(0, 5), whole.subarray(0, -1), Buffer.concat([Buffer.from([9]), whole.subarray(1)])])
    assert.throws(() => decodePieces(bad), { code: 'LEDGER_TAMPERED' });
});

test('a recording is sealed on the disk, opens to what was recorded, and is proven', async () => {
  const bench = new Bench();
  bench.recorded('ses_1', ['select secret_text', large('a second secret_text'), 'a third']);
  bench.log.close();
  for (const path of bench.disk.paths()) assert.equal(bench.disk.read(path)?.includes('secret_text'), false, path);
  assert.deepEqual(
    [content(bench, 3), content(bench, 4), content(bench, 5)],
    ['select secret_text', large('a second secret_text'), 'a third'],
  );
  const closed = JSON.parse(bench.log.read(7, 1)[0] ?? '');
  assert.deepEqual([closed.kind, closed.chunks, closed.bytes], ['recording.closed', 3, bench.disk.size(file('ses_1'))]);
  assert.equal((await verified(bench.disk)).status, 'proven');
});

test('a chunk that fits is kept in its record and needs no file', async () => {
  const bench = new Bench();
  bench.recorded('ses_1', ['one', 'two']);
  bench.log.close();
  assert.equal(bench.disk.size(file('ses_1')), undefined);
  assert.deepEqual([content(bench, 3), content(bench, 4)], ['one', 'two']);
  assert.equal((await verified(bench.disk)).status, 'proven');
});

test('chunks are taken in turn only, and a session has one recording', () => {
  const bench = new Bench();
  bench.commit(sessionOpened('ses_1'));
  assert.deepEqual(told(bench.log.commit([bench.chunk('ses_1', 2, 'x')])), ['INVALID_INPUT']);
  assert.deepEqual(told(bench.log.commit([bench.chunk('ses_1', 1, 'x'), bench.chunk('ses_1', 3, 'x'), bench.chunk('ses_1', 2, 'y')])), [
    2,
    'INVALID_INPUT',
    3,
  ]);
  bench.commit(recordingClosed('ses_1'));
  assert.deepEqual(told(bench.log.commit([bench.chunk('ses_1', 1, 'again')])), ['CONFLICT']);
});

test('a chunk that did not fit on the disk leaves no trace, and the next one that fits is the first again', async () => {
  const disk = new SimulatedDisk();
  const bench = new Bench(disk);
  bench.commit(sessionOpened('ses_1'));
  disk.room = 600_000;
  assert.deepEqual(told(bench.log.commit([bench.chunk('ses_1', 1, 'x'.repeat(700_000))])), ['LEDGER_FULL']);
  assert.equal(disk.size(file('ses_1')), 0);
  disk.room = 40_000_000;
  bench.log.tick();
  assert.deepEqual(told(bench.log.commit([bench.chunk('ses_1', 1, 'fits')])), [2]);
  bench.commit(recordingClosed('ses_1'), sessionClosed('ses_1', 0));
  bench.log.close();
  assert.equal(content(bench, 2), 'fits');
  assert.equal((await verified(disk)).status, 'proven');
});

test('a full disk refuses chunks and still takes the end of a recording', () => {
  const disk = new SimulatedDisk();
  disk.room = 40 * 1024 * 1024;
  const bench = new Bench(disk, { setting: { reserveBytes: 4 * 1024 * 1024 } });
  bench.commit(sessionOpened('ses_1'));
  bench.log.commit([bench.chunk('ses_1', 1, 'x')]);
  disk.room = 10_000;
  bench.log.tick();
  assert.deepEqual(told(bench.log.commit([bench.chunk('ses_1', 2, 'y')])), ['LEDGER_FULL']);
  bench.commit(recordingClosed('ses_1', 'failed'));
});

test('the verifier names a chunk that was changed, cut off, swapped or put in from another session', async () => {
  const bench = new Bench();
  for (const session of ['ses_1', 'ses_2']) bench.recorded(session, [large('one'), large('two'), large('three')]);
  bench.log.close();
  const sealed = bench.disk.read(file('ses_1')) ?? Buffer.alloc(0);
  const length = (JSON.parse(bench.log.read(3, 1)[0] ?? '') as { stored: { bytes: number } }).stored.bytes;
  const swapped = Buffer.concat([sealed.subarray(length, 2 * length), sealed.subarray(0, length), sealed.subarray(2 * length)]);
  const cases: [string, Uint8Array, number][] = [
    ['changed', Buffer.from(sealed).fill(0, length + 20, length + 21), 4],
    ['cut off', sealed.subarray(0, sealed.length - 1), 5],
    ['swapped', swapped, 3],
    ['from another session', bench.disk.read(file('ses_2')) ?? Buffer.alloc(0), 3],
  ];
  for (const [what, bytes, index] of cases) {
    const disk = bench.disk.copy();
    disk.put(file('ses_1'), bytes);
    const report = await verified(disk);
    const first = report.findings.find(({ severity }) => severity === 'tampered');
    assert.deepEqual([report.status, first?.what, first?.index], ['tampered', 'recording', index], what);
  }
});

test('a recording that was removed is a hole, and so is one that broke off or has no end', async () => {
  const bench = new Bench();
  bench.recorded('ses_1', [large('one'), large('two')]);
  bench.commit(sessionOpened('ses_2'));
  bench.log.commit([bench.chunk('ses_2', 1, 'x')]);
  bench.commit(recordingClosed('ses_2', 'failed'), sessionClosed('ses_2', 0), sessionOpened('ses_3'));
  bench.log.commit([bench.chunk('ses_3', 1, 'x')]);
  bench.commit(sessionClosed('ses_3', 0));
  bench.log.close();
  bench.disk.put(file('ses_1'), undefined);
  const { status, holes } = await verified(bench.disk);
  assert.deepEqual([status, holes.recordings, holes.missingChunks], ['incomplete', 2, 2]);
});

test('an operation that had to be recorded and ran when nothing was is no small thing', async () => {
  const bench = new Bench();
  bench.commit(sessionOpened('ses_1'));
  const [index = -1] = bench.commit({ ...decided('ses_1', 1), recording: 'required' });
  bench.commit(settled('ses_1', 1, index));
  bench.log.close();
  const [first] = (await verified(bench.disk)).findings;
  assert.deepEqual([first?.severity, first?.what, first?.index], ['tampered', 'recording', 3]);
});

test('a writer that leaves a chunk out, or miscounts at the end, is found', async () => {
  const bench = new Bench();
  bench.commit(sessionOpened('ses_1'));
  bench.log.close();
  for (const [name, change, message] of [
    [
      'leaves out',
      (line: Line) => ({ ...line, ...(line.chunk === undefined ? {} : { chunk: line.chunk + 1 }) }),
      /chunk 2 of session ses_2 does not follow/,
    ],
    [
      'miscounts',
      (line: Line) => ({ ...line, ...(line.chunks === undefined ? {} : { chunks: line.chunks + 1 }) }),
      /says that it has 2 chunks, but 1/,
    ],
  ] as const) {
    // The writer itself cannot be made to do it, so its lines are changed before they are hashed and signed.
    const compose: typeof composeEntry = (...given) =>
      Buffer.from(canonicalJson(change(JSON.parse(composeEntry(...given).toString()) as Line)));
    const again = new Bench(bench.disk.copy(), { seed: 2, machine: { compose }, time: 100 });
    again.recorded('ses_2', ['one']);
    again.log.close();
    const [first] = (await verified(again.disk)).findings.filter(({ severity }) => severity === 'tampered');
    assert.match(first?.message ?? '', message, name);
  }
});

test('the key of another session, or of none, opens nothing', () => {
  const bench = new Bench();
  bench.recorded('ses_1', ['one']);
  bench.recorded('ses_2', ['one']);
  bench.log.close();
  const key = (session: string): string => `/keys/sessions/${session.slice(-2)}/${session}.key`;
  const wrong = bench.disk.copy();
  wrong.put(key('ses_1'), bench.disk.read(key('ses_2')));
  const opened = new Bench(wrong, { seed: 3, time: 500 });
  assert.throws(() => opened.log.disclose(3), { code: 'LEDGER_TAMPERED', message: /key file of session ses_1/ });
  wrong.put(key('ses_1'), undefined);
  assert.throws(() => opened.log.disclose(3), { code: 'NOT_FOUND', message: /was erased/ });
});

test('a chunk of the largest size fits a batch with others', () => {
  const bench = new Bench();
  bench.commit(sessionOpened('ses_1'));
  const chunks = Array.from({ length: 40 }, (_, k) => bench.chunk('ses_1', k + 1, 'x'.repeat(limits.recordingChunkBytesMax)));
  assert.deepEqual(
    told(bench.log.commit(chunks)),
    chunks.map((_, k) => k + 2),
  );
});
