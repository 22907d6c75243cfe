import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodePieces, type Piece } from '#ledger';
import { Fault, limits, type Decision, type RecordDraft, type RecordingChunk, type RecordingLevel } from '#model';
import type { LiveSession, SessionRecording } from './point.ts';
import { recordingFor, Recordings } from './recording.ts';
import { testWorld } from './testing/world.ts';

interface Write {
  readonly draft: RecordingChunk;
  readonly content: Buffer;
  done(fault?: Fault): Promise<void>;
}

/** A ledger whose disk answers when it is told to, and a client that keeps what it is shown. */
function bench() {
  const world = testWorld();
  const writes: Write[] = [];
  const records: RecordDraft[] = [];
  const terminated: Fault[] = [];
  const receipt = { origin: 'ledger.test/g', index: 1, leaf: '' };
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined, debug: () => undefined };
  const recordings = new Recordings({
    world,
    log,
    terminate: (_session, fault) => void terminated.push(fault),
    ledger: {
      append: async (draft) => {
        records.push(draft);
        return receipt;
      },
      keepChunk: (draft, content) =>
        new Promise((resolve, reject) => {
          const done = async (fault?: Fault): Promise<void> => {
            if (fault) reject(fault);
            else resolve(receipt);
            await new Promise(setImmediate);
          };
          writes.push({ draft, content: Buffer.from(content), done });
        }),
    },
  });
  // Only the id is looked at.
  const live = { session: { id: 'ses_1' } } as LiveSession;
  const shown: Buffer[] = [];
  const stops: string[] = [];
  const begin = (level: RecordingLevel = 'required'): SessionRecording => {
    const recording = recordings.begin(live, level);
    assert.ok(!(recording instanceof Fault), String(recording));
    recording.connect({
      write: (pieces) => void shown.push(...pieces.map((piece) => Buffer.from(piece))),
      pause: () => void stops.push('pause'),
      resume: () => void stops.push('resume'),
    });
    return recording;
  };
  const shownBytes = (): number => shown.reduce((sum, { length }) => sum + length, 0);
  const pieces = (): Piece[] => writes.flatMap(({ content }) => decodePieces(content));
  return { world, writes, records, terminated, recordings, live, begin, shown, shownBytes, stops, pieces };
}

const full = new Fault('LEDGER_FULL', 'the disk of the ledger is full');
const turn = (): Promise<void> => new Promise(setImmediate);

test('input is released only when it is durable', async () => {
  const { begin, writes } = bench();
  let released = false;
  const input = begin()
    .input([Buffer.from('select 1')])
    .then(() => (released = true));
  await turn();
  assert.deepEqual([released, writes.length], [false, 1]);
  await writes[0]?.done();
  await input;
  assert.equal(released, true);
});

test('every byte is in the recording, with its direction, its time and in its order', async () => {
  const { begin, world, writes, pieces, records } = bench();
  const recording = begin();
  const input = recording.input([Buffer.from('in 1'), Buffer.from('in 2')]);
  await writes[0]?.done();
  await input;
  world.advance(7);
  recording.output([Buffer.from('out 1')]);
  world.advance(5);
  recording.output([Buffer.from('out 2')]);
  const finished = recording.finish();
  await writes[1]?.done();
  await finished;
  assert.deepEqual(
    pieces().map(({ direction, at, bytes }) => [direction, at, Buffer.from(bytes).toString()]),
    [
      ['in', 0, 'in 1'],
      ['in', 0, 'in 2'],
      ['out', 7_000, 'out 1'],
      ['out', 12_000, 'out 2'],
    ],
  );
  const { kind: _kind, ...second } = writes[1]?.draft ?? assert.fail('no second chunk');
  assert.deepEqual(second, { session: 'ses_1', chunk: 2, from: 7_000, to: 12_000, in: 0, out: 10 });
  assert.deepEqual(records, [{ kind: 'recording.closed', session: 'ses_1', status: 'whole' }]);
});

test('output runs at most 64 KiB ahead of a slow disk, whatever comes, and the source is stopped', async () => {
  const { begin, writes, shownBytes, stops } = bench();
  const recording = begin();
  const sent = 2 * limits.recordingHeldBytesMax;
  recording.output([Buffer.alloc(sent, 'x')]);
  assert.ok(shownBytes() > limits.recordingAheadBytesMax / 2 && shownBytes() <= limits.recordingAheadBytesMax, String(shownBytes()));
  assert.deepEqual(stops, ['pause']);
  let durable = 0;
  for (let k = 0; k < writes.length; k += 1) {
    await writes[k]?.done();
    durable += writes[k]?.draft.out ?? 0;
    assert.ok(shownBytes() <= durable + limits.recordingAheadBytesMax, `${shownBytes()} shown, ${durable} durable`);
  }
  const finished = recording.finish();
  await writes.at(-1)?.done();
  await finished;
  assert.deepEqual([shownBytes(), stops], [sent, ['pause', 'resume']]);
  assert.ok(writes.every(({ content }) => content.length <= limits.recordingChunkBytesMax));
});

test('a source is stopped when much waits, and goes on when less does', async () => {
  const { begin, writes, stops } = bench();
  const recording = begin();
  recording.output([Buffer.alloc(limits.recordingAheadBytesMax + limits.recordingHeldBytesMax - limits.recordingChunkBytesClosed)]);
  assert.deepEqual(stops, []);
  recording.output([Buffer.alloc(64 * 1024)]);
  assert.deepEqual(stops, ['pause']);
  for (let k = 0; k < writes.length && stops.length === 1; k += 1) await writes[k]?.done();
  assert.deepEqual(stops, ['pause', 'resume']);
});

test('where many sessions wait for the disk together, each is stopped early, and what waits in all stays bounded', async () => {
  const { recordings, writes } = bench();
  const taken: number[] = [];
  let stopped = 0;
  for (let k = 0; k < 100; k += 1) {
    // Only the id is looked at.
    const recording = recordings.begin({ session: { id: `ses_${k}` } } as LiveSession, 'required');
    assert.ok(!(recording instanceof Fault));
    let going = true;
    recording.connect({
      write: () => undefined,
      pause: () => {
        going = false;
        stopped += 1;
      },
      resume: () => {
        going = true;
        stopped -= 1;
      },
    });
    let sent = 0;
    for (; going && sent < 4 * limits.recordingHeldBytesMax; sent += 64 * 1024) recording.output([Buffer.alloc(64 * 1024)]);
    taken.push(sent);
  }
  assert.equal(stopped, 100);
  const most = limits.recordingHeldBytesTotalMax + 2 * limits.recordingHeldBytesMax + 100 * 3 * limits.recordingAheadBytesMax;
  assert.ok(taken.reduce((sum, one) => sum + one, 0) <= most, String(taken));
  for (const write of writes) await write.done();
  assert.equal(stopped, 0);
});

test('output is not shown more than 250 ms ahead of a disk that hangs', async () => {
  const { begin, world, shownBytes, writes } = bench();
  const recording = begin();
  for (let ms = 0; ms < 1_000; ms += 50) {
    recording.output([Buffer.from('0123456789')]);
    world.advance(50);
  }
  assert.equal(shownBytes(), 60);
  for (const write of writes) await write.done();
  assert.equal(shownBytes(), 200);
});

test('a chunk that is not full is recorded after a moment', () => {
  const { begin, world, writes } = bench();
  begin().output([Buffer.from('prompt> ')]);
  assert.equal(writes.length, 0);
  world.advance(limits.recordingFlushMs);
  assert.equal(writes.length, 1);
});

test('what is recorded does not change with the memory it came in', async () => {
  const { begin, pieces, writes } = bench();
  const recording = begin();
  const memory = Buffer.from('what the client saw');
  recording.output([memory]);
  memory.fill('!');
  const finished = recording.finish();
  await writes[0]?.done();
  await finished;
  assert.equal(Buffer.from(pieces()[0]?.bytes ?? []).toString(), 'what the client saw');
});

test('what must be recorded and cannot be is refused before anything of it ran', async () => {
  const { begin, writes, terminated, recordings, live } = bench();
  const input = begin().input([Buffer.from('select 1')]);
  const refused = assert.rejects(input, { code: 'RECORDING_FAILED' });
  await writes[0]?.done(full);
  await refused;
  assert.deepEqual(terminated, []);
  // There may be room again.
  assert.ok(!(recordings.begin(live, 'required') instanceof Fault));
  const again = begin().input([Buffer.from('select 2')]);
  assert.equal(writes[1]?.draft.chunk, 1);
  await writes[1]?.done();
  await again;
});

test('a required recording that breaks off ends the session, and what was not durable is not shown', async () => {
  const { begin, writes, terminated, shownBytes, records, recordings, live } = bench();
  const recording = begin();
  const input = recording.input([Buffer.from('select 1')]);
  await writes[0]?.done();
  await input;
  recording.output([Buffer.alloc(500_000)]);
  const seen = shownBytes();
  await writes[1]?.done(full);
  assert.deepEqual([terminated.map(({ code }) => code), shownBytes()], [['RECORDING_FAILED'], seen]);
  await assert.rejects(recording.input([Buffer.from('select 2')]), { code: 'RECORDING_FAILED' });
  assert.ok(recordings.begin(live, 'required') instanceof Fault);
  await recording.finish();
  assert.deepEqual(records, [{ kind: 'recording.closed', session: 'ses_1', status: 'failed', reason: 'LEDGER_FULL' }]);
});

test('a recording that is only wished for breaks off without disturbing the session, and says so', async () => {
  const { begin, writes, terminated, shownBytes, records, recordings, live } = bench();
  const recording = begin('best_effort');
  recording.output([Buffer.alloc(500_000)]);
  await writes[0]?.done(full);
  assert.deepEqual([shownBytes(), terminated], [500_000, []]);
  await recording.input([Buffer.from('select 1')]);
  recording.output([Buffer.from('shown')]);
  assert.equal(shownBytes(), 500_005);
  assert.ok(recordings.begin(live, 'required') instanceof Fault, 'what is missing cannot be made good');
  await recording.finish();
  assert.deepEqual(records, [{ kind: 'recording.closed', session: 'ses_1', status: 'failed', reason: 'LEDGER_FULL' }]);
});

test('one large statement does not take more memory than a few chunks', async () => {
  const { begin, writes } = bench();
  const input = begin().input([Buffer.alloc(4 * 1024 * 1024)]);
  for (let k = 0; ; k += 1) {
    await turn();
    assert.ok(writes.length - k <= limits.recordingInputChunksMax + 1, `${writes.length - k} under way`);
    if (k >= writes.length) break;
    await writes[k]?.done();
  }
  await input;
  assert.equal(
    writes.reduce((sum, { draft }) => sum + draft.in, 0),
    4 * 1024 * 1024,
  );
});

test('a session is recorded when any operation of a batch asks for it, and the strictest counts', () => {
  const { recordings, live } = bench();
  const wanting = (...levels: (RecordingLevel | 'off' | undefined)[]): { decision: Decision }[] =>
    levels.map((recording) => {
      // Only the obligations are looked at.
      return { decision: { obligations: recording ? [{ type: 'record', recording }] : [] } as unknown as Decision };
    });
  const told = (given: Recordings | undefined, judged: { decision: Decision }[]): string[] =>
    Object.keys(recordingFor(given, live, judged));
  assert.deepEqual(told(recordings, wanting(undefined, 'off')), []);
  assert.deepEqual(told(recordings, wanting('best_effort', undefined)), ['recording']);
  assert.deepEqual(told(undefined, wanting('best_effort')), []);
  assert.deepEqual(told(undefined, wanting('best_effort', 'required', 'off')), ['unrecordable', 'fault']);
});
