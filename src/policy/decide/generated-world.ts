import fc from 'fast-check';
import { obligationTypes } from '#model';
import type { DecisionRequest } from '#model';
import { tiers } from '../documents/kinds/policy.ts';
import type { SourceFile } from '../source.ts';

/** A rule as generated, with what is needed to build valid overrides. */
export interface GeneratedRule {
  [field: string]: unknown;
  effect: string;
}

export interface GeneratedPolicy {
  readonly tier: string;
  readonly response: boolean;
  readonly points: unknown;
  readonly match: unknown;
  readonly facts: unknown;
  readonly mode: unknown;
  readonly rules: readonly GeneratedRule[];
}

export interface GeneratedChange {
  readonly kind: 'Exception' | 'Rollout' | 'Override' | 'RiskAcceptance';
  readonly rule: number;
  readonly match: unknown;
  readonly when: unknown;
  readonly instead: unknown;
  readonly maxUses: unknown;
  readonly live: boolean;
  readonly mode: string;
  readonly from: string;
  readonly percent: number;
  readonly step: number;
}

/** A generated bundle: everything that the semantics speak about, in valid combinations. */
export interface GeneratedWorld {
  readonly policies: readonly GeneratedPolicy[];
  readonly changes: readonly GeneratedChange[];
  readonly allowedByDefault: boolean;
  readonly stale: boolean;
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
  'subject.id in data.known',
  'vars.own',
  'vars.shared && !vars.own',
];
const lines = fc.record(
  {
    'subject.groups': fc.constantFrom<unknown>(['dba'], ['engineering'], ['dba', 'audit'], { notIn: ['audit'] }, ['*a*']),
    'subject.id': fc.constantFrom<unknown>({ inData: 'known' }, { inData: 'lasting' }, ['user:a']),
    'resource.env': fc.constantFrom<unknown>(['prod'], ['dev'], ['prod', 'dev'], { in: ['p*'] }, { notIn: ['prod'] }),
    'sql.verbs': fc.constantFrom<unknown>(['select'], ['drop'], ['delete', 'drop'], ['d*'], { notIn: ['select'] }),
    'context.purpose': fc.constantFrom<unknown>({ exists: true }, { exists: false }, ['support'], { notIn: ['support'] }),
    'context.certainty': fc.constantFrom<unknown>(['parsed'], ['partial', 'opaque'], ['*']),
  },
  { requiredKeys: [] },
);
const someLines = lines.filter((record) => Object.keys(record).length > 0);
const sparse = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined, freq: 2 });
const rare = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });
const condition = sparse(fc.constantFrom(...conditionsPool));

const approval = { reviewers: [{ group: 'dba' }], quorum: 1, timeout: 'PT1M', onTimeout: 'deny', bind: ['subject.id', 'context.purpose'] };
const requirement = fc.constantFrom<Record<string, unknown>>(
  { approval },
  { stepUp: { acr: 'high' } },
  { approval, justification: { minLength: 3 } },
);
const beside = fc.constantFrom<unknown>(
  { type: 'notify', to: 'channel:#a', topic: 't' },
  { type: 'notify', to: 'channel:#b', topic: 't' },
  { type: 'log', level: 'warning' },
  { type: 'log', level: 'alert' },
  { type: 'record', evidence: 'local' },
  { type: 'record', evidence: 'mirrored' },
  { type: 'quarantine', scope: ['session'], ttl: 'PT5M' },
  { type: 'quarantine', scope: ['subject', 'session'], ttl: 'PT1M' },
);
const inside = fc.constantFrom<unknown>(
  { type: 'row_limit', max: 5 },
  { type: 'row_limit', max: 50 },
  { type: 'route', key: 'model', to: 'a' },
  { type: 'route', key: 'model', to: 'b' },
  { type: 'route', key: 'model', to: 'c' },
  { type: 'route', key: 'region', to: 'eu' },
);
const ofResult = fc.constantFrom<unknown>(
  { type: 'mask', select: { columns: { labels: ['pii.*'] } }, with: { strategy: 'drop' } },
  { type: 'redact', select: { text: { detectors: ['email'] } } },
  { type: 'redact', select: { text: { detectors: ['iban', 'email'] } } },
);
/** A name always counts the same thing: otherwise the limits contradict each other. */
const limit = fc
  .record({ key: fc.constantFrom('subject.id', 'context.purpose'), cost: sparse(fc.constantFrom('2', '5')) })
  .map(({ key, cost }) => ({ name: key === 'subject.id' ? 'by-subject' : 'by-purpose', key: [key], max: 10, per: 'PT1M', cost }));

const common = fc.record({
  effect: fc.constantFrom('deny', 'deny', 'allow', 'allow', 'allow', 'require', 'transform', 'limit', 'observe'),
  priority: fc.constantFrom(100, 500, 900),
  waivable: fc.constantFrom(true, true, false),
  mode: sparse(fc.constantFrom('enforce', 'audit', 'shadow', 'off')),
  match: sparse(someLines),
  when: condition,
  unless: condition,
  unlessValid: rare(fc.constant({ input: 'facts.a', schema: { enum: [true, 'text'] } })),
  onError: sparse(fc.constantFrom('deny', 'skip', 'escalate', 'allow')),
  onUnavailable: sparse(fc.constantFrom('deny', 'skip', 'escalate', 'allow')),
});

const rule = (response: boolean): fc.Arbitrary<GeneratedRule> =>
  fc
    .record({
      common,
      require: requirement,
      riding: sparse(fc.array(beside, { minLength: 1, maxLength: 2 })),
      within: fc.array(fc.oneof(response ? ofResult : inside, beside), { minLength: 1, maxLength: 2 }),
      onExceed: sparse(fc.constantFrom('escalate', 'escalate', 'deny', 'allow', 'skip')),
      limits: fc.uniqueArray(limit, { minLength: 1, maxLength: 2, selector: ({ name }) => name }),
    })
    .map(({ common: fields, require, riding, within, onExceed, limits }) => {
      const effect = response && (fields.effect === 'require' || fields.effect === 'limit') ? 'transform' : fields.effect;
      const failing = (mode: unknown): unknown => (response && mode === 'escalate' ? 'deny' : mode);
      return {
        ...fields,
        effect,
        onError: failing(fields.onError),
        onUnavailable: failing(fields.onUnavailable),
        ...(effect === 'deny' ? { reason: 'REFUSED' } : {}),
        ...(effect === 'require' ? { require } : {}),
        ...(effect === 'limit' ? { limits, onExceed, ...(onExceed === 'escalate' && fields.waivable ? { require } : {}) } : {}),
        // An allow may bring what changes the operation, the others only what is done beside it.
        obligations: effect === 'transform' || (effect === 'allow' && riding !== undefined) ? within : riding,
      };
    });

const policy: fc.Arbitrary<GeneratedPolicy> = fc.boolean().chain((response) =>
  fc.record({
    tier: fc.constantFrom(...tiers),
    response: fc.constant(response),
    points: rare(fc.constantFrom(['postgres'], ['other'])),
    match: sparse(someLines),
    facts: rare(fc.constant(['b'])),
    mode: rare(fc.constantFrom('audit', 'shadow', 'enforce')),
    rules: fc.array(rule(response), { minLength: 1, maxLength: 4 }),
  }),
);

const change: fc.Arbitrary<GeneratedChange> = fc.record({
  kind: fc.constantFrom('Exception', 'Exception', 'Rollout', 'Override', 'RiskAcceptance'),
  rule: fc.nat(30),
  match: lines.map(({ 'subject.id': _id, ...rest }) => rest).filter((record) => Object.keys(record).length > 0),
  when: sparse(fc.constantFrom('"dba" in subject.groups', 'facts.a')),
  instead: fc.constantFrom<unknown>(
    'waive',
    'audit',
    { require: { stepUp: { acr: 'higher' } } },
    { transform: [{ type: 'log', level: 'info' }] },
  ),
  maxUses: sparse(fc.constantFrom(1, 2)),
  live: fc.boolean(),
  mode: fc.constantFrom('off', 'audit'),
  from: fc.constantFrom('off', 'audit', 'shadow'),
  percent: fc.constantFrom(0, 30, 70, 100),
  step: fc.constantFrom(0, 1, 2),
});

export const world: fc.Arbitrary<GeneratedWorld> = fc.record({
  policies: fc.array(policy, { minLength: 1, maxLength: 4 }),
  changes: fc.array(change, { maxLength: 3 }),
  allowedByDefault: fc.boolean(),
  stale: fc.boolean(),
});
export const requestRule = rule(false);

export const request: fc.Arbitrary<DecisionRequest> = fc
  .record({
    phase: fc.constantFrom('request', 'request', 'request', 'response'),
    point: fc.constantFrom('postgres', 'postgres', 'other'),
    groups: fc.subarray(['dba', 'engineering', 'audit']),
    env: fc.constantFrom('prod', 'dev'),
    verbs: fc.subarray(['select', 'delete', 'drop']),
    complete: fc.boolean(),
    certainty: fc.constantFrom('parsed', 'parsed', 'partial'),
    purpose: fc.option(fc.constantFrom('support', 'other'), { nil: undefined }),
    a: fc.option(fc.oneof(fc.boolean(), fc.constant('text')), { nil: undefined }),
    b: fc.option(fc.boolean(), { nil: undefined }),
    id: fc.constantFrom('user:a', 'user:b', 'user:c'),
    can: fc.option(fc.subarray([...obligationTypes], { minLength: 6 }), { nil: [...obligationTypes] }),
    used: fc.nat(2),
    moved: fc.option(fc.nat(3), { nil: undefined, freq: 2 }),
    exceeded: fc.subarray(['by-subject', 'by-purpose'], { minLength: 0 }),
  })
  .map(({ phase, point, groups, env, verbs, complete, certainty, purpose, a, b, id, can, used, exceeded, moved }) => ({
    target: 'sql',
    phase: phase as 'request' | 'response', // constantFrom widens it.
    point,
    now,
    subject: { type: 'user', id, name: id, groups },
    resource: { type: 'database', id: 'pg:x', name: 'x', engine: 'postgres', env, owner: 'team:x', labels: {} },
    context: { certainty, ...(purpose === undefined ? {} : { purpose }) },
    attributes: { sql: { complete, verbs }, ...(phase === 'response' ? { result: { columns: [] } } : {}) },
    facts: { ...(a === undefined ? {} : { a }), ...(b === undefined ? {} : { b }) },
    can,
    binding: 'b',
    grants: [],
    exceeded: exceeded.map((name) => `${name} ["${name === 'by-subject' ? id : purpose}"]`),
    ...(moved === undefined ? {} : { rolloutSteps: { c0: moved, c1: moved } }),
    exceptionUses: { [`exception:c0 ${liveWindow.notBefore}/${liveWindow.expires}`]: used },
  }));

const now = Date.parse('2027-01-15T08:00:00Z');
const liveWindow = { notBefore: '2027-01-15T07:00:00Z', expires: '2027-01-15T10:00:00Z' };
const pastWindow = { notBefore: '2026-01-01T00:00:00Z', expires: '2026-01-01T01:00:00Z' };

function wrapped(kind: string, name: string, spec: unknown): unknown {
  return { apiVersion: 'warder/v1', kind, metadata: { name }, spec };
}

/** Documents as YAML (JSON is YAML), one file each; policies come first. */
export function filesOf({ policies, changes, allowedByDefault, stale }: GeneratedWorld): SourceFile[] {
  const ids = policies.flatMap(({ rules }, p) => rules.map((_, r) => ({ p, r })));
  const documents: unknown[] = policies.map((one, p) => policyDocument(one, p, policies));
  const taken = new Set<string>();
  for (const [i, one] of changes.entries()) {
    const chosen = ids[one.rule % ids.length] ?? { p: 0, r: 0 };
    const from = policies[chosen.p];
    const document = from && changeDocument(one, { ...chosen, i, policy: from, taken });
    if (document !== undefined) documents.push(document);
  }
  documents.push(wrapped('Bundle', 'generated', { version: '1.0.0', defaults: { sql: allowedByDefault ? 'allow' : 'deny' } }));
  const age = stale ? { asOf: '2027-01-10', maxAge: 'P1D' } : {};
  documents.push(wrapped('DataSet', 'known', { owner: 'team:x', values: ['user:a', 'user:b'], ...age }));
  documents.push(wrapped('DataSet', 'lasting', { owner: 'team:x', values: ['user:b', 'user:*c'] }));
  for (const phase of ['request', 'response'])
    documents.push(wrapped('Library', `library-${phase}`, { owner: 'team:x', target: 'sql', phase, variables: { shared: 'facts.b' } }));
  return documents.map((document, i) => ({ path: `${i}.yaml`, text: JSON.stringify(document) }));
}

function policyDocument(
  { tier, response, points, match, facts, mode, rules }: GeneratedPolicy,
  p: number,
  all: readonly GeneratedPolicy[],
): unknown {
  return wrapped('Policy', `p${p}`, {
    owner: 'team:x',
    tier,
    risk: { class: 'low' },
    review: { last: '2026-01-01', every: 'P90D' },
    target: 'sql',
    ...(response ? { phase: 'response' } : {}),
    points,
    match,
    mode,
    variables: { own: 'facts.a && sql.complete' },
    ...(facts === undefined ? {} : { requires: { facts } }),
    rules: rules.map((fields, r) => ({
      id: `r${r}`,
      ...fields,
      ...(fields.effect === 'allow' ? { overrides: overridable(all, p, r) } : {}),
    })),
  });
}

function rankOf(tier: string | undefined): number {
  return tiers.findIndex((candidate) => candidate === tier);
}

/** Every deny that the allow `p/r` may name. */
function overridable(policies: readonly GeneratedPolicy[], p: number, r: number): string[] | undefined {
  const own = policies[p];
  const allow = own?.rules[r];
  const found = policies.flatMap(({ tier, response, rules }, q) =>
    rules.flatMap((deny, s) => {
      if (deny.effect !== 'deny' || deny['waivable'] === false || response !== own?.response) return [];
      const higher = rankOf(own.tier) < rankOf(tier) || (own.tier === tier && Number(allow?.['priority']) > Number(deny['priority']));
      return higher ? [`p${q}/r${s}`] : [];
    }),
  );
  return found.length === 0 ? undefined : found;
}

interface Chosen {
  readonly i: number;
  readonly p: number;
  readonly r: number;
  readonly policy: GeneratedPolicy;
  /** Rules that are in a rollout already. */
  readonly taken: Set<string>;
}

function changeDocument(one: GeneratedChange, { i, p, r, policy: from, taken }: Chosen): unknown {
  const rule = `p${p}/r${r}`;
  const approval = { reason: 'r', approvedBy: ['user:a', 'user:b'] };
  const window = one.live ? liveWindow : pastWindow;
  switch (one.kind) {
    case 'Exception': {
      if (from.rules[r]?.['waivable'] === false) return undefined;
      const asks = typeof one.instead === 'object' && one.instead !== null && 'require' in one.instead;
      const instead = asks && from.response ? 'waive' : one.instead;
      const spec = {
        waives: [{ policy: `p${p}`, rules: [`r${r}`] }],
        scope: { match: one.match, when: one.when },
        instead,
        maxUses: one.maxUses,
      };
      return wrapped('Exception', `c${i}`, { ...spec, owner: 'team:x', ...approval, ...window });
    }
    case 'Override':
      return wrapped('Override', `c${i}`, { rules: [rule], mode: one.mode, ...approval, ...window });
    case 'Rollout': {
      if (taken.has(rule)) return undefined;
      taken.add(rule);
      const steps = [{ shadow: true, cohort: '"audit" in subject.groups' }, { percent: one.percent }];
      const subject = { policy: `p${p}`, rules: [`r${r}`] };
      return wrapped('Rollout', `c${i}`, { subject, from: one.from, to: 'enforce', key: 'subject.id', salt: 's', step: one.step, steps });
    }
    case 'RiskAcceptance':
      return wrapped('RiskAcceptance', `c${i}`, { rule, ...approval, expires: one.live ? '2027-02-01' : '2026-01-01' });
  }
}

/** The world with a live acceptance for every rule that fails open: without one such a rule does not compile. */
export function acceptable(generated: GeneratedWorld): GeneratedWorld {
  const failsOpen = (fields: GeneratedRule): boolean => fields['onError'] === 'allow' || fields['onUnavailable'] === 'allow';
  const rules = generated.policies.flatMap(({ rules }) => rules);
  const accepted = new Set(generated.changes.filter(({ kind }) => kind === 'RiskAcceptance').map(({ rule }) => rule % rules.length));
  let n = -1;
  const policies = generated.policies.map((one) => ({
    ...one,
    rules: one.rules.map((fields) => {
      n += 1;
      return failsOpen(fields) && !accepted.has(n) ? { ...fields, onError: 'deny', onUnavailable: 'skip' } : fields;
    }),
  }));
  return { ...generated, policies };
}
