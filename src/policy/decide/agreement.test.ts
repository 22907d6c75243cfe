import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { obligationTypes } from '#model';
import type { DecisionRequest } from '#model';
import { compileBundle } from '../bundle.ts';
import type { Bundle } from '../bundle.ts';
import { readDocuments } from '../documents/document.ts';
import { tiers } from '../documents/kinds/policy.ts';
import { formatProblem } from '../problem.ts';
import type { SourceFile } from '../source.ts';
import { decide } from './decide.ts';
import { referenceDecide } from './reference.ts';

/** A rule as generated, with what is needed to build valid overrides. */
interface GeneratedRule {
  [field: string]: unknown;
  effect: string;
}

const conditionsPool = [
  'facts.a == true',
  '!facts.a',
  'facts.b || "dba" in subject.groups',
  '"dba" in subject.groups && facts.a',
  'sql.complete',
  'has(context.purpose)',
  'sql.verbs.exists(v, v == "drop")',
  'sql.verbs.all(v, v != "drop")',
];
const lines = fc.record(
  {
    'subject.groups': fc.constantFrom<unknown>(['dba'], ['engineering'], ['dba', 'audit'], { notIn: ['audit'] }, ['*a*']),
    'resource.env': fc.constantFrom<unknown>(['prod'], ['dev'], ['prod', 'dev'], { in: ['p*'] }, { notIn: ['prod'] }),
    'sql.verbs': fc.constantFrom<unknown>(['select'], ['drop'], ['delete', 'drop'], ['d*'], { notIn: ['select'] }),
    'context.purpose': fc.constantFrom<unknown>({ exists: true }, { exists: false }, ['support'], { notIn: ['support'] }),
    'context.certainty': fc.constantFrom<unknown>(['parsed'], ['partial', 'opaque'], ['*']),
  },
  { requiredKeys: [] },
);
const match = fc.option(
  lines.filter((record) => Object.keys(record).length > 0),
  { nil: undefined },
);
const condition = fc.option(fc.constantFrom(...conditionsPool), { nil: undefined });
const approval = { approval: { reviewers: [{ group: 'dba' }], quorum: 1, timeout: 'PT1M', onTimeout: 'deny', bind: ['subject.id'] } };

const rule: fc.Arbitrary<GeneratedRule> = fc
  .record({
    effect: fc.constantFrom('deny', 'deny', 'allow', 'allow', 'require', 'observe'),
    priority: fc.constantFrom(100, 500, 900),
    waivable: fc.boolean(),
    mode: fc.option(fc.constantFrom('enforce', 'audit', 'shadow', 'off'), { nil: undefined }),
    match,
    when: condition,
    unless: condition,
    onError: fc.option(fc.constantFrom('deny', 'skip', 'escalate'), { nil: undefined }),
  })
  .map((fields) => ({
    ...fields,
    ...(fields.effect === 'deny' ? { reason: 'REFUSED' } : {}),
    ...(fields.effect === 'require' ? { require: approval } : {}),
  }));

const policy = fc.record({
  tier: fc.constantFrom(...tiers),
  match,
  facts: fc.option(fc.constant(['b']), { nil: undefined }),
  rules: fc.array(rule, { minLength: 1, maxLength: 4 }),
});

const change = fc.record({
  kind: fc.constantFrom('Exception', 'Rollout', 'Override', 'none'),
  rule: fc.nat(30),
  match: lines.filter((record) => Object.keys(record).length > 0),
  instead: fc.constantFrom<unknown>('waive', 'audit', { require: approval }),
  live: fc.boolean(),
  mode: fc.constantFrom('off', 'audit'),
  from: fc.constantFrom('off', 'audit', 'shadow'),
  percent: fc.constantFrom(0, 30, 70, 100),
  step: fc.constantFrom(0, 1, 2),
});

interface World {
  readonly policies: readonly { tier: string; match: unknown; facts: unknown; rules: readonly GeneratedRule[] }[];
  readonly change: {
    kind: string;
    rule: number;
    match: unknown;
    instead: unknown;
    live: boolean;
    mode: string;
    from: string;
    percent: number;
    step: number;
  };
}
const world: fc.Arbitrary<World> = fc.record({ policies: fc.array(policy, { minLength: 1, maxLength: 4 }), change });

const request: fc.Arbitrary<DecisionRequest> = fc
  .record({
    groups: fc.subarray(['dba', 'engineering', 'audit']),
    env: fc.constantFrom('prod', 'dev'),
    verbs: fc.subarray(['select', 'delete', 'drop']),
    complete: fc.boolean(),
    certainty: fc.constantFrom('parsed', 'parsed', 'partial'),
    purpose: fc.option(fc.constantFrom('support', 'other'), { nil: undefined }),
    a: fc.option(fc.oneof(fc.boolean(), fc.constant('text')), { nil: undefined }),
    b: fc.option(fc.boolean(), { nil: undefined }),
    id: fc.constantFrom('user:a', 'user:b', 'user:c'),
  })
  .map(({ groups, env, verbs, complete, certainty, purpose, a, b, id }) => ({
    target: 'sql',
    phase: 'request',
    point: 'postgres',
    now: 1_800_000_000_000,
    subject: { type: 'user', id, name: id, groups },
    resource: { type: 'database', id: 'pg:x', name: 'x', engine: 'postgres', env, owner: 'team:x', labels: {} },
    context: { certainty, ...(purpose === undefined ? {} : { purpose }) },
    attributes: { sql: { complete, verbs } },
    facts: { ...(a === undefined ? {} : { a }), ...(b === undefined ? {} : { b }) },
    can: obligationTypes,
    binding: 'b',
    grants: [],
  }));

/** Documents as YAML (JSON is YAML), one file each. */
function filesOf({ policies, change: one }: World): SourceFile[] {
  const ids = policies.flatMap(({ rules }, p) => rules.map((_, r) => ({ p, r })));
  const documents: unknown[] = policies.map(({ tier, match: common, facts, rules }, p) => ({
    apiVersion: 'warder/v1',
    kind: 'Policy',
    metadata: { name: `p${p}` },
    spec: {
      owner: 'team:x',
      tier,
      risk: { class: 'low' },
      review: {
        last: '2026-01-01',
        every: 'P90D',
      },
      target: 'sql',
      match: common,
      ...(facts === undefined ? {} : { requires: { facts } }),
      rules: rules.map((fields, r) => ({
        id: `r${r}`,
        ...fields,
        ...(fields.effect === 'allow'
          ? {
              overrides: overridable(
                {
                  policies,
                  change: one,
                },
                p,
                r,
              ),
            }
          : {}),
      })),
    },
  }));
  const chosen = ids[one.rule % ids.length] ?? { p: 0, r: 0 };
  const changed = changeDocument(one, chosen, policies[chosen.p]?.rules[chosen.r]);
  if (changed !== undefined) documents.push(changed);
  return documents.map((document, i) => ({ path: `${i}.yaml`, text: JSON.stringify(document) }));
}

function rankOf(tier: string | undefined): number {
  return tiers.findIndex((candidate) => candidate === tier);
}

/** Every deny that the allow `p/r` may name. */
function overridable({ policies }: World, p: number, r: number): string[] | undefined {
  const own = policies[p];
  const allow = own?.rules[r];
  const found = policies.flatMap(({ tier, rules }, q) =>
    rules.flatMap((deny, s) => {
      if (deny.effect !== 'deny' || deny['waivable'] === false) return [];
      const higher = rankOf(own?.tier) < rankOf(tier) || (own?.tier === tier && Number(allow?.['priority']) > Number(deny['priority']));
      return higher ? [`p${q}/r${s}`] : [];
    }),
  );
  return found.length === 0 ? undefined : found;
}

function wrapped(kind: string, spec: unknown): unknown {
  return { apiVersion: 'warder/v1', kind, metadata: { name: 'change' }, spec };
}

function changeDocument(one: World['change'], { p, r }: { p: number; r: number }, target: GeneratedRule | undefined): unknown {
  const approvedBy = ['user:a', 'user:b'];
  const window = one.live
    ? { notBefore: '2027-01-15T07:00:00Z', expires: '2027-01-15T10:00:00Z' }
    : { notBefore: '2026-01-01T00:00:00Z', expires: '2026-01-01T01:00:00Z' };
  switch (one.kind) {
    case 'Exception':
      if (target?.['waivable'] === false) return undefined;
      return wrapped('Exception', {
        waives: [
          {
            policy: `p${p}`,
            rules: [`r${r}`],
          },
        ],
        scope: { match: one.match },
        instead: one.instead,
        reason: 'r',
        owner: 'team:x',
        approvedBy,
        ...window,
      });
    case 'Override':
      return wrapped('Override', { rules: [`p${p}/r${r}`], mode: one.mode, reason: 'r', approvedBy, ...window });
    case 'Rollout':
      return wrapped('Rollout', {
        subject: {
          policy: `p${p}`,
          rules: [`r${r}`],
        },
        from: one.from,
        to: 'enforce',
        key: 'subject.id',
        salt: 's',
        step: one.step,
        steps: [
          {
            shadow: true,
            cohort: '"audit" in subject.groups',
          },
          { percent: one.percent },
        ],
      });
    default:
      return undefined;
  }
}

function compiled(files: readonly SourceFile[]): Bundle {
  const result = compileBundle(files);
  assert.ok(result.ok, result.ok ? '' : result.problems.map(formatProblem).join('\n'));
  return result.bundle;
}

const runs = { numRuns: 60 };

test('the engine and the slow reference decide alike', () => {
  fc.assert(
    fc.property(world, fc.array(request, { minLength: 1, maxLength: 5 }), (generated, requests) => {
      const files = filesOf(generated);
      const bundle = compiled(files);
      const { documents } = readDocuments(files);
      for (const one of requests) {
        const { verdict, reason, decisive } = decide(bundle, one);
        const wanted = referenceDecide(documents, one);
        assert.deepEqual({ verdict, reason, decisive: decisive.toSorted() }, { ...wanted, decisive: wanted.decisive.toSorted() });
      }
    }),
    runs,
  );
});

test('the order of files and of documents never matters', () => {
  fc.assert(
    fc.property(world, request, fc.nat(), (generated, one, seed) => {
      const files = filesOf(generated);
      const shuffled = files.toSorted((a, b) => ((a.path.charCodeAt(0) * 7919 + seed) % 31) - ((b.path.charCodeAt(0) * 7919 + seed) % 31));
      const together = [{ path: 'all.yaml', text: shuffled.map(({ text }) => text).join('\n---\n') }];
      assert.deepEqual(decide(compiled(together), one), decide(compiled(files), one));
    }),
    runs,
  );
});

test('adding a deny rule never allows what was not allowed', () => {
  fc.assert(
    fc.property(world, rule, request, (generated, extra, one) => {
      const before = decide(compiled(filesOf(generated)), one);
      const deny = { ...extra, effect: 'deny', reason: 'EXTRA', require: undefined };
      const policies = [...generated.policies, { tier: 'team', match: undefined, facts: undefined, rules: [deny] }];
      // The new policy comes last, so the change document still speaks about the same rule; no allow names the new deny.
      const files = [
        ...filesOf(generated),
        ...filesOf({ ...generated, policies, change: { ...generated.change, kind: 'none' } }).slice(
          generated.policies.length,
          generated.policies.length + 1,
        ),
      ];
      const after = decide(compiled(files), one);
      assert.ok(before.verdict === 'allow' || after.verdict !== 'allow');
    }),
    runs,
  );
});

test('an exception changes nothing outside its scope and nothing after its end', () => {
  fc.assert(
    fc.property(world, request, (generated, one) => {
      const exception = { ...generated.change, kind: 'Exception', match: { 'subject.id': ['user:a'] } };
      const with_ = compiled(filesOf({ ...generated, change: exception }));
      const without = compiled(filesOf({ ...generated, change: { ...generated.change, kind: 'none' } }));
      const outside = one.subject.id !== 'user:a' || !exception.live || one.context['certainty'] !== 'parsed';
      if (!outside) return;
      const { bundle: _one, requirements: _two, ...first } = decide(with_, one);
      const { bundle: _three, requirements: _four, ...second } = decide(without, one);
      assert.deepEqual(first, second);
    }),
    runs,
  );
});

test('what was not understood is never allowed unless a rule says so', () => {
  fc.assert(
    fc.property(world, request, (generated, one) => {
      const silent = generated.policies.map((each) => ({
        ...each,
        match: undefined,
        rules: each.rules.map((fields) => ({ ...fields, match: undefined })),
      }));
      const bundle = compiled(filesOf({ ...generated, policies: silent, change: { ...generated.change, kind: 'none' } }));
      const { verdict } = decide(bundle, { ...one, context: { ...one.context, certainty: 'opaque' } });
      assert.notEqual(verdict, 'allow');
    }),
    runs,
  );
});
