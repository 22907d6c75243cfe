import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'node:test';
import { compileBundle } from '#policy';
import { Fault, type BundleSource, type World } from '#model';
import { BundleInForce } from './bundle.ts';
import { testWorld } from './testing/world.ts';

const keys = generateKeyPairSync('ed25519');

function sourceOf(name: string, text: string): BundleSource {
  const files = [{ path: `${name}.yaml`, text }];
  const compiled = compileBundle(files);
  const ref = compiled.ok ? compiled.bundle.ref : { name, version: '1.0.0', digest: 'sha256:0' };
  const signature = sign(null, Buffer.from(ref.digest), keys.privateKey).toString('base64');
  return { ref, files, activatedAt: 0, signature };
}

function policies(name: string, count: number): string {
  return Array.from({ length: count }, (_, i) =>
    JSON.stringify({
      apiVersion: 'warder/v1',
      kind: 'Policy',
      metadata: { name: `${name}-${i}` },
      spec: {
        owner: 'team:x',
        tier: 'org',
        risk: { class: 'low' },
        review: { last: '2026-01-01', every: 'P90D' },
        target: 'sql',
        rules: [{ id: 'r', effect: 'allow' }],
      },
    }),
  ).join('\n---\n');
}

/** A world in which every look at the clock takes a millisecond, and that says when somebody waits. */
function slowWorld(onPause: () => void): World {
  let ns = 0n;
  return {
    ...testWorld(),
    monotonicNs: () => (ns += 1_000_000n),
    after: (_delayMs, callback) => {
      onPause();
      setImmediate(callback);
      return { cancel: () => undefined };
    },
  };
}

function digestInForce(bundle: BundleInForce): string {
  const current = bundle.current();
  return current instanceof Fault ? current.code : current.ref.digest;
}

test('a new bundle is compiled in slices, and the old one decides until it is complete', async () => {
  const old = sourceOf('old', policies('old', 1));
  const next = sourceOf('next', policies('next', 20));
  const during: string[] = [];
  const bundle: BundleInForce = new BundleInForce(slowWorld(() => during.push(bundle.digest)));
  bundle.linked(true);
  bundle.activate(old, keys.publicKey);
  await bundle.replace(next, keys.publicKey);
  assert.ok(during.length > 10, String(during.length));
  assert.deepEqual([...new Set(during)], [old.ref.digest]);
  assert.equal(digestInForce(bundle), next.ref.digest);
  during.length = 0;
  await bundle.replace(next, keys.publicKey);
  assert.equal(during.length, 0);
});

test('of two offers the later one comes into force, whichever takes longer', async () => {
  const bundle = new BundleInForce(slowWorld(() => undefined));
  bundle.linked(true);
  bundle.activate(sourceOf('old', policies('old', 1)), keys.publicKey);
  const long = bundle.replace(sourceOf('long', policies('long', 50)), keys.publicKey);
  const short = sourceOf('short', policies('short', 1));
  await bundle.replace(short, keys.publicKey);
  await long;
  assert.equal(digestInForce(bundle), short.ref.digest);
});

test('what is not signed, does not compile or has another digest is refused, and the old bundle stays', async () => {
  const bundle = new BundleInForce(slowWorld(() => undefined));
  bundle.linked(true);
  const old = sourceOf('old', policies('old', 1));
  bundle.activate(old, keys.publicKey);
  const next = sourceOf('next', policies('next', 3));
  const refused: readonly [BundleSource, RegExp][] = [
    [{ ...next, signature: Buffer.alloc(64).toString('base64') }, /signature/],
    [sourceOf('broken', 'kind: ['), /does not compile/],
    [{ ...next, files: [{ path: 'x.yaml', text: policies('other', 3) }] }, /its documents are/],
  ];
  for (const [source, message] of refused) {
    await assert.rejects(bundle.replace(source, keys.publicKey), message);
    assert.throws(() => bundle.activate(source, keys.publicKey), message);
    assert.equal(digestInForce(bundle), old.ref.digest);
  }
});

test('a bundle comes into force when what it needs is ready, and one that was overtaken meanwhile never does', async () => {
  const ready: PromiseWithResolvers<void>[] = [];
  const activated: string[] = [];
  const bundle = new BundleInForce(
    slowWorld(() => undefined),
    {
      prepare: () => {
        const made = Promise.withResolvers<void>();
        ready.push(made);
        return made.promise;
      },
      activated: ({ ref }) => void activated.push(ref.digest),
    },
  );
  bundle.linked(true);
  const [old, first, second] = ['old', 'first', 'second'].map((name) => sourceOf(name, policies(name, 1)));
  assert.ok(old && first && second);
  bundle.activate(old, keys.publicKey);
  const prepared = async (count: number): Promise<void> => {
    for (let i = 0; i < 10_000 && ready.length < count; i += 1) await new Promise<void>((resolve) => void setImmediate(resolve));
    assert.equal(ready.length, count);
  };
  const one = bundle.replace(first, keys.publicKey);
  await prepared(1);
  const two = bundle.replace(second, keys.publicKey);
  await prepared(2);
  assert.equal(digestInForce(bundle), old.ref.digest);
  ready[1]?.resolve();
  await two;
  assert.equal(digestInForce(bundle), second.ref.digest);
  ready[0]?.resolve();
  await one;
  assert.equal(digestInForce(bundle), second.ref.digest);
  // What was made ready for the one that was overtaken is let go again.
  assert.deepEqual(activated, [old.ref.digest, second.ref.digest, second.ref.digest]);
});

function candidateFor(text: string): { readonly current: BundleSource; readonly candidate: BundleSource } {
  const candidate = sourceOf('next', text);
  const rollout = {
    apiVersion: 'warder/v1',
    kind: 'Rollout',
    metadata: { name: 'next' },
    spec: {
      subject: { bundle: candidate.ref.digest },
      from: 'shadow',
      to: 'enforce',
      key: 'subject.id',
      salt: 's',
      steps: [{ percent: 100 }],
    },
  };
  return { current: sourceOf('current', `${policies('a', 1)}\n---\n${JSON.stringify(rollout)}`), candidate };
}

test('a bundle whose rollout is about a candidate comes into force only together with that candidate', () => {
  const { current, candidate } = candidateFor(policies('b', 1));
  const inForce = new BundleInForce(testWorld());
  inForce.linked(true);
  const offered: readonly (readonly [string, Partial<BundleSource>])[] = [
    ['none', {}],
    ['another one', { candidate: sourceOf('other', policies('c', 1)) }],
    ['one that nobody signed', { candidate: { ...candidate, signature: Buffer.alloc(64).toString('base64') } }],
    ['one with other documents', { candidate: { ...candidate, files: [{ path: 'x.yaml', text: policies('d', 1) }] } }],
  ];
  for (const [what, more] of offered) {
    assert.throws(
      () => inForce.activate({ ...current, ...more }, keys.publicKey),
      (thrown: unknown) => thrown instanceof Fault && thrown.code === 'POLICY_INVALID',
      what,
    );
    assert.equal(inForce.digest, '');
  }
  inForce.activate({ ...current, candidate }, keys.publicKey);
  const bundle = inForce.current();
  assert.ok(!(bundle instanceof Fault));
  assert.deepEqual([bundle.ref.digest, bundle.candidate?.ref.digest], [current.ref.digest, candidate.ref.digest]);
});
