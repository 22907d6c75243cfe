import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { openEngine, readOpaBundle } from '#host';
import { loadInspectors } from '#inspect';
import { bundleOf, factsLaboratory, policyText, session } from '../testing/facts.ts';

before(loadInspectors);

const corpus = new URL('../../../test/corpus/rego/policy-bundle.tar.gz', import.meta.url);
const { wasm, data } = readOpaBundle('policy-bundle.tar.gz', new Uint8Array(readFileSync(corpus)));

/** A policy that walks through all combinations of four tables: with many tables it never ends. */
const engine = JSON.stringify({
  apiVersion: 'warder/v1',
  kind: 'ForeignEngine',
  metadata: { name: 'spin' },
  spec: {
    ...{ owner: 'team:x', fact: 'spin', engine: 'rego-wasm', entrypoint: 'slow/spin', data },
    ...{ wasm: Buffer.from(wasm).toString('base64'), input: { list: 'sql.tables' }, deadlineMs: 800 },
  },
});
const rules = policyText(
  'spin',
  `    - { id: read, effect: allow, match: { sql.verbs: [select] } }
    - { id: show, effect: allow, match: { sql.verbs: [show] } }
    - { id: spins, effect: deny, reason: SPINS, match: { sql.verbs: [select] }, when: 'has(facts.foreign.spin.result)' }`,
);

test('a policy that never ends refuses its own statement, while the gateway goes on and answers others', async () => {
  const bundle = bundleOf(engine, rules);
  const lab = factsLaboratory(bundle, (terms) => openEngine(terms, {}));
  try {
    await lab.engines.ready(bundle);
    const tables = Array.from({ length: 300 }, (_, n) => `t${n}`).join(', ');
    const order: string[] = [];
    const note = (name: string) => (admission: { readonly kind: string }) => {
      order.push(`${name} ${admission.kind}`);
    };
    const endless = lab.admit(session(), `SELECT 1 FROM ${tables}`).then(note('endless'));
    const behind = lab.admit(session(), 'SELECT 1 FROM t').then(note('behind'));
    await lab.admit(session(), 'SHOW x').then(note('other'));
    await Promise.all([endless, behind]);
    assert.equal(order[0], 'other released');
    assert.ok(order.includes('endless refused'), order.join());
    assert.deepEqual(lab.records.find(({ what }) => what.objects.length > 60)?.decision.facts?.[0]?.because, 'late');
    // The thread was started anew by itself.
    await lab.engines.ready(bundle);
    assert.equal((await lab.admit(session(), 'SELECT 1 FROM t')).kind, 'released');
  } finally {
    lab.engines.keepOnly(undefined);
  }
});
