import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Spool } from './spool.ts';
import { tarParts, type TarFile } from './tar.ts';

async function* given(...files: readonly TarFile[]): AsyncGenerator<TarFile> {
  yield* files;
}

async function archive(...files: readonly TarFile[]): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of tarParts(given(...files))) parts.push(part);
  return Buffer.concat(parts);
}

const file = (name: string, content: string): TarFile => ({ name, content: Buffer.from(content) });

test('the same files give the same bytes, in blocks', async () => {
  const [one, other] = [
    await archive(file('a', ''), file('b/c', 'x'.repeat(513))),
    await archive(file('a', ''), file('b/c', 'x'.repeat(513))),
  ];
  assert.deepEqual(one, other);
  assert.equal(one.length, 512 + 512 + 1_024 + 1_024);
});

test('files out of order are no archive', async () => {
  await assert.rejects(archive(file('b', ''), file('a', '')), /a comes after b/);
  await assert.rejects(archive(file('a', ''), file('a', '')), /a comes after a/);
});

test('what was put aside comes back by name, and closing twice is closing once', async () => {
  const spool = await Spool.open();
  await spool.put('b', Buffer.from('second'));
  await spool.put('a', Buffer.alloc(0));
  assert.deepEqual(spool.names(), ['a', 'b']);
  assert.deepEqual([(await spool.read('b')).toString(), (await spool.read('a')).length], ['second', 0]);
  await assert.rejects(spool.read('c'), /was not put aside/);
  await spool.close();
  await spool.close();
});
