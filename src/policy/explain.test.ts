import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '#model';
import { decide } from './decide/decide.ts';
import { tighten } from './decide/merge.ts';
import { explain, formatExplanation } from './explain.ts';
import { readsOf } from './reads.ts';
import { allowAll, bundleOf, document, policy, requestWith } from './scenario.ts';

const guarded = policy(
  'guarded',
  `  match: { resource.env: [prod] }
  variables: { big: "size(sql.tables) > 3" }
  rules:
    - id: r
      effect: deny
      reason: GUARDED
      match: { sql.verbs: [drop, select] }
      when: "vars.big || sql.complete && !('dba' in subject.groups)"
      message: "not on {resource.name}"`,
);

test('an explanation shows for every rule which part held and what it saw', () => {
  const bundle = bundleOf(allowAll, guarded);
  const explanation = explain(bundle, requestWith());
  const rule = explanation.rules.find(({ rule: id }) => id === 'guarded/r');
  assert.equal(rule?.applies, true);
  assert.deepEqual(
    rule?.conditions[0]?.atoms.map(({ text, result }) => [text, result]),
    [
      ['vars.big', false],
      ['sql.complete', true],
      ["'dba' in subject.groups".replaceAll("'", '"'), false],
    ],
  );
  assert.deepEqual(rule?.conditions[0]?.atoms[2]?.saw, { 'subject.groups': ['engineering'] });
  const text = formatExplanation(explanation);
  assert.match(text, /^deny GUARDED\n {2}not on orders/);
  assert.match(text, /applies: guarded\/r \(deny, enforce, decisive\) 1\.yaml:\d+/);
  assert.match(text, /\+ match sql\.verbs in \[drop, select\]: saw \["select"\]/);
});

test('an explanation says why a rule does not apply', () => {
  const explanation = explain(bundleOf(allowAll, guarded), requestWith({ resource: { env: 'dev' } }));
  assert.equal(explanation.rules.find(({ rule }) => rule === 'guarded/r')?.because, 'resource.env is "dev", wanted in [prod]');
  const exempt = explain(bundleOf(allowAll, guarded), requestWith({ groups: ['dba'] }));
  assert.equal(exempt.rules.find(({ rule }) => rule === 'guarded/r')?.because, 'its condition "when" is false');
  const partial = explain(bundleOf(allowAll), requestWith({ context: { certainty: 'partial' } }));
  assert.equal(partial.rules[0]?.because, 'context.certainty is "partial", wanted in [parsed]');
});

test('a record keeps exactly what the matched rules read', () => {
  const bundle = bundleOf(allowAll, guarded);
  const request = requestWith();
  const reads = readsOf(bundle, request, decide(bundle, request));
  assert.deepEqual(reads, {
    'context.certainty': 'parsed',
    'resource.env': 'prod',
    'resource.name': 'orders',
    'sql.complete': true,
    'sql.tables': ['public.orders'],
    'sql.verbs': ['select'],
    'subject.groups': ['engineering'],
  });
});

test('long values are kept as digests, and a record stays small', () => {
  const bundle = bundleOf(allowAll, guarded);
  const long = Array.from({ length: limits.readListItemsMax + 1 }, (_, i) => `g${i}`);
  const request = requestWith({ groups: long, sql: { tables: Array.from({ length: 31 }, (_, i) => 't'.repeat(40) + i) } });
  const reads = readsOf(bundle, request, decide(bundle, request));
  assert.match(String(reads['subject.groups']), /^sha256:[0-9a-f]{64}$/);
  assert.match(String(reads['sql.tables']), /^sha256:[0-9a-f]{64}$/);
  assert.ok(JSON.stringify(reads).length < limits.readsCharsMax);
});

test('a data set is kept as its digest', () => {
  const data = document('DataSet', 'people', 'owner: team:x\n  values: [user:eve]');
  const bundle = bundleOf(
    data,
    policy('p', '  rules: [{ id: r, effect: allow, match: { subject.id: { inData: people } }, when: "size(data.people) > 0" }]'),
  );
  const reads = readsOf(bundle, requestWith(), decide(bundle, requestWith()));
  assert.match(String(reads['data.people']), /^sha256:/);
});

const cap = (name: string, max: number, phase: string): string =>
  policy(name, `  phase: ${phase}\n  rules: [{ id: r, effect: transform, obligations: [{ type: row_limit, max: ${max} }] }]`);

test('a response decision only tightens the request decision before it', () => {
  const bundle = bundleOf(allowAll, cap('a', 5, 'request'), cap('b', 50, 'response'));
  const before = decide(bundle, requestWith());
  const after = decide(bundle, requestWith({ request: { phase: 'response' } }));
  assert.deepEqual(tighten(before, after).obligations, [{ type: 'row_limit', max: 5 }]);
  const denied = decide(bundleOf(), requestWith());
  assert.equal(tighten(denied, after).verdict, 'deny');
});
