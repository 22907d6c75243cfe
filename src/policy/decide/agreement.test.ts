import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalJson } from '#model';
import type { Decision, DecisionRequest, Grant } from '#model';
import { compileBundle } from '../bundle.ts';
import type { Bundle } from '../bundle.ts';
import { readDocuments } from '../documents/document.ts';
import { explain } from '../explain.ts';
import { formatProblem } from '../problem.ts';
import type { SourceFile } from '../source.ts';
import { decide } from './decide.ts';
import { acceptable, filesOf, request, requestRule, world } from './generated-world.ts';
import type { GeneratedWorld } from './generated-world.ts';
import { referenceDecide } from './reference.ts';
import type { ReferenceDecision } from './reference.ts';

function compiled(files: readonly SourceFile[]): Bundle {
  const result = compileBundle(files);
  assert.ok(result.ok, result.ok ? '' : result.problems.map(formatProblem).join('\n'));
  return result.bundle;
}

const valid = world.map(acceptable);
/** Worlds in which operations mostly pass, and are mostly counted. */
const counting = world
  .map(
    (generated): GeneratedWorld => ({
      ...generated,
      allowedByDefault: true,
      policies: generated.policies
        .map((one) => {
          const rules = one.rules.filter(({ effect }) => effect !== 'deny').map((fields) => ({ ...fields, mode: undefined }));
          return { ...one, mode: undefined, rules };
        })
        .filter(({ rules }) => rules.length > 0),
    }),
  )
  .filter(({ policies }) => policies.length > 0)
  .map(acceptable);
const runs = { numRuns: 150 };

/** What the reference answers for, taken from a decision of the engine. */
function comparable(decision: Decision): ReferenceDecision {
  return {
    verdict: decision.verdict,
    reason: decision.reason,
    decisive: decision.decisive.toSorted(),
    open: decision.requirements
      .map((one) => `${one.rule} ${(['approval', 'justification', 'stepUp'] as const).filter((kind) => one[kind] !== undefined).join()}`)
      .sort(),
    obligations: decision.obligations.map((obligation) => canonicalJson(obligation)).sort(),
    charges: (decision.limits ?? []).map(({ name, key, cost }) => `${name} ${key} ${cost}`).sort(),
    grantsUsed: decision.grantsUsed.toSorted(),
    matched: decision.matched.map(({ rule, effect, mode, by = '' }) => `${rule} ${effect} ${mode} ${by}`).sort(),
    shadow: decision.shadow?.verdict,
  };
}

/** Grants for what a decision asks: good ones, and every way in which one can be worth nothing. */
function grantsFor(decision: Decision, { now }: DecisionRequest, choice: number): Grant[] {
  return decision.requirements.flatMap(({ rule, bound }, i) => {
    const good: Grant = {
      id: `g${i}`,
      rule,
      bound,
      kinds: ['approval', 'justification', 'stepUp'],
      expiresAt: now + 1,
      usesLeft: 1,
    };
    const flawed: readonly Grant[] = [
      good,
      { ...good, expiresAt: now },
      { ...good, usesLeft: 0 },
      { ...good, bound: 'sha256:other' },
      { ...good, rule: 'p9/r9' },
      { ...good, kinds: ['approval'] },
    ];
    const picked = flawed[(choice + i) % flawed.length] ?? good;
    return choice % 2 === 0
      ? [
          { ...picked, id: `b${i}` },
          { ...good, id: `a${i}`, kinds: ['stepUp', 'justification'] },
        ]
      : [picked];
  });
}

test('the engine and the slow reference decide alike, in everything a decision says', () => {
  fc.assert(
    fc.property(
      fc.oneof(valid, valid, counting),
      fc.array(request, { minLength: 1, maxLength: 5 }),
      fc.nat(11),
      (generated, requests, choice) => {
        const files = filesOf(generated);
        const bundle = compiled(files);
        const { documents } = readDocuments(files);
        for (const one of requests) {
          const decision = decide(bundle, one);
          assert.deepEqual(comparable(decision), referenceDecide(documents, one, bundle.ref.digest));
          if (decision.verdict !== 'pending') continue;
          const again = { ...one, grants: grantsFor(decision, one, choice) };
          const answered = decide(bundle, again);
          assert.deepEqual(comparable(answered), referenceDecide(documents, again, bundle.ref.digest));
          // A limit that is exceeded asks once more, after everything else was answered.
          const last = {
            ...again,
            grants: [...again.grants, ...grantsFor(answered, one, 0).map((grant) => ({ ...grant, id: `z${grant.id}` }))],
          };
          assert.deepEqual(comparable(decide(bundle, last)), referenceDecide(documents, last, bundle.ref.digest));
        }
      },
    ),
    runs,
  );
});

test('the generated worlds meet everything the semantics speak about', () => {
  const seen = new Set<string>();
  const requests = fc.sample(fc.noBias(request), { numRuns: 12, seed: 5 });
  const worlds = [...fc.sample(fc.noBias(valid), { numRuns: 400, seed: 8 }), ...fc.sample(fc.noBias(counting), { numRuns: 100, seed: 7 })];
  for (const generated of worlds) {
    const bundle = compiled(filesOf(generated));
    for (const one of requests) {
      const first = decide(bundle, one);
      const grants = grantsFor(first, one, 0);
      const second = decide(bundle, { ...one, grants });
      const third = decide(bundle, {
        ...one,
        grants: [...grants, ...grantsFor(second, one, 0).map((grant) => ({ ...grant, id: `z${grant.id}` }))],
      });
      for (const decision of [first, second, third]) {
        seen.add(decision.verdict).add(decision.reason);
        for (const { mode, by, effect } of decision.matched)
          seen
            .add(mode)
            .add(effect)
            .add(by?.split(':')[0] ?? 'plain');
        for (const { type } of decision.obligations) seen.add(type);
        for (const { name } of decision.limits ?? []) seen.add(name.startsWith('exception:') ? 'uses' : 'charge');
        if (decision.requirements.some(({ reason }) => reason === 'QUOTA_EXCEEDED')) seen.add('limit escalates');
        if (decision.reason === 'QUOTA_EXCEEDED' && decision.verdict === 'deny') seen.add('limit refuses');
        if (
          decision.grantsUsed.length > 0 &&
          decision.matched.some((one) => one.effect === 'limit' && decision.decisive.includes(one.rule))
        )
          seen.add('limit released');
        for (const { part } of decision.errors) seen.add(`error in ${part}`);
        if (decision.shadow !== undefined) seen.add('shadow verdict');
        if (decision.grantsUsed.length > 0) seen.add('grant');
        if (decision.warnings.length > 0) seen.add('warning');
        if (decision.decisive.length > 1) seen.add('several decide');
      }
    }
  }
  const wanted = [
    ...['allow', 'deny', 'pending', 'ALLOWED', 'REFUSED', 'NO_MATCHING_ALLOW', 'EVALUATION_ERROR', 'OBLIGATION_CONFLICT', 'CANNOT_ENFORCE'],
    ...['REQUIREMENT_OPEN', 'enforce', 'audit', 'shadow', 'off', 'require', 'transform', 'limit', 'observe'],
    ...['exception', 'rollout', 'override', 'plain', 'uses', 'charge', 'shadow verdict', 'grant', 'warning', 'several decide'],
    ...['limit escalates', 'limit refuses', 'limit released'],
    ...['notify', 'log', 'record', 'quarantine', 'row_limit', 'route', 'mask', 'redact'],
    ...['error in match', 'error in facts', 'error in when', 'error in unless', 'error in unlessValid', 'error in limits'],
  ];
  assert.deepEqual(
    wanted.filter((one) => !seen.has(one)),
    [],
  );
});

test('the order of files and of documents never matters', () => {
  fc.assert(
    fc.property(valid, request, fc.nat(), (generated, one, seed) => {
      const files = filesOf(generated);
      const shuffled = files.toSorted((a, b) => ((a.path.charCodeAt(0) * 7919 + seed) % 31) - ((b.path.charCodeAt(0) * 7919 + seed) % 31));
      const together = [{ path: 'all.yaml', text: shuffled.map(({ text }) => text).join('\n---\n') }];
      assert.deepEqual(decide(compiled(together), one), decide(compiled(files), one));
    }),
    runs,
  );
});

test('the same request gets the same bytes, and deciding changes nothing', () => {
  fc.assert(
    fc.property(valid, request, (generated, one) => {
      const bundle = compiled(filesOf(generated));
      const before = structuredClone(one);
      const first = JSON.stringify(decide(bundle, one));
      assert.equal(JSON.stringify(decide(bundle, before)), first);
      assert.deepEqual(one, before);
    }),
    runs,
  );
});

test('adding a deny rule never allows what was not allowed', () => {
  fc.assert(
    fc.property(valid, requestRule, request, (generated, extra, one) => {
      const before = decide(compiled(filesOf(generated)), one);
      const deny = {
        ...extra,
        effect: 'deny',
        reason: 'EXTRA',
        require: undefined,
        limits: undefined,
        onExceed: undefined,
        obligations: undefined,
      };
      const closed = { ...deny, onError: undefined, onUnavailable: undefined };
      const added = {
        tier: 'team',
        response: false,
        points: undefined,
        match: undefined,
        facts: undefined,
        mode: undefined,
        rules: [closed],
      };
      // The new policy is written as the last of all, so the changes still speak about the same rules; no allow names the new deny.
      const last = filesOf({ ...generated, policies: [...generated.policies, added], changes: [] })[generated.policies.length];
      assert.ok(last !== undefined);
      const after = decide(compiled([...filesOf(generated), { ...last, path: 'last.yaml' }]), one);
      assert.ok(before.verdict === 'allow' || after.verdict !== 'allow');
    }),
    runs,
  );
});

function withException(generated: GeneratedWorld, match: unknown): { with_: Bundle; without: Bundle; live: boolean } {
  const [own] = generated.changes;
  const others = generated.changes.slice(1).filter(({ kind }) => kind === 'RiskAcceptance');
  const exception = own && ({ ...own, kind: 'Exception', match } as const);
  const keep = acceptable({ ...generated, changes: others });
  return {
    with_: compiled(filesOf({ ...keep, changes: [...others, ...(exception === undefined ? [] : [exception])] })),
    without: compiled(filesOf(keep)),
    live: exception?.live === true,
  };
}

test('an exception changes nothing outside its scope and nothing after its end', () => {
  fc.assert(
    fc.property(valid, request, (generated, one) => {
      const { with_, without, live } = withException(generated, { 'resource.env': ['prod'] });
      const outside = (one.resource as { env: string }).env !== 'prod' || !live || one.context['certainty'] !== 'parsed'; // As generated.
      if (!outside) return;
      const { bundle: _one, requirements: _two, ...first } = decide(with_, one);
      const { bundle: _three, requirements: _four, ...second } = decide(without, one);
      assert.deepEqual(first, second);
    }),
    runs,
  );
});

test('the response phase never allows anything by asking for less', () => {
  fc.assert(
    fc.property(valid, request, (generated, one) => {
      const response = { ...one, phase: 'response' as const, attributes: { ...one.attributes, result: { columns: [] } } };
      const { verdict, limits, requirements } = decide(compiled(filesOf(generated)), response);
      assert.ok(verdict !== 'pending' && (limits ?? []).every(({ name }) => name.startsWith('exception:')) && requirements.length === 0);
    }),
    runs,
  );
});

test('what was not understood is never allowed unless a rule says so', () => {
  fc.assert(
    fc.property(valid, request, (generated, one) => {
      const silent = generated.policies.map((each) => ({
        ...each,
        match: undefined,
        rules: each.rules.map((fields) => ({ ...fields, match: undefined })),
      }));
      const bundle = compiled(filesOf(acceptable({ ...generated, allowedByDefault: false, policies: silent, changes: [] })));
      const { verdict } = decide(bundle, { ...one, phase: 'request', context: { ...one.context, certainty: 'opaque' } });
      assert.notEqual(verdict, 'allow');
    }),
    runs,
  );
});

test('every decision can be explained: each rule that decided applies, and each that does not says why', () => {
  fc.assert(
    fc.property(valid, request, (generated, one) => {
      const { decision, rules } = explain(compiled(filesOf(generated)), one);
      const byId = new Map(rules.map((rule) => [rule.rule, rule]));
      for (const { rule } of decision.matched) assert.equal(byId.get(rule)?.applies, true, rule);
      for (const rule of decision.decisive) assert.equal(byId.get(rule)?.applies, true, rule);
      for (const rule of rules) assert.equal(rule.applies, rule.because === undefined, rule.rule);
    }),
    { numRuns: 60 },
  );
});
