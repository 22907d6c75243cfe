import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Fault } from '#model';
import { FrameReader, encodeFrame, parseFrame } from './frames.ts';

test('frames come out whole however the bytes are cut', () => {
  const frames = [
    { call: 1, method: 'hello', params: { text: 'grüße\n…' } },
    { reply: 2, result: null },
    { notice: 'policy.offer', params: {} },
    { reply: 3, fault: { code: 'DENIED', message: 'no' } },
  ];
  const bytes = Buffer.from(frames.map(encodeFrame).join(''));
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 30 }), (cuts) => {
      const reader = new FrameReader();
      const kinds: string[] = [];
      let at = 0;
      for (const cut of [...cuts, bytes.length]) {
        for (const frame of reader.push(bytes.subarray(at, at + cut))) kinds.push(frame.kind);
        at += cut;
      }
      assert.deepEqual(kinds, ['call', 'reply', 'notice', 'fault']);
    }),
  );
});

test('garbage is a protocol violation and nothing else', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.json().map((text) => Buffer.from(text)),
      ),
      (bytes) => {
        try {
          parseFrame(Buffer.from(bytes));
        } catch (error) {
          assert.ok(error instanceof Fault && error.code === 'PROTOCOL_VIOLATION');
        }
      },
    ),
  );
});

test('a frame that never ends is refused at the limit, not after it filled the memory', () => {
  const reader = new FrameReader(1_000);
  assert.throws(() => {
    for (let sent = 0; sent < 2_000; sent += 100) for (const frame of reader.push(Buffer.alloc(100, 0x20))) assert.fail(frame.kind);
  }, new Fault('MESSAGE_TOO_LARGE', 'a link frame is longer than 1000 bytes'));
});

test('a name that JSON objects inherit is not a frame member', () => {
  assert.throws(() => parseFrame(Buffer.from('{"__proto__":{"call":1,"method":"hello"}}')));
});
