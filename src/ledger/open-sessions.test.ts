import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decided, sessionClosed, sessionOpened, settled } from './testing/drafts.ts';
import { PowerCut, SimulatedDisk } from './testing/simulated-disk.ts';
import { Bench, seededCoin, setting } from './testing/story.ts';
import { verified } from './testing/tamper.ts';

const wal = `${setting.directory}/wal`;

interface Line {
  readonly kind: string;
  readonly session: string;
  readonly operations: number;
  readonly recording?: { readonly chunks: number; readonly bytes: number };
  readonly lostSessions?: number;
}

function linesOf({ log }: Bench): Line[] {
  const lines: string[] = [];
  while (lines.length < log.size) lines.push(...log.read(lines.length, 1_000));
  return lines.map((line) => JSON.parse(line));
}

/** A log whose writer died with three sessions open: one with operations in doubt, one being recorded, one that did nothing yet. */
function crashed(): Bench {
  const bench = new Bench();
  bench.session('whole', 2);
  bench.commit(sessionOpened('doubtful'), decided('doubtful', 1, { verdict: 'deny' }));
  bench.commit(decided('doubtful', 2), decided('doubtful', 3));
  bench.commit(sessionOpened('recorded'));
  const [index = -1] = bench.commit({ ...decided('recorded', 1), recording: 'required' });
  bench.log.commit([bench.chunk('recorded', 1, 'a'), bench.chunk('recorded', 2, 'b'.repeat(5_000))]);
  bench.commit(settled('recorded', 1, index), sessionOpened('idle'));
  return bench;
}

test('a start ends what a crash left open, and then the log is proven and says what was cut off', async () => {
  const before = crashed();
  const bench = new Bench(before.disk.copy(), { seed: 2, time: 5_000 });
  const said = linesOf(bench).slice(before.log.size);
  assert.deepEqual(
    said.map(({ kind, session, operations, recording }) => [kind, session, operations, recording?.chunks]),
    [
      ['log.recovered', undefined, undefined, undefined],
      ['operation.indoubt', 'doubtful', undefined, undefined],
      ['operation.indoubt', 'doubtful', undefined, undefined],
      ['session.lost', 'doubtful', 3, undefined],
      ['session.lost', 'recorded', 1, 2],
      ['session.lost', 'idle', 0, undefined],
    ],
  );
  assert.equal(said[0]?.lostSessions, 3);
  bench.log.close();
  const report = await verified(bench.disk);
  assert.equal(report.status, 'proven', JSON.stringify(report.findings));
  assert.deepEqual([report.holes.lostSessions, report.holes.inDoubt, report.holes.recordings, report.holes.openSessions], [3, 2, 1, 0]);
  assert.ok(report.findings.some(({ message }) => message.includes('session idle was cut off')));
});

test('a start that was cut off itself is finished by the next one, and ends nothing twice', async () => {
  const before = crashed();
  const coin = seededCoin(7);
  let cuts = 0;
  for (let fuse = 0; fuse < 200; fuse += 1) {
    const disk = before.disk.copy();
    disk.fuse = fuse;
    try {
      new Bench(disk, { seed: 2, time: 5_000 }).log.close();
      break;
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      cuts += 1;
    }
    const bench = new Bench(disk.afterPowerCut(coin), { seed: 3, time: 6_000 });
    bench.log.close();
    const lost = linesOf(bench).flatMap(({ kind, session }) => (kind === 'session.lost' ? [session] : []));
    assert.deepEqual(lost.sort(), ['doubtful', 'idle', 'recorded'], `fuse ${fuse}`);
    const report = await verified(bench.disk);
    assert.equal(report.status, 'proven', `fuse ${fuse}: ${JSON.stringify(report.findings)}`);
  }
  assert.ok(cuts > 10, `${cuts} cuts`);
});

/** A log with a session that was opened long before the write-ahead log that is kept. */
function longAgo(): SimulatedDisk {
  const bench = new Bench(undefined, { machine: { segmentEntries: 41 } });
  bench.commit(sessionOpened('old'), decided('old', 1, { verdict: 'deny' }));
  for (let k = 0; k < 12; k += 1) {
    bench.session(`ses_${k}`, 24);
    bench.sign();
  }
  assert.ok((bench.disk.list(wal)[0] ?? '') > '000000000256');
  return bench.disk.copy();
}

test('a session that was opened before the kept write-ahead log is found, with the file beside it and without', async () => {
  const disk = longAgo();
  const [name = ''] = disk.list(wal).filter((one) => one.endsWith('.sessions'));
  const path = `${wal}/${name}`;
  const bytes = disk.read(path) ?? assert.fail(`${path} is not there`);
  assert.ok(bytes.includes('"old"'));
  const damaged = Buffer.from(bytes);
  damaged[20] = 0x20;
  for (const stored of [bytes, undefined, damaged, Buffer.alloc(0), Buffer.from('{}\n')]) {
    const copy = disk.copy();
    copy.put(path, stored);
    const bench = new Bench(copy, { seed: 2, machine: { segmentEntries: 41 }, time: 5_000 });
    const lost = linesOf(bench).filter(({ kind }) => kind === 'session.lost');
    assert.deepEqual(
      lost.map(({ session, operations }) => [session, operations]),
      [['old', 1]],
    );
    bench.log.close();
    assert.equal((await verified(copy)).status, 'proven');
  }
});

test('a writer that says a session was cut off while it lives, or with other numbers, is caught', async () => {
  // Reason: the writer's own kinds, which a test may write too.
  const own = (draft: object) => draft as never;
  for (const [drafts, message] of [
    [[sessionOpened('s'), own({ kind: 'session.lost', session: 's', operations: 0 })], /was not started anew/],
    [[own({ kind: 'session.lost', session: 's', operations: 0 })], /was cut off but was not open/],
    [
      [
        sessionOpened('s'),
        own({ kind: 'log.recovered', torn: 0, inDoubt: [], inDoubtTotal: 0 }),
        own({ kind: 'session.lost', session: 's', operations: 2 }),
      ],
      /says that it had 2 operations, but 0 are here/,
    ],
    [
      [
        sessionOpened('s'),
        own({ kind: 'log.recovered', torn: 0, inDoubt: [], inDoubtTotal: 0 }),
        own({ kind: 'session.lost', session: 's', operations: 0, recording: { chunks: 1, bytes: 9 } }),
      ],
      /has 0 chunks here and 1 by its record/,
    ],
  ] as const) {
    const bench = new Bench();
    bench.commit(...drafts);
    bench.log.close();
    const report = await verified(bench.disk);
    assert.equal(report.status, 'tampered');
    assert.match(report.findings[0]?.message ?? '', message);
  }
});

test('operations that ran ahead of their records and were cut off stay a hole, because nobody knows what ran', async () => {
  const bench = new Bench();
  const [, index = -1] = bench.commit(sessionOpened('s'), { ...decided('s', 1), ahead: { operations: 64, ms: 50 } });
  bench.commit(settled('s', 1, index));
  const again = new Bench(bench.disk.copy(), { seed: 2, time: 5_000 });
  again.log.close();
  const report = await verified(again.disk);
  assert.equal(report.status, 'incomplete');
  assert.match(report.findings.find(({ severity }) => severity === 'hole')?.message ?? '', /up to 64 of its operations may have run/);
});

test('a session that ended is not cut off by a later start', () => {
  const bench = new Bench();
  bench.commit(sessionOpened('s'), sessionClosed('s', 0));
  const again = new Bench(bench.disk.copy(), { seed: 2, time: 5_000 });
  assert.deepEqual(linesOf(again).at(-1)?.kind, 'log.recovered');
});
