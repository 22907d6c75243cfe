import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadInspectors } from '#inspect';
import type { EvidenceLevel, Permit } from '#ledger';
import type { OperationDecided } from '#model';
import { testPipeline } from './testing/pipeline.ts';

await loadInspectors();

const rules = {
  none: '',
  buffered: '- { id: b, effect: transform, obligations: [{ type: record, evidence: buffered }] }',
  local: '- { id: l, effect: transform, obligations: [{ type: record, evidence: local }] }',
  witnessed: '- { id: w, effect: transform, obligations: [{ type: record, evidence: witnessed }] }',
} as const;

/** The level at which the pipeline asks for the permit of a statement under these rules. */
async function levelFor(...names: readonly (keyof typeof rules)[]): Promise<EvidenceLevel | undefined> {
  let asked: EvidenceLevel | undefined;
  const decide = (_: OperationDecided, how: { level?: EvidenceLevel }) => {
    asked = how.level;
    return Promise.resolve({} as Permit); // Nothing is released here.
  };
  const beside = names.map((name) => `    ${rules[name]}`).join('\n');
  const admission = await testPipeline(beside, { append: () => Promise.resolve({}), decide }).admit(['select 1'], ['record']);
  assert.equal(admission.kind, 'released', JSON.stringify(admission));
  return asked;
}

test('records are local unless a rule says otherwise, and where rules differ the farthest counts', async () => {
  assert.equal(await levelFor('none'), 'local');
  assert.equal(await levelFor('buffered'), 'buffered');
  assert.equal(await levelFor('buffered', 'local'), 'local');
  assert.equal(await levelFor('witnessed', 'buffered'), 'witnessed');
});
