import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { compileBundle } from './bundle.ts';
import { decide } from './decide/decide.ts';
import { analyse } from './analyse/index.ts';
import { factsRead, mayRead } from './facts.ts';
import { changedRules } from './plan/changed.ts';
import { readDocuments } from './documents/document.ts';
import { withCandidate } from './with-candidate.ts';
import { allowAll, bundleOf, document, policy, problemsOf, requestWith } from './scenario.ts';

const rule = (more: string, head = ''): string =>
  policy('reading', `${head}  rules: [{ id: one, effect: deny, reason: STOPPED, ${more} }]`);
const read = (text: string, ...more: readonly string[]) => factsRead(bundleOf(allowAll, text, ...more), requestWith());

describe('the facts that a request may need', () => {
  test('are none where no rule of the target reads one', () => {
    assert.deepEqual(factsRead(bundleOf(allowAll), requestWith()), []);
    const elsewhere = rule(`when: 'facts.x == 1'`).replace('target: sql', 'target: egress');
    assert.deepEqual(read(elsewhere), []);
  });

  test('are what conditions, exemptions, matches and requirements of the policy read', () => {
    assert.deepEqual(read(rule(`when: 'facts.session.denied > 3'`)), ['session.denied']);
    assert.deepEqual(read(rule(`unless: 'facts.?foreign.?x.result.orValue(false)'`)), ['foreign.x.result']);
    assert.deepEqual(read(rule(`match: { facts.session.denied: { min: 3 } }`)), ['session.denied']);
    assert.deepEqual(read(rule(`when: 'true'`, '  requires: { facts: [foreign.x] }\n')), ['foreign.x']);
    assert.deepEqual(read(rule(`when: 'vars.v'`, `  variables: { v: 'facts.a.b == 1' }\n`)), ['a.b']);
    assert.deepEqual(read(rule(`when: 'facts.exists(name, name == "x")'`)), ['']);
  });

  test('are none where the match fails without them, and are there where it depends on them or on the result', () => {
    assert.deepEqual(read(rule(`match: { resource.env: [dev] }, when: 'facts.x == 1'`)), []);
    assert.deepEqual(read(rule(`match: { resource.env: [prod], facts.y: [1] }, when: 'facts.x == 1'`)).toSorted(), ['x', 'y']);
    assert.deepEqual(read(rule(`match: { result.columns.name: [secret] }, when: 'facts.x == 1'`, '  phase: response\n')), ['x']);
    assert.deepEqual(read(rule(`when: 'facts.x == 1'`, '  points: [elsewhere]\n')), []);
  });

  test('are also those of a candidate that is rolled out beside the bundle, and of the condition that tells who is in', () => {
    const candidate = bundleOf(allowAll, rule(`when: 'facts.foreign.x.result'`));
    const rollout = document(
      'Rollout',
      'next',
      `subject: { bundle: "${candidate.ref.digest}" }\n  from: shadow\n  to: enforce\n  key: subject.id\n  salt: s\n  steps: [{ cohort: 'facts.session.denied == 0' }]`,
    );
    const both = withCandidate(bundleOf(allowAll, rollout), candidate);
    assert.ok(both);
    assert.deepEqual(factsRead(both, requestWith()).toSorted(), ['foreign.x.result', 'session.denied']);
  });

  test('without those that are not named the decision is the same', () => {
    const conditions = [
      `match: { facts.a: [1] }`,
      `when: 'facts.b == 1'`,
      `unless: 'facts.c == 1'`,
      `match: { resource.env: [dev] }, when: 'facts.d == 1'`,
      `match: { facts.e: { exists: false } }`,
      `match: { sql.verbs: [drop] }, when: 'has(facts.f)'`,
    ];
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    fc.assert(
      fc.property(
        fc.subarray(conditions, { minLength: 1 }),
        fc.dictionary(fc.constantFrom(...names), fc.constantFrom(0, 1)),
        fc.constantFrom('prod', 'dev'),
        fc.constantFrom('select', 'drop'),
        (chosen, facts, env, verb) => {
          const rules = chosen
            .map((one, i) => `    - { id: r${i}, effect: ${i % 2 === 0 ? 'deny, reason: STOPPED' : 'allow'}, ${one} }`)
            .join('\n');
          const bundle = bundleOf(policy('p', `  rules:\n${rules}`));
          const request = requestWith({ resource: { env }, sql: { verbs: [verb] }, request: { facts } });
          const needed = factsRead(bundle, request);
          const fewer = Object.fromEntries(Object.entries(facts).filter(([name]) => needed.some((path) => mayRead(path, name))));
          assert.deepEqual(decide(bundle, { ...request, facts: fewer }), decide(bundle, request));
        },
      ),
    );
  });
});

const wasm = document(
  'ForeignEngine',
  'old',
  'owner: team:x\n  fact: old\n  engine: rego-wasm\n  wasm: AGFzbQ==\n  entrypoint: a/b\n  input: hoop.v1',
);

describe('an engine in a bundle', () => {
  test('is part of its digest, with its policies and its data', () => {
    const digests = [wasm, wasm.replace('AGFzbQ==', 'AGFzbR=='), `${wasm.trimEnd()}\n  data: { a: 1 }\n`].map(
      (text) => bundleOf(text).ref.digest,
    );
    assert.equal(new Set(digests).size, 3);
    const [engine] = bundleOf(wasm).engines.values();
    assert.deepEqual([engine?.engine, engine?.deadlineMs, engine?.breaker], ['rego-wasm', 250, { failures: 5, pauseMs: 10_000 }]);
    assert.match(engine?.digest ?? '', /^sha256:[0-9a-f]{64}$/);
  });

  test('has what it needs and nothing that it does not read, and makes a fact of its own', () => {
    const said = (text: string, ...others: readonly string[]) => problemsOf(text, ...others).map(({ message }) => message);
    assert.match(said(wasm.replace('  entrypoint: a/b\n', ''))[0] ?? '', /needs "wasm" and "entrypoint"/);
    assert.match(said(wasm.replace('AGFzbQ==', '"not base64!"'))[0] ?? '', /no base64/);
    assert.match(said(`${wasm.trimEnd()}\n  policies: { a: permit }\n`)[0] ?? '', /has no "policies"/);
    assert.match(said(wasm.replace('hoop.v1', 'hoop.v2'))[0] ?? '', /no projection "hoop.v2"/);
    assert.match(said(wasm.replace('hoop.v1', '{ a: "sub(" }'))[0] ?? '', /"a" is no CEL/);
    assert.match(said(wasm, wasm.replace('name: old', 'name: other'))[0] ?? '', /two engines make the fact/);
    assert.match(said(wasm.replace('input:', 'deadlineMs: 60000\n  input:'))[0] ?? '', /at most 5000/);
    assert.match(
      said(wasm.replace('engine: rego-wasm', 'engine: cedar')).join('\n'),
      /Cedar needs "policies"\nthe engine cedar has no "wasm"/,
    );
  });

  test('that changes changes what the rules mean that read it, and no other', () => {
    const reader = rule(`when: 'facts.foreign.old.result'`);
    const side = (...texts: readonly string[]) => {
      const files = texts.map((text, i) => ({ path: `${i}.yaml`, text }));
      const compiled = compileBundle(files);
      assert.ok(compiled.ok);
      return { documents: readDocuments(files).documents, bundle: compiled.bundle };
    };
    const changed = changedRules(side(allowAll, reader, wasm), side(allowAll, reader, wasm.replace('a/b', 'a/c')));
    assert.deepEqual(changed.changed, ['reading/one']);
  });

  test('is missed where a rule reads its fact and the bundle has none, and told where nobody reads it', () => {
    const found = (...texts: readonly string[]) => {
      const files = texts.map((text, i) => ({ path: `${i}.yaml`, text }));
      const compiled = compileBundle(files);
      assert.ok(compiled.ok);
      return analyse(compiled.bundle, { files })
        .filter(({ message }) => message.includes('facts.'))
        .map(({ code, severity, message }) => `${code} ${severity} ${message}`);
    };
    const reader = rule(`when: 'facts.foreign.old.result'`);
    assert.deepEqual(found(allowAll, reader, wasm), []);
    assert.deepEqual(found(allowAll, reader), [
      'P201 error "reading/one" reads facts.foreign.old, which no ForeignEngine of the bundle makes',
    ]);
    assert.match(found(allowAll, rule(`when: 'facts.foreign.old.result'`, '  mode: shadow\n'))[0] ?? '', /^P201 warning/);
    assert.deepEqual(found(allowAll, wasm), ['P306 warning no rule reads facts.foreign.old, so the engine "old" is never asked']);
    assert.deepEqual(found(allowAll, rule(`when: 'facts.session.denied_last_5m > 3 || facts.subject.rows > 100'`)), []);
    assert.deepEqual(found(allowAll, rule(`when: 'facts.dns.addresses == []'`)), [
      'P201 warning "reading/one" reads facts.dns, which no gateway finds out',
    ]);
    assert.deepEqual(found(allowAll, rule(`when: 'facts.session.denied_last5m > 3'`)), [
      'P201 error "reading/one" reads facts.session.denied_last5m, which there never is',
    ]);
  });
});
