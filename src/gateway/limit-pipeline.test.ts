import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspectSql, loadInspectors } from '#inspect';
import type { Ledger, Permit } from '#ledger';
import { compileBundle } from '#policy';
import type { Operation, OperationDecided } from '#model';
import type { BundleInForce } from './bundle.ts';
import type { Holds } from './hold.ts';
import { createPipeline } from './pipeline.ts';
import type { LiveSession } from './point.ts';
import { testWorld } from './testing/world.ts';

const policies = `apiVersion: warder/v1
kind: Policy
metadata: { name: access }
spec:
  owner: team:x
  tier: org
  risk: { class: low }
  review: { last: 2026-01-01, every: P90D }
  target: sql
  rules:
    - { id: read, effect: allow, match: { sql.verbs: [select] } }
    - id: quota
      effect: limit
      limits: [{ name: reads, key: [subject.id], max: 3, per: PT1M }]
      message: "Three statements a minute are enough."
`;

await loadInspectors();

function setup() {
  const world = testWorld();
  const compiled = compileBundle([{ path: 'p.yaml', text: policies }]);
  assert.ok(compiled.ok);
  const records: OperationDecided[] = [];
  const keep = (draft: OperationDecided) => {
    records.push(draft);
    return Promise.resolve({});
  };
  const pipeline = createPipeline({
    world,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    bundle: { current: () => compiled.bundle } as unknown as BundleInForce, // Only `current` is used here.
    ledger: { append: keep, decide: (draft: OperationDecided) => keep(draft) as Promise<Permit> } as unknown as Ledger, // Nothing is released here.
    holds: {} as Holds, // Nothing is held here.
    maskingKey: new Uint8Array(32),
  });
  const live = {
    session: {
      id: 's',
      subject: { type: 'user', id: 'user:eve', name: 'eve', groups: [], roles: [] },
      resource: { id: 'pg:x' },
      point: 'postgres',
      source: '',
      client: '',
      authentication: '',
    },
    ended: new AbortController().signal,
  } as unknown as LiveSession; // What the pipeline reads of a session.
  let n = 0;
  const admit = (...texts: readonly string[]) => {
    const waiting = { signal: new AbortController().signal, onHold: () => undefined };
    return pipeline.admit(
      live,
      texts.map((text) => operation(text, ++n)),
      waiting,
    );
  };
  return { world, records, admit };
}

function operation(text: string, n: number): Operation {
  const { facts, certainty } = inspectSql(text, {});
  return {
    id: `op_${n}`,
    n,
    target: 'sql',
    verb: facts.verbs.join(';'),
    text,
    parameters: [],
    normalized: facts.normalized,
    objects: facts.tables,
    certainty,
    unknown: [],
    attributes: { sql: facts },
    namespace: '',
    can: [],
  };
}

test('a quota refuses what exceeds it, records the refusal and says when to come back', async () => {
  const { world, records, admit } = setup();
  for (let i = 0; i < 3; i += 1) assert.equal((await admit('SELECT 1')).kind, 'released');
  const refused = await admit('SELECT 1');
  assert.ok(refused.kind === 'refused');
  assert.deepEqual(
    [refused.refusal.code, refused.refusal.reason, refused.refusal.message, refused.refusal.hint],
    ['RATE_LIMITED', 'QUOTA_EXCEEDED', 'Three statements a minute are enough.', 'Try again in 20 s.'],
  );
  const last = records.at(-1)?.decision;
  assert.deepEqual([last?.verdict, last?.reason, last?.rules], ['deny', 'QUOTA_EXCEEDED', ['access/quota']]);
  world.advance(20_000);
  assert.equal((await admit('SELECT 1')).kind, 'released');
});

test('what a policy denies uses up no quota, and neither does a batch that does not fit', async () => {
  const { records, admit } = setup();
  for (let i = 0; i < 10; i += 1) assert.equal((await admit('DROP TABLE t')).kind, 'refused');
  assert.equal((await admit('SELECT 1', 'SELECT 2', 'SELECT 3', 'SELECT 4')).kind, 'refused');
  assert.deepEqual(
    records.slice(-4).map(({ decision }) => decision.reason),
    ['BATCH_REFUSED', 'BATCH_REFUSED', 'BATCH_REFUSED', 'QUOTA_EXCEEDED'],
  );
  assert.equal((await admit('SELECT 1', 'SELECT 2', 'SELECT 3')).kind, 'released');
});
