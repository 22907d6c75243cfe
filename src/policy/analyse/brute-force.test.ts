import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Decision, DecisionRequest } from '#model';
import { compileBundle } from '../bundle.ts';
import type { Bundle } from '../bundle.ts';
import { decide } from '../decide/decide.ts';
import { tiers } from '../documents/kinds/policy.ts';
import { formatProblem } from '../problem.ts';
import { requestWith } from '../scenario.ts';
import { analyse } from './analyse.ts';
import { Reasoning } from './cover.ts';
import type { Finding } from './finding.ts';
import { regionOf } from './region.ts';
import { preferred } from './request.ts';

/**
 * The analysis against the plain truth: small rules over a domain so small that every request can be decided. For each attribute the
 * domain has a value of every kind the rules can tell apart, so what holds for all these requests holds for all requests.
 */
const names = ['ab', 'x', 'axb', 'a/b', '/b', 'ax', 'a/', 'xb', '/'];
const envs = ['prod', 'dev', 'other'];
const purposes = [undefined, 'x', 'y', 'o'];
const groups = ['a', 'b', 'o', 'p'];

function* universe(): Generator<DecisionRequest> {
  for (const name of names)
    for (const env of envs)
      for (const purpose of purposes)
        for (let set = 0; set < 2 ** groups.length; set += 1)
          for (const complete of [true, false])
            for (const certainty of ['parsed', 'partial'])
              yield requestWith({
                groups: groups.filter((_, i) => (set & (1 << i)) !== 0),
                sql: { complete },
                context: { certainty, ...(purpose === undefined ? {} : { purpose }) },
                resource: { name, env },
              });
}
const requests = [...universe()];

const atom = fc.constantFrom(
  'true',
  'has(context.purpose)',
  'context.?purpose.orValue("") == "x"',
  'context.?purpose.orValue("x") != "y"',
  '"a" in subject.groups',
  'subject.groups.all(g, g in ["a", "b"])',
  'subject.groups.exists(g, g != "a" && g != "o")',
  'size(subject.groups) > 0',
  'sql.complete',
  'resource.name.startsWith("a")',
  'resource.name.endsWith("b")',
  'resource.name.contains("/")',
  'resource.env in ["prod", "dev"]',
  'vars.production',
  'resource.env == "prod" ? "b" in subject.groups : sql.complete',
);
const condition: fc.Arbitrary<string> = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 2 },
    atom,
    fc.tuple(tie('node'), fc.constantFrom('&&', '||'), tie('node')).map(([a, op, b]) => `(${a}) ${op} (${b})`),
    tie('node').map((inner) => `!(${inner})`),
  ),
})).node;
const line = fc.record(
  {
    'resource.env': fc.constantFrom<unknown>(['prod'], ['prod', 'dev'], { notIn: ['prod'] }, ['*']),
    'resource.name': fc.constantFrom<unknown>(['a*'], ['*b'], ['ab'], { notIn: ['a*b'] }, ['**/**'], { in: ['a*'], notIn: ['ab'] }),
    'subject.groups': fc.constantFrom<unknown>(['a'], ['a', 'b'], { notIn: ['o'] }, { in: ['b'], notIn: ['a'] }),
    'context.purpose': fc.constantFrom<unknown>({ exists: true }, { exists: false }, ['x'], { notIn: ['x', 'y'] }),
    'sql.complete': fc.constantFrom<unknown>([true], [false]),
  },
  { requiredKeys: [] },
);
const route = (to: string) => [{ type: 'route', key: 'replica', to }];
const rule = fc
  .record({
    effect: fc.constantFrom('deny', 'deny', 'allow', 'allow', 'transform', 'observe'),
    match: line,
    when: fc.option(condition, { nil: undefined }),
    unless: fc.option(
      fc.oneof(condition, fc.constantFrom('context.purpose == "x"', 'context.purpose != "y"', '!(context.purpose in ["x", "y"])')),
      {
        nil: undefined,
      },
    ),
    priority: fc.constantFrom(400, 500),
    waivable: fc.boolean(),
    to: fc.constantFrom('here', 'there'),
  })
  .map(({ to, match, ...fields }) => ({
    ...fields,
    ...(Object.keys(match).length === 0 ? {} : { match }),
    ...(fields.effect === 'deny' ? { reason: 'REFUSED' } : {}),
    ...(fields.effect === 'transform' ? { obligations: route(to) } : {}),
  }));
type Rule = typeof rule extends fc.Arbitrary<infer T> ? T : never;
interface Written {
  readonly tier: (typeof tiers)[number];
  readonly rules: readonly Rule[];
}
const policies = fc.array(fc.record({ tier: fc.constantFrom(...tiers), rules: fc.array(rule, { minLength: 1, maxLength: 3 }) }), {
  minLength: 1,
  maxLength: 3,
});

function documentsOf(written: readonly Written[]): { path: string; text: string }[] {
  return written.map(({ tier, rules }, p) => ({
    path: `${p}.yaml`,
    text: JSON.stringify({
      apiVersion: 'warder/v1',
      kind: 'Policy',
      metadata: { name: `p${p}` },
      spec: {
        owner: 'team:x',
        tier,
        risk: { class: 'low' },
        review: { last: '2026-01-01', every: 'P90D' },
        target: 'sql',
        variables: { production: 'resource.env == "prod"' },
        rules: rules.map((fields, r) => ({ id: `r${r}`, ...fields })),
      },
    }),
  }));
}

function compiled(files: readonly { path: string; text: string }[]): Bundle {
  const result = compileBundle(files);
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join('\n'));
  return result.bundle;
}

function without(written: readonly Written[], id: string): readonly Written[] {
  const [p, r] = id.split('/').map((part) => Number(part.slice(1)));
  const removed = {
    effect: 'observe',
    match: { 'resource.env': ['nowhere'] },
    when: undefined,
    unless: undefined,
    priority: 500,
    waivable: true,
  } as const;
  return written.map((policy, i) => (i === p ? { ...policy, rules: policy.rules.map((one, j) => (j === r ? removed : one)) } : policy));
}

const matchedIn = (decision: Decision, id: string | undefined): boolean => decision.matched.some((one) => one.rule === id);
const outcome = ({ verdict, reason, message, obligations }: Decision): string => JSON.stringify({ verdict, reason, message, obligations });

/** What a finding claims of every request; undefined where it claims nothing of the kind. */
function contradiction(finding: Finding, decisions: readonly Decision[], written: readonly Written[]): string | undefined {
  const [id = '', other] = finding.rules;
  const bad = (holds: (decision: Decision) => boolean): string | undefined => {
    const at = decisions.findIndex((decision) => !holds(decision));
    return at < 0 ? undefined : JSON.stringify(requests[at]);
  };
  switch (finding.code) {
    case 'P101':
      return bad((decision) => !matchedIn(decision, id) || decision.verdict === 'deny');
    case 'P105':
      return other === undefined
        ? bad((decision) => !matchedIn(decision, id))
        : bad((decision) => !matchedIn(decision, id) || decision.verdict === 'deny');
    case 'P106': {
      const thinner = compiled(documentsOf(without(written, id)));
      const at = decisions.findIndex((decision, i) => outcome(decision) !== outcome(decide(thinner, requests[i] ?? requestWith())));
      return at < 0 ? bad((decision) => !matchedIn(decision, id) || matchedIn(decision, other)) : JSON.stringify(requests[at]);
    }
    case 'P103':
      return bad((decision) => !(matchedIn(decision, id) && matchedIn(decision, other ?? id)) || decision.verdict === 'deny');
    default:
      return undefined;
  }
}

/** What the witness of a finding shows. */
function reproduces(finding: Finding, decision: Decision): boolean {
  const [id = '', ...others] = finding.rules;
  switch (finding.code) {
    case 'P101':
      return matchedIn(decision, id) && decision.verdict === 'deny' && others.some((other) => decision.decisive.includes(other));
    case 'P102':
      return decision.verdict === 'deny' && decision.decisive.includes(id) && others.some((other) => matchedIn(decision, other));
    case 'P103':
      return decision.reason === 'OBLIGATION_CONFLICT';
    case 'P105':
      return others.length === 0 ? !matchedIn(decision, id) : matchedIn(decision, id) && decision.verdict === 'deny';
    case 'P106':
      return matchedIn(decision, id) && others.every((other) => matchedIn(decision, other));
    case 'P107':
      return matchedIn(decision, id);
    default:
      return true;
  }
}

test('no finding contradicts what every request of a small world shows, and every witness reproduces its finding', () => {
  fc.assert(
    fc.property(policies, (written) => {
      const files = documentsOf(written);
      const bundle = compiled(files);
      const decisions = requests.map((request) => decide(bundle, request));
      for (const finding of analyse(bundle, { files })) {
        const against = contradiction(finding, decisions, written);
        assert.equal(against, undefined, `${formatProblem(finding)}\n${JSON.stringify(written)}`);
        if (finding.witness !== undefined) assert.ok(reproduces(finding, decide(bundle, finding.witness)), formatProblem(finding));
        else assert.notEqual(finding.proof, 'witness');
      }
    }),
    { numRuns: 25 },
  );
});

test('a rule that no request reaches, and an allow that one deny always beats, are found', () => {
  fc.assert(
    fc.property(policies, (written) => {
      const files = documentsOf(written);
      const bundle = compiled(files);
      const found = new Set(analyse(bundle, { files }).map(({ code, rules }) => `${code} ${rules[0] ?? ''}`));
      const decisions = requests.map((request) => decide(bundle, request));
      for (const { id, effect } of bundle.compiled.rules) {
        const reached = decisions.filter((decision) => matchedIn(decision, id));
        if (reached.length === 0) assert.ok(found.has(`P105 ${id}`), `${id} is never reached\n${JSON.stringify(written)}`);
        else if (effect === 'allow') {
          const beater = bundle.compiled.rules.find(
            (deny) => deny.effect === 'deny' && reached.every((decision) => matchedIn(decision, deny.id)),
          );
          if (beater !== undefined) assert.ok(found.has(`P101 ${id}`), `${id} is beaten by ${beater.id}\n${JSON.stringify(written)}`);
        }
      }
    }),
    { numRuns: 20 },
  );
});

test('two rules are called disjoint exactly when no request meets both', () => {
  fc.assert(
    fc.property(rule, rule, (one, other) => {
      const bundle = compiled(documentsOf([{ tier: 'org', rules: [one, other] }]));
      const [a, b] = bundle.compiled.rules;
      assert.ok(a !== undefined && b !== undefined);
      const models = new Reasoning(preferred).together(
        regionOf(a, bundle.compiled).conjunctions,
        regionOf(b, bundle.compiled).conjunctions,
      );
      const meet = requests.some((request) => {
        const decision = decide(bundle, request);
        return matchedIn(decision, a.id) && matchedIn(decision, b.id);
      });
      assert.equal(models !== undefined && models.length > 0, meet, JSON.stringify([one, other]));
    }),
    { numRuns: 60 },
  );
});
