import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Fault } from '#model';
import { readOpaBundle } from './opa-bundle.ts';
import { regoEngine } from './rego-engine.ts';
import type { RegoEngineTerms } from './rego-engine.ts';

const corpus = new URL('../../../test/corpus/rego/', import.meta.url);
const bytesOf = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, corpus)));
const bundle = readOpaBundle('policy-bundle.tar.gz', bytesOf('policy-bundle.tar.gz'));

function engine(terms: Partial<RegoEngineTerms>) {
  return regoEngine({ ...bundle, entrypoint: 'sql/authz', deadlineMs: 10_000, breaker: { failures: 2, pauseMs: 60_000 }, ...terms });
}

const question = { operation: 'drop', tables: ['public.orders'], context: { principal: 'eve', groups: [] as string[] } };

describe('a compiled Rego policy', () => {
  test('answers with its data, and with functions that its host brings', async () => {
    const rego = engine({});
    try {
      assert.deepEqual(await rego.ask(question, 0), {
        ok: true,
        result: { allow: false, owner: 'shop', reason: 'eve may not drop ["public.orders"]' },
      });
      assert.deepEqual(await rego.ask({ ...question, context: { groups: ['dba'] } }, 0), {
        ok: true,
        result: { allow: true, owner: 'shop' },
      });
    } finally {
      await rego.close();
    }
  });

  test('gives the same answer to the same question, however often it was asked something else', async () => {
    const rego = engine({});
    try {
      const first = await rego.ask(question, 0);
      for (let n = 0; n < 50; n += 1) await rego.ask({ ...question, tables: Array.from({ length: n * 10 }, (_, i) => `t${i}`) }, n);
      assert.deepEqual(await rego.ask(question, 0), first);
    } finally {
      await rego.close();
    }
  });

  test('that is undefined has no result', async () => {
    const rego = engine({ entrypoint: 'data.slow.spin' });
    try {
      assert.deepEqual(await rego.ask({ list: [] }, 0), { ok: true });
    } finally {
      await rego.close();
    }
  });

  test('is ended when its time is over, and left alone when that happens again', async () => {
    const rego = engine({ entrypoint: 'slow/spin', deadlineMs: 150 });
    const endless = { list: Array.from({ length: 400 }, (_, n) => `x${n}`) };
    try {
      await rego.ready();
      assert.deepEqual(await rego.ask(endless, 0), { ok: false, because: 'late', why: 'no answer within 150 ms' });
      assert.deepEqual(await rego.ask(endless, 0), { ok: false, because: 'late', why: 'no answer within 150 ms' });
      assert.deepEqual(await rego.ask({ list: [] }, 0), {
        ok: false,
        because: 'resting',
        why: 'it failed too often and is left alone for a while',
      });
    } finally {
      await rego.close();
    }
  });

  test('that is too slow for one question is ended for that one, and answers those that wait behind it', async () => {
    const rego = engine({ entrypoint: 'slow/spin', deadlineMs: 3_000 });
    const hasty = engine({ entrypoint: 'slow/spin', deadlineMs: 300 });
    const endless = { list: Array.from({ length: 400 }, (_, n) => `x${n}`) };
    try {
      await Promise.all([rego.ready(), hasty.ready()]);
      const answers = await Promise.all([hasty.ask(endless, 0), rego.ask({ list: [] }, 0)]);
      assert.deepEqual(
        answers.map(({ ok }) => ok),
        [false, true],
      );
      // The thread that was ended is started again by itself, and nobody else has to pay for it.
      await hasty.ready();
      assert.deepEqual(await hasty.ask({ list: [] }, 0), { ok: true });
    } finally {
      await Promise.all([rego.close(), hasty.close()]);
    }
  });

  test('that answered in time has answered, although its host was held up and looks later', async () => {
    const rego = engine({ entrypoint: 'slow/spin', deadlineMs: 100, breaker: { failures: 1, pauseMs: 60_000 } });
    try {
      await rego.ready();
      const asked = rego.ask({ list: [] }, 0);
      await new Promise<void>((resolve) => void setImmediate(resolve));
      const until = performance.now() + 300;
      while (performance.now() < until);
      assert.deepEqual(await asked, { ok: true });
    } finally {
      await rego.close();
    }
  });

  test('that was closed answers nobody any more', async () => {
    const rego = engine({});
    const asked = rego.ask(question, 0);
    await rego.close();
    assert.deepEqual(await asked, { ok: false, because: 'failed', why: 'the engine was closed' });
    assert.deepEqual(await rego.ask(question, 0), { ok: false, because: 'failed', why: 'the engine was closed' });
  });

  test('gets no more memory than it is given', async () => {
    const rego = engine({ entrypoint: 'slow/big', memoryBytesMax: 2 * 1024 * 1024 });
    try {
      const answer = await rego.ask({ list: Array.from({ length: 400 }, (_, n) => `value number ${n}`) }, 0);
      assert.deepEqual(answer, { ok: false, because: 'failed', why: 'the policy gave up: opa_malloc: failed' });
      assert.deepEqual(await rego.ask({ list: ['a'] }, 0), { ok: true, result: 1 });
    } finally {
      await rego.close();
    }
  });

  test('that needs a function which reads the network is refused by that name', async () => {
    const rego = engine({ ...readOpaBundle('abroad.tar.gz', bytesOf('abroad.tar.gz')), entrypoint: 'abroad/status' });
    try {
      assert.deepEqual(await rego.ask({}, 0), {
        ...{ ok: false, because: 'failed', why: 'the policy needs functions that are not there: http.send' },
      });
    } finally {
      await rego.close();
    }
  });

  test('is asked for an entrypoint that it has', async () => {
    const rego = engine({ entrypoint: 'sql/nothing' });
    try {
      const answer = await rego.ask({}, 0);
      assert.equal(answer.ok, false);
      assert.match(JSON.stringify(answer), /was not compiled with the entrypoint sql\/nothing; it has .*sql\/authz/);
    } finally {
      await rego.close();
    }
  });
});

test('a file that is no bundle is refused by what it is', () => {
  const refused = (bytes: Uint8Array, message: RegExp): void =>
    assert.throws(
      () => readOpaBundle('x', bytes),
      (error) => error instanceof Fault && error.code === 'CONFIG_INVALID' && message.test(error.message),
    );
  refused(Buffer.from('package x'), /x is neither a WebAssembly module nor a gzipped OPA bundle/);
  refused(new Uint8Array(), /neither/);
  refused(bytesOf('policy-bundle.tar.gz').subarray(0, 5_000), /neither|cut off/);
});
