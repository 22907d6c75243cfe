import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fakeWorld } from '../../testing/fake-world.ts';
import { sampleFacts } from '../testing/facts.ts';
import { fileTransport } from './file.ts';

const folder = mkdtempSync(join(tmpdir(), 'warder-file-sink-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const events = sampleFacts();
const never = new AbortController().signal;
const world = fakeWorld();
const lines = (path: string): string[] => readFileSync(path, 'utf8').split('\n').slice(0, -1);

test('events are lines of a file that only the owner reads', async () => {
  const path = join(folder, 'plain.jsonl');
  const sink = fileTransport({ path, format: 'ocsf', rotateBytes: 1e9 }, world);
  assert.deepEqual(await sink.deliver(events, never), { kind: 'taken' });
  assert.deepEqual(await sink.deliver(events.slice(0, 1), never), { kind: 'taken' });
  assert.equal(lines(path).length, events.length + 1);
  assert.ok(lines(path).every((line) => JSON.parse(line).class_uid !== undefined));
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('what a crash left of a line is cut off before more is written', async () => {
  const path = join(folder, 'torn.jsonl');
  const sink = fileTransport({ path, format: 'ocsf', rotateBytes: 1e9 }, world);
  await sink.deliver(events.slice(0, 2), never);
  appendFileSync(path, `{"torn": "${'x'.repeat(200_000)}`);
  await sink.deliver(events.slice(2, 3), never);
  assert.deepEqual(
    lines(path).map((line) => JSON.parse(line).metadata.uid),
    events.slice(0, 3).map((event) => event.key),
  );
  const only = join(folder, 'only-torn.jsonl');
  writeFileSync(only, '{"torn');
  await fileTransport({ path: only, format: 'ocsf', rotateBytes: 1e9 }, world).deliver(events.slice(0, 1), never);
  assert.equal(lines(only).length, 1);
});

test('a full file is put aside before it grows too large, and nothing is lost on the way', async () => {
  const path = join(folder, 'turning.jsonl');
  const rotateBytes = 3_000;
  const sink = fileTransport({ path, format: 'facts', rotateBytes }, world);
  for (const event of events) assert.deepEqual(await sink.deliver([event], never), { kind: 'taken' });
  const aside = readdirSync(folder).filter((name) => name.startsWith('turning.jsonl'));
  assert.ok(aside.length >= 3, aside.join(' '));
  const all = aside
    .sort((a, b) => Number(a === 'turning.jsonl') - Number(b === 'turning.jsonl') || (a < b ? -1 : 1))
    .flatMap((name) => lines(join(folder, name)));
  assert.deepEqual(
    all.map((line) => JSON.parse(line).key),
    events.map((event) => event.key),
  );
  assert.ok(aside.every((name) => statSync(join(folder, name)).size <= rotateBytes));
});

test('of the files put aside only so many are kept as somebody asked for, and only those', async () => {
  const path = join(folder, 'kept.jsonl');
  writeFileSync(`${path}.note`, 'mine');
  const sink = fileTransport({ path, format: 'ocsf', rotateBytes: 1, keep: 2 }, world);
  for (const event of events.slice(0, 6)) {
    world.advance(10);
    await sink.deliver([event], never);
  }
  const names = readdirSync(folder).filter((name) => name.startsWith('kept.jsonl'));
  assert.equal(names.length, 4);
  assert.ok(names.includes('kept.jsonl.note'));
});

test('a file that cannot be written is a failure of which nothing has arrived', async () => {
  const missing = await fileTransport({ path: join(folder, 'no', 'where.jsonl'), format: 'ocsf', rotateBytes: 1e9 }, world).deliver(
    events,
    never,
  );
  assert.deepEqual([missing.kind === 'failed' && missing.arrived], ['nothing']);
  const target = join(folder, 'target');
  writeFileSync(target, '');
  symlinkSync(target, join(folder, 'link.jsonl'));
  const linked = await fileTransport({ path: join(folder, 'link.jsonl'), format: 'ocsf', rotateBytes: 1e9 }, world).deliver(events, never);
  assert.equal(linked.kind, 'failed');
  assert.equal(readFileSync(target, 'utf8'), '');
  const full = await fileTransport({ path: '/dev/full', format: 'ocsf', rotateBytes: 1e9 }, world).deliver(events, never);
  assert.equal(full.kind, 'failed');
});

/** A file system of so many KiB; undefined where this user may not mount one. */
function smallDisk(kibibytes: number): { at: string; end(): void } | undefined {
  const at = mkdtempSync(join(folder, 'disk-'));
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${kibibytes}k`, 'tmpfs', at]).status !== 0) return undefined;
  return { at, end: () => void spawnSync('umount', [at]) };
}

test('on a full disk nothing of the batch stays, and when there is room again the file goes on without a gap', async (t) => {
  const disk = smallDisk(64);
  if (disk === undefined) return t.skip('this user may not mount');
  try {
    const path = join(disk.at, 'events.jsonl');
    const ballast = join(disk.at, 'ballast');
    const sink = fileTransport({ path, format: 'ocsf', rotateBytes: 1e9 }, world);
    assert.deepEqual(await sink.deliver(events.slice(0, 3), never), { kind: 'taken' });
    const before = readFileSync(path, 'utf8');
    writeFileSync(ballast, Buffer.alloc(64 * 1024 - 2 * 4096));
    const full = await sink.deliver(Array.from({ length: 5 }, () => events).flat(), never);
    assert.deepEqual([full.kind === 'failed' && full.arrived], ['nothing']);
    assert.match(full.kind === 'failed' ? full.why : '', /ENOSPC/);
    assert.equal(readFileSync(path, 'utf8'), before);
    rmSync(ballast);
    assert.deepEqual(await sink.deliver(events.slice(3), never), { kind: 'taken' });
    assert.deepEqual(
      lines(path).map((line) => JSON.parse(line).metadata.uid),
      events.map((event) => event.key),
    );
  } finally {
    disk.end();
  }
});
