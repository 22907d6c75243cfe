import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspectSql, loadInspectors } from '#inspect';
import type { EvidenceLevel, Ledger, Permit } from '#ledger';
import { compileBundle } from '#policy';
import type { Operation, OperationDecided } from '#model';
import type { BundleInForce } from './bundle.ts';
import type { Holds } from './hold.ts';
import { createPipeline } from './pipeline.ts';
import type { LiveSession } from './point.ts';
import { testWorld } from './testing/world.ts';

await loadInspectors();

const rules = {
  none: '',
  buffered: '- { id: b, effect: transform, obligations: [{ type: record, evidence: buffered }] }',
  local: '- { id: l, effect: transform, obligations: [{ type: record, evidence: local }] }',
  witnessed: '- { id: w, effect: transform, obligations: [{ type: record, evidence: witnessed }] }',
} as const;

/** The level at which the pipeline asks for the permit of a statement under these rules. */
async function levelFor(...names: readonly (keyof typeof rules)[]): Promise<EvidenceLevel | undefined> {
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
${names.map((name) => `    ${rules[name]}`).join('\n')}
`;
  const compiled = compileBundle([{ path: 'p.yaml', text }]);
  assert.ok(compiled.ok, JSON.stringify(compiled));
  let asked: EvidenceLevel | undefined;
  const decide = (_: OperationDecided, how: { level?: EvidenceLevel }) => {
    asked = how.level;
    return Promise.resolve({} as Permit); // Nothing is released here.
  };
  const pipeline = createPipeline({
    world: testWorld(),
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    bundle: { current: () => compiled.bundle } as unknown as BundleInForce, // Only `current` is used here.
    ledger: { append: () => Promise.resolve({}), decide } as unknown as Ledger, // The rest is not used here.
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
  const admission = await pipeline.admit(live, [operation('select 1')], {
    signal: new AbortController().signal,
    onHold: () => undefined,
  });
  assert.equal(admission.kind, 'released', JSON.stringify(admission));
  return asked;
}

function operation(text: string): Operation {
  const { facts, certainty } = inspectSql(text, {});
  return {
    id: 'op_1',
    n: 1,
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
    can: ['record'],
  } as unknown as Operation; // As a point would make it.
}

test('records are local unless a rule says otherwise, and where rules differ the farthest counts', async () => {
  assert.equal(await levelFor('none'), 'local');
  assert.equal(await levelFor('buffered'), 'buffered');
  assert.equal(await levelFor('buffered', 'local'), 'local');
  assert.equal(await levelFor('witnessed', 'buffered'), 'witnessed');
});
