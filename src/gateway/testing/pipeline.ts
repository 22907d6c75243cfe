import assert from 'node:assert/strict';
import { inspectSql } from '#inspect';
import type { Ledger } from '#ledger';
import { compileBundle } from '#policy';
import type { ObligationType, Operation, World } from '#model';
import type { BundleInForce } from '../bundle.ts';
import type { Holds } from '../hold.ts';
import { createPipeline } from '../pipeline.ts';
import type { Admission, LiveSession } from '../point.ts';
import { testWorld } from './world.ts';

/**
 * A pipeline under one policy that lets everybody read, with these rules beside (YAML, each line indented as an item of `rules`), and a
 * session in it. The ledger is asked for nothing but what is given.
 */
export function testPipeline(
  rules: string,
  ledger: { readonly append: unknown; readonly decide: unknown },
  holds: (world: World) => Pick<Holds, 'ask' | 'used'> = () => nobodyAsked,
) {
  const text = `apiVersion: warder/v1
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
${rules}
`;
  const compiled = compileBundle([{ path: 'p.yaml', text }]);
  assert.ok(compiled.ok, JSON.stringify(compiled));
  const world = testWorld();
  const pipeline = createPipeline({
    world,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    bundle: { current: () => compiled.bundle } as unknown as BundleInForce, // Only `current` is used here.
    ledger: ledger as unknown as Ledger, // The rest is not used here.
    holds: holds(world) as Holds, // The pipeline uses nothing else of it.
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
  const admit = (texts: readonly string[], can: readonly ObligationType[] = []): Promise<Admission> =>
    pipeline.admit(
      live,
      texts.map((one) => operation(one, { n: ++n, can })),
      { signal: new AbortController().signal, onHold: () => undefined },
    );
  return { world, admit };
}

const nobodyAsked = {
  ask: () => Promise.reject(new Error('nothing is held here')),
  used: () => undefined,
};

/** As a point would make it. */
function operation(text: string, { n, can }: { readonly n: number; readonly can: readonly ObligationType[] }): Operation {
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
    can,
  };
}
