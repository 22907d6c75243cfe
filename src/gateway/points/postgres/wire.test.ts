import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Fault } from '#model';
import { decodeClientMessage } from './client-messages.ts';
import { decodeFirstPacket } from './startup.ts';
import { decodeDiagnostic, decodeParameterStatus, decodeRowDescription, decodeTextRow } from './target-messages.ts';
import { Framer } from './wire.ts';

function framesOf(chunks: readonly Buffer[], limit = 1 << 20, shape: 'typed' | 'startup' = 'typed'): string[] {
  const framer = new Framer(shape, limit);
  const frames: string[] = [];
  for (const chunk of chunks) {
    framer.push(Buffer.from(chunk));
    while (framer.advance()) frames.push(`${framer.type}:${framer.source.toString('hex', framer.start, framer.end)}`);
  }
  return frames;
}

function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    const end = Math.min(Math.max(cut, at), bytes.length);
    chunks.push(bytes.subarray(at, end));
    at = end;
  }
  chunks.push(bytes.subarray(at));
  return chunks;
}

const message = fc.tuple(fc.integer({ min: 1, max: 255 }), fc.uint8Array({ maxLength: 300 })).map(([type, body]) => {
  const bytes = Buffer.alloc(5 + body.length);
  bytes[0] = type;
  bytes.writeUInt32BE(4 + body.length, 1);
  bytes.set(body, 5);
  return bytes;
});

describe('the framing of the PostgreSQL protocol', () => {
  test('C-01 R12 any split of a stream gives the same frames', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 12 }), fc.array(fc.nat(4_000), { maxLength: 20 }), (messages, cuts) => {
        const bytes = Buffer.concat(messages);
        const whole = framesOf([bytes]);
        assert.equal(whole.length, messages.length);
        assert.deepEqual(framesOf(split(bytes, cuts)), whole);
      }),
      { numRuns: 300 },
    );
  });

  test('C-01 R12 one byte at a time gives the same frames as all at once', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 6 }), (messages) => {
        const bytes = Buffer.concat(messages);
        assert.deepEqual(framesOf([...bytes].map((byte) => Buffer.from([byte]))), framesOf([bytes]));
      }),
      { numRuns: 60 },
    );
  });

  test('frames that were not taken before more bytes came are still whole', () => {
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 8 }), fc.array(fc.nat(2_000), { maxLength: 8 }), (messages, cuts) => {
        const bytes = Buffer.concat(messages);
        const framer = new Framer('typed', 1 << 20);
        for (const chunk of split(bytes, cuts)) framer.push(Buffer.from(chunk));
        let count = 0;
        while (framer.advance()) count += 1;
        assert.equal(count, messages.length);
        assert.equal(framer.pending, 0);
      }),
    );
  });

  test('C-01 frames that are given in parts have the same bytes, and the next frame begins where they end', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), fc.array(fc.nat(2_000), { maxLength: 20 }), (messages, cuts) => {
        const bytes = Buffer.concat(messages);
        const framer = new Framer('typed', 1 << 20);
        framer.streams = (_type, size) => size > 50;
        const frames: string[] = [];
        for (const chunk of split(bytes, cuts)) {
          framer.push(Buffer.from(chunk));
          while (framer.advance()) {
            const part = framer.source.toString('hex', framer.start, framer.end);
            if (framer.continued) frames.push(`${frames.pop() ?? ''}${part}`);
            else frames.push(part);
          }
        }
        assert.deepEqual(
          frames,
          messages.map((one) => one.toString('hex')),
        );
      }),
      { numRuns: 300 },
    );
  });

  test('C-02 R13 random bytes give frames or a fault, never another error', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 20 }), fc.boolean(), (chunks, typed) => {
        try {
          framesOf(
            chunks.map((chunk) => Buffer.from(chunk)),
            1_000,
            typed ? 'typed' : 'startup',
          );
        } catch (thrown) {
          assert.ok(thrown instanceof Fault);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('C-02 lengths of zero, below the header, above the limit and above 2^31 are faults', () => {
    for (const length of [0, 3, 1_001, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
      const bytes = Buffer.alloc(5);
      bytes[0] = 0x51;
      bytes.writeUInt32BE(length, 1);
      assert.throws(() => framesOf([bytes], 1_000), Fault, String(length));
    }
  });

  test('C-02 a message that announces much and sends little takes little memory', () => {
    const framer = new Framer('typed', 1 << 30);
    const before = process.memoryUsage().arrayBuffers;
    const header = Buffer.alloc(5);
    header[0] = 0x44;
    header.writeUInt32BE(1 << 29, 1);
    framer.push(header);
    assert.equal(framer.advance(), false);
    framer.push(Buffer.alloc(1_000));
    assert.equal(framer.advance(), false);
    assert.ok(process.memoryUsage().arrayBuffers - before < 1 << 20);
  });

  test('R13 random bodies give a decoded message or a fault, never another error', () => {
    const types = [...Buffer.from('QPBDECHSXFdcfpTZ')];
    fc.assert(
      fc.property(fc.constantFrom(...types), fc.uint8Array({ maxLength: 80 }), (type, body) => {
        const bytes = Buffer.concat([Buffer.from([type, 0, 0, 0, 4 + body.length]), body]);
        const decoders = [
          () => decodeClientMessage(bytes),
          () => decodeFirstPacket(bytes),
          () => decodeRowDescription(bytes, 5, bytes.length),
          () => decodeTextRow(bytes, 5, bytes.length),
          () => decodeDiagnostic(bytes, 5, bytes.length),
          () => decodeParameterStatus(bytes, 5, bytes.length),
        ];
        for (const decode of decoders) {
          try {
            decode();
          } catch (thrown) {
            assert.ok(thrown instanceof Fault, String(thrown));
          }
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
